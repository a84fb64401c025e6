/** A Controller that holds what a test put into it. It proves nothing about the reconciler: `want` only writes down what was asked. */
import type { Controller, LookReport, ReconcileHealth, VnicBrief, VnicPorts } from '../../src/control/controller.js';
import type { AdapterStatus, ConditionStatus, MonitorEvent, QuotaStatus, VfStatus, VnicStatus } from '../../src/control/protocol.js';
import type { RssRequest, RssSetResult, RssStatus } from '../../src/control/rss_protocol.js';
import type { Desired, VnicPath } from '../../src/core/model.js';
import { NotInQuarantineError, RssRefusedError, UnknownNameError, UnknownVfError } from '../../src/reconcile/errors.js';

export function vnicStatus(change: Partial<VnicStatus> = {}): VnicStatus {
  return {
    name: 'g1',
    id: 1,
    mac: '52:54:00:00:00:01',
    vlan: 0,
    vlans: [0],
    access: false,
    addresses: null,
    adapter: 'nic0',
    tap: 'tap-g1',
    want: 'accelerated',
    want_source: 'policy',
    path: 'accelerated',
    phase: 'accelerated',
    reason: 'none',
    reason_text: 'accelerated',
    vf: 'vfp0',
    vf_redirect: 'xdp',
    max_rate: null,
    terms: { quota: null, priority: 0, numa_node: null },
    reservation: null,
    generation: 3,
    cut_through: { setting: 'auto', in_force: false, why: 'tap-g1 takes aggregated TCP frames, which the bridge delivers whole' },
    hash_types: ['ipv4', 'tcp_ipv4'],
    tap_queues: { queues: 4, unreachable: [], shares: [25, 25, 25, 25] },
    vf_queues: { queues: 4, unreachable: [2, 3], shares: [50, 50, 0, 0] },
    ...change,
  };
}

export function vfStatus(change: Partial<VfStatus> = {}): VfStatus {
  const origin = { vectors: null, pf: null, numa_node: null };
  return { port: 'vfp0', device: 'vf0', state: 'free', owner: null, queues: 4, ...origin, quarantine: null, lease_seconds: null, ...change };
}

export function adapterStatus(change: Partial<AdapterStatus> = {}): AdapterStatus {
  return {
    name: 'nic0',
    uplink: 'pf0',
    bridge: 'br0',
    attached: true,
    xdp_mode: 'native',
    fallback_reason: null,
    vfs: [
      vfStatus({ state: 'used', owner: 'g1' }),
      vfStatus({ port: 'vfp1', device: 'vf1' }),
    ],
    vfs_used: 1,
    vfs_limit: 8,
    queues_used: 4,
    queues_limit: 64,
    vectors_used: 0,
    vectors_limit: null,
    placement: 'pack',
    ...change,
  };
}

export function rssStatus(change: Partial<RssStatus> = {}): RssStatus {
  const shares = [64, 64].map((buckets, queue) => ({ queue, buckets, percent: 50, cpu: queue }));
  const reta = Array.from({ length: 128 }, (_, bucket) => bucket % 2);
  return {
    key: '6d5a56da'.repeat(10),
    key_source: 'default',
    key_random: true,
    key_problem: null,
    hash_types: ['ipv4', 'tcp_ipv4'],
    hash_types_source: 'default',
    vnics: [
      {
        name: 'g1',
        key: '6d5a56da'.repeat(10),
        key_source: 'default',
        hash_types: ['ipv4'],
        hash_types_source: 'operator',
        weights: null,
        weights_source: 'default',
        problems: [],
        ports: [{ role: 'tap', device: 'tap-g1', queues: 2, reta, shares, unreachable: [] }],
      },
    ],
    ...change,
  };
}

export function monitorEvent(change: Partial<MonitorEvent> = {}): MonitorEvent {
  return {
    schema: 1,
    time: '2030-01-02T03:04:05.678Z',
    monotonic_ms: 1234,
    kind: 'path',
    vnic: 'g1',
    adapter: null,
    message: 'software -> accelerated',
    fields: {},
    ...change,
  };
}

export class FakeController implements Controller {
  adapters: AdapterStatus[] = [adapterStatus()];
  vnics: VnicStatus[] = [
    vnicStatus(),
    vnicStatus({
      name: 'g2',
      id: 2,
      mac: '52:54:00:00:00:02',
      tap: 'tap-g2',
      path: 'software',
      phase: 'software',
      reason: 'no_free_vf',
      vf: null,
      vf_queues: null,
    }),
  ];
  state: ReconcileHealth = { lastReconcileAgeMs: 1500, error: null };
  rss: RssStatus = rssStatus();
  /** Answer of `want`: whether the path was reached. */
  reached = true;
  readonly calls: string[] = [];
  readonly #listeners = new Set<(event: MonitorEvent) => void>();
  readonly #lookListeners = new Set<(look: LookReport) => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  adapterStatus(): readonly AdapterStatus[] {
    return this.adapters;
  }

  quotas: QuotaStatus[] = [];

  quotaStatus(): readonly QuotaStatus[] {
    return this.quotas;
  }

  vnicStatus(): readonly VnicStatus[] {
    return this.vnics;
  }

  vnicBriefs(): Iterable<VnicBrief> {
    return this.vnics;
  }

  vnicPorts(): Iterable<VnicPorts> {
    return this.vnics.map(({ name, id, vf }) => ({ vnic: name, software: 100 + id, accelerated: vf === null ? null : 200 + id }));
  }

  health(): ReconcileHealth {
    return this.state;
  }

  vnicIds(): ReadonlyMap<number, string> {
    return new Map(this.vnics.map(({ id, name }) => [id, name]));
  }

  async want(name: string, path: VnicPath | null, waitMs: number): Promise<{ reached: boolean; vnic: VnicStatus }> {
    const vnic = this.vnics.find((each) => each.name === name);
    if (vnic === undefined)
      throw new UnknownNameError(
        name,
        this.vnics.map((each) => each.name),
      );
    this.calls.push(`want ${name} ${path} ${waitMs}`);
    return { reached: this.reached, vnic };
  }

  conditions: readonly ConditionStatus[] = [
    { name: 'wanted', holds: true, fact: 'the configuration wants the accelerated path', reason: null, remedy: null },
    { name: 'vf_pool', holds: false, fact: '0 of 2 VFs of nic0 are free', reason: 'no_free_vf', remedy: 'every VF is in use' },
    { name: 'path', holds: null, fact: 'needs a VF', reason: null, remedy: null },
  ];

  async why(name: string): Promise<{ vnic: VnicStatus; conditions: readonly ConditionStatus[] }> {
    const vnic = this.vnics.find((each) => each.name === name);
    if (vnic === undefined) throw new UnknownNameError(name, []);
    return { vnic, conditions: this.conditions };
  }

  async reserve(name: string, leaseMs: number): Promise<VnicStatus> {
    const vnic = this.vnics.find((each) => each.name === name);
    if (vnic === undefined) throw new UnknownNameError(name, []);
    this.calls.push(`reserve ${name} ${leaseMs}`);
    return leaseMs === 0 ? vnic : { ...vnic, reservation: { vf: 'vfp1', lease_seconds: leaseMs / 1000, by: 'operator' } };
  }

  async quarantine(port: string, reason: string | null): Promise<VfStatus> {
    const vf = this.adapters.flatMap(({ vfs }) => vfs).find((each) => each.port === port);
    if (vf === undefined) throw new UnknownVfError(port, ['vfp0', 'vfp1']);
    if (reason === null && vf.quarantine === null) throw new NotInQuarantineError(port);
    this.calls.push(`quarantine ${port} ${reason}`);
    return reason === null ? { ...vf, quarantine: null } : { ...vf, state: 'quarantined', quarantine: { reason, by: 'operator' } };
  }

  rssStatus(): RssStatus {
    return this.rss;
  }

  async setRss(vnic: string | null, request: RssRequest): Promise<RssSetResult> {
    if (vnic !== null && !this.vnics.some(({ name }) => name === vnic)) throw new UnknownNameError(vnic, []);
    if (request.hash_types?.includes('none') === true) throw new RssRefusedError('types: "none" is no hash type');
    this.calls.push(`setRss ${vnic} ${JSON.stringify(request)}`);
    const what = 'shares of its queues become 75 %, 25 %';
    return { dry_run: request.dry_run === true, changes: [{ vnic: 'g1', device: 'tap-g1', what, buckets_moved: 32 }], rss: this.rss };
  }

  difference(): { added: string[]; removed: string[]; changed: string[] } {
    return { added: [], removed: ['vnic g2'], changed: [] };
  }

  async setDesired(desired: Desired): Promise<{ added: string[]; removed: string[]; changed: string[] }> {
    this.calls.push('setDesired');
    return { added: desired.vnics.map(({ name }) => name), removed: [], changed: [] };
  }

  recent: readonly MonitorEvent[] = [];

  recentEvents(): readonly MonitorEvent[] {
    return this.recent;
  }

  onEvent(listener: (event: MonitorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** As if the daemon had ended: nobody is told any more. */
  forget(): void {
    this.#listeners.clear();
    this.#lookListeners.clear();
  }

  emit(event: MonitorEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  onLook(listener: (look: LookReport) => void): () => void {
    this.#lookListeners.add(listener);
    return () => void this.#lookListeners.delete(listener);
  }

  look(look: LookReport): void {
    for (const listener of this.#lookListeners) listener(look);
  }

  async start(): Promise<void> {
    this.calls.push('start');
  }

  async stop(): Promise<void> {
    this.calls.push('stop');
  }

  async down(): Promise<{ undone: string[] }> {
    this.calls.push('down');
    return { undone: ['VF vfp0 taken back from g1', 'program detached from pf0'] };
  }
}
