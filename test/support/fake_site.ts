/** A host with an adapter, VFs and guests, all of it fake, and a reconciler over it. */
import { DEFAULT_HASH_TYPES } from '../../src/core/limits.js';
import type { AdapterSpec, Desired, GuestSpec, PoolRules, PoolTerms, QuotaSpec, RssSpec, VfSettings, VfSpec, VnicSpec } from '../../src/core/model.js';
import { DEFAULT_RULES, DEFAULT_TERMS, guestName, parseMacAddress } from '../../src/core/model.js';
import { Reconciler, type ReconcilerParts } from '../../src/reconcile/reconciler.js';
import { FakeAdapters } from './fake_adapters.js';
import { FakeClock } from './fake_clock.js';
import { FakeDataPlane } from './fake_dataplane.js';
import { FakeHost } from './fake_host.js';
import { FakeHypervisor } from './fake_hypervisor.js';
import { Faults } from './faults.js';

export interface SiteOptions {
  readonly guests?: number;
  readonly vfs?: number;
  readonly vfQueues?: number;
  readonly tapQueues?: number;
  readonly limits?: AdapterSpec['limits'];
  readonly policy?: VnicSpec['policy'];
  /** Guests are virtual machines of which only their plug-ins tell anything. Default: network namespaces. */
  readonly machines?: boolean;
  /** Guests are virtual machines with net_failover, and VFs are behind the adapter's own switch. */
  readonly passthrough?: boolean;
  /** Of every vNIC. */
  readonly vf?: VfSettings;
  readonly vnic?: Partial<VnicSpec>;
  readonly rules?: Partial<PoolRules>;
  readonly quotas?: readonly QuotaSpec[];
  /** Of each guest, by its number from 1. */
  readonly terms?: (guest: number) => PoolTerms;
}

export function vfSpec(index: number, kind: VfSpec['kind'] = 'netdev'): VfSpec {
  if (kind === 'passthrough') return { kind, port: `0000:01:10.${2 * index}`, device: `0000:01:10.${2 * index}` };
  return { kind, port: `vfp${index}`, device: `vf${index}` };
}

export function vnicSpec(index: number, more: Partial<VnicSpec> = {}): VnicSpec {
  return {
    name: `g${index}`,
    mac: parseMacAddress(`52:54:00:00:00:${index.toString(16).padStart(2, '0')}`),
    vlans: [0],
    access: false,
    addresses: null,
    maxRate: null,
    adapter: 'nic0',
    tap: `tap-g${index}`,
    guest: { kind: 'netns', netns: `ns-g${index}` },
    policy: 'accelerated',
    terms: DEFAULT_TERMS,
    cutThrough: 'off',
    weights: [],
    ...more,
  };
}

/** The virtual machine of vnicSpec(index). */
export function vmOf(index: number): GuestSpec {
  return { kind: 'vm', vm: `vm-g${index}`, mac: vnicSpec(index).mac, mode: 'auto' };
}

export const DEFAULT_RSS: RssSpec = { key: 'random', hashTypes: DEFAULT_HASH_TYPES };

/** What a killed one's last breath may still look at. */
const READING = new Set([
  ...['path', 'attachments', 'vnics', 'ports', 'txPorts', 'steering'],
  ...['rssKeys', 'rssWish', 'hostRssWish', 'bridgeVlanNotes'],
]);

export class Site {
  readonly clock = new FakeClock();
  readonly faults = new Faults();
  readonly host: FakeHost;
  readonly dataPlane: FakeDataPlane;
  readonly hypervisor: FakeHypervisor;
  readonly adapters: FakeAdapters;
  readonly adapter: AdapterSpec;
  readonly desired: Desired;
  cpus: readonly number[] = [0, 1, 2, 3];

  constructor(options: SiteOptions = {}) {
    const { guests = 2, vfs = 2, vfQueues = 2, tapQueues = 2, limits = { vfs: 254, queues: 2048 }, policy = 'accelerated', passthrough = false, machines = passthrough, vf, rules = {}, quotas = [], terms = () => DEFAULT_TERMS } = options;
    this.host = new FakeHost(this.clock, this.faults);
    this.dataPlane = new FakeDataPlane(this.host, this.faults);
    this.hypervisor = new FakeHypervisor(this.clock, this.host, this.dataPlane, this.faults);
    this.adapters = new FakeAdapters(this.clock, this.host, this.faults);
    this.adapter = { name: 'nic0', uplink: 'pf0', bridge: 'br0', vfs: Array.from({ length: vfs }, (_, index) => vfSpec(index, passthrough ? 'passthrough' : machines ? 'emulated' : 'netdev')), limits, rules: { ...DEFAULT_RULES, ...rules } };
    const vnics = Array.from({ length: guests }, (_, index) => vnicSpec(index + 1, { policy, terms: terms(index + 1), ...(vf === undefined ? {} : { vf }), ...(machines ? { guest: vmOf(index + 1) } : {}), ...options.vnic }));
    this.desired = { adapters: [this.adapter], vnics, rss: DEFAULT_RSS, discover: null, quotas };
    this.host.addLink('br0', { kind: 'bridge' });
    this.host.addLink('pf0', { bridge: 'br0' });
    for (const spec of this.adapter.vfs) this.addVf(spec, vfQueues);
    for (const { tap, guest } of this.desired.vnics) {
      this.host.addLink(tap, { bridge: 'br0', kind: 'tun', queues: tapQueues });
      this.hypervisor.start(guestName(guest));
      if (passthrough) this.hypervisor.oneEared.add(guestName(guest));
    }
    for (const name of ['br0', 'pf0', ...this.desired.vnics.map((vnic) => vnic.tap)]) this.host.untouchable.add(name);
  }

  addVf(spec: VfSpec, queues = 2): void {
    if (spec.kind === 'passthrough') {
      this.adapters.add(spec.device);
      this.host.addLink(spec.device, { up: false });
      return;
    }
    this.host.addLink(spec.port, { up: false, kind: 'veth', queues });
    this.host.addLink(spec.device, { up: false, kind: 'veth', queues });
  }

  reconciler(more: Partial<ReconcilerParts> = {}): Reconciler {
    return new Reconciler({
      dataPlane: this.dataPlane,
      host: this.host,
      hypervisor: this.hypervisor,
      adapters: this.adapters,
      desired: this.desired,
      cpus: () => this.cpus,
      clock: this.clock,
      ...more,
    });
  }

  /** A reconciler that can be killed: from then on nothing that it does has any effect. */
  killable(more: Partial<ReconcilerParts> = {}): { readonly reconciler: Reconciler; readonly kill: () => void } {
    const life = { ended: false };
    const mortal = <T extends object>(target: T): T =>
      new Proxy(target, {
        get: (_, property): unknown => {
          const value: unknown = Reflect.get(target, property);
          if (typeof value !== 'function') return value;
          return (...args: unknown[]): unknown => {
            if (life.ended && !READING.has(String(property))) throw new Error('killed');
            return Reflect.apply(value, target, args) as unknown;
          };
        },
      });
    const reconciler = this.reconciler({
      dataPlane: mortal(this.dataPlane),
      host: mortal(this.host),
      hypervisor: mortal(this.hypervisor),
      adapters: mortal(this.adapters),
      ...more,
    });
    const kill = (): void => {
      life.ended = true;
      this.faults.interrupt();
      void reconciler.stop();
    };
    return { reconciler, kill };
  }

  /** Starts a reconciler and lets it come to rest. */
  async started(more: Partial<ReconcilerParts> = {}): Promise<Reconciler> {
    const reconciler = this.reconciler(more);
    await this.clock.run(reconciler.start());
    await this.clock.advance(500);
    return reconciler;
  }
}

/** Short form of every vNIC's status: name, phase, path, reason, VF. */
export function summary(reconciler: Reconciler): string[] {
  return reconciler.vnicStatus().map(({ name, phase, path, reason, vf }) => `${name} ${phase} ${path} ${reason} ${vf ?? '-'}`);
}
