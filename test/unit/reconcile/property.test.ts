import test from 'ava';
import fc from 'fast-check';
import { guestName, type Desired } from '../../../src/core/model.js';
import type { Reconciler } from '../../../src/reconcile/reconciler.js';
import { Site, summary, vfSpec } from '../../support/fake_site.js';

/** What befalls a host; `wait` lets time pass between. */
type Event =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'want'; readonly guest: number; readonly path: 'software' | 'accelerated' | null }
  | { readonly kind: 'lose-vf' | 'make-vf' | 'cut-vf' | 'mend-vf'; readonly vf: number }
  | {
      readonly kind: 'lose-tap' | 'make-tap' | 'tap-down' | 'tap-up' | 'end-guest' | 'start-guest' | 'silence' | 'speak' | 'fall-back';
      readonly guest: number;
    }
  | { readonly kind: 'unreachable' | 'reachable' | 'reset'; readonly guest: number }
  | { readonly kind: 'configure'; readonly guests: readonly boolean[] }
  | { readonly kind: 'lose-uplink' | 'make-uplink' | 'uplink-down' | 'uplink-up' | 'foreign' | 'own' | 'restart' }
  | { readonly kind: 'fail'; readonly every: number; readonly moment: 'before' | 'after' }
  | { readonly kind: 'work' };

const GUESTS = 3;
const VFS = 2;
const LIMITS = { vfs: 2, queues: 5 };

const guest = fc.integer({ min: 1, max: GUESTS });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 7, 25, 60, 300, 1200, 4000) }) },
  fc.record({ kind: fc.constant('want' as const), guest, path: fc.constantFrom('software' as const, 'accelerated' as const, null) }),
  fc.record({
    kind: fc.constantFrom('lose-vf' as const, 'make-vf' as const, 'cut-vf' as const, 'mend-vf' as const),
    vf: fc.integer({ min: 0, max: VFS - 1 }),
  }),
  fc.record({
    kind: fc.constantFrom(
      ...(['lose-tap', 'make-tap', 'tap-down', 'tap-up', 'end-guest', 'start-guest', 'silence', 'speak', 'fall-back'] as const),
    ),
    guest,
  }),
  fc.record({ kind: fc.constantFrom('unreachable' as const, 'reachable' as const, 'reset' as const), guest }),
  fc.record({ kind: fc.constant('configure' as const), guests: fc.array(fc.boolean(), { minLength: GUESTS, maxLength: GUESTS }) }),
  fc.record({
    kind: fc.constantFrom(...(['lose-uplink', 'make-uplink', 'uplink-down', 'uplink-up', 'foreign', 'own', 'restart'] as const)),
  }),
  fc.record({
    kind: fc.constant('fail' as const),
    every: fc.integer({ min: 1, max: 12 }),
    moment: fc.constantFrom('before' as const, 'after' as const),
  }),
  fc.constant({ kind: 'work' as const }),
);

class World {
  readonly site: Site;
  readonly before: unknown;
  desired: Desired;
  reconciler: Reconciler;
  kill: () => void = () => undefined;

  /** @param machines guests are virtual machines that are asked whether they have the plug-in */
  constructor(machines: boolean) {
    this.site = new Site({ guests: GUESTS, vfs: VFS, vfQueues: 2, limits: LIMITS, machines });
    this.before = this.site.host.snapshot();
    this.desired = this.site.desired;
    this.reconciler = this.site.reconciler();
    this.site.hypervisor.onMove = () => {
      const held = this.site.hypervisor.allHeld().length;
      if (held > LIMITS.vfs || held * 2 > LIMITS.queues) this.site.faults.violate(`${held} VFs handed out`);
    };
    this.site.faults.onCall = () => this.check();
  }

  /** What must hold at every instant. */
  check(): void {
    const { site } = this;
    for (const netns of this.site.desired.vnics.map((vnic) => guestName(vnic.guest))) {
      if (site.hypervisor.held(netns).length > 1) site.faults.violate(`${netns} holds two VFs`);
    }
    const owners = new Map<string, string>();
    for (const { name, vf } of this.reconciler.vnicStatus()) {
      if (vf === null) continue;
      if (owners.has(vf)) site.faults.violate(`${vf} belongs to ${owners.get(vf)} and ${name}`);
      owners.set(vf, name);
    }
    for (const [id, row] of site.dataPlane.vnics()) {
      if (row.vfIfindex === 0 && site.dataPlane.path(id).path === 'accelerated')
        site.faults.violate(`vNIC ${id} is accelerated without a VF`);
    }
    for (const adapter of this.reconciler.adapterStatus()) {
      if (adapter.vfs_used > adapter.vfs_limit || adapter.queues_used > adapter.queues_limit)
        site.faults.violate('more used than the limit');
    }
  }

  async start(): Promise<void> {
    ({ reconciler: this.reconciler, kill: this.kill } = this.site.killable({ desired: this.desired }));
    void this.reconciler.start();
    await this.site.clock.advance(5);
  }

  async befall(event: Event): Promise<void> {
    const { site } = this;
    const { host, hypervisor, clock, faults } = site;
    const vnic = 'guest' in event ? site.desired.vnics[event.guest - 1] : undefined;
    const netns = vnic === undefined ? '' : guestName(vnic.guest);
    const tap = vnic?.tap ?? '';
    const spec = site.adapter.vfs['vf' in event ? event.vf : 0] ?? vfSpec(0);
    switch (event.kind) {
      case 'wait':
        return clock.advance(event.ms);
      case 'want':
        // A name that is not configured just now is refused.
        this.reconciler.want(vnic?.name ?? '', event.path, 0).catch(() => undefined);
        return;
      case 'lose-vf':
        return hypervisor.destroyVf(spec);
      case 'make-vf':
        if (!host.has(spec.port) && !host.has(spec.device)) site.addVf(spec);
        return;
      case 'cut-vf':
      case 'mend-vf':
        if (host.has(spec.port)) host.change(spec.port, { cut: event.kind === 'cut-vf' });
        return;
      case 'lose-uplink':
        return host.removeLink('pf0');
      case 'make-uplink':
        if (!host.has('pf0')) host.addLink('pf0', { bridge: 'br0' });
        return;
      case 'uplink-down':
      case 'uplink-up':
        if (host.has('pf0')) host.change('pf0', { up: event.kind === 'uplink-up' });
        return;
      case 'foreign':
        for (const name of ['pf0', 'tap-g1', 'vfp0']) site.dataPlane.foreign.add(name);
        return;
      case 'own':
        return site.dataPlane.foreign.clear();
      case 'lose-tap':
        return host.removeLink(tap);
      case 'make-tap':
        if (!host.has(tap)) host.addLink(tap, { bridge: 'br0', kind: 'tun', queues: 2 });
        return;
      case 'tap-down':
      case 'tap-up':
        if (host.has(tap)) host.change(tap, { up: event.kind === 'tap-up' });
        return;
      case 'end-guest':
        return hypervisor.end(netns);
      case 'start-guest':
        return hypervisor.start(netns);
      case 'silence':
        return void hypervisor.silent.add(netns);
      case 'speak':
        return void hypervisor.silent.delete(netns);
      case 'unreachable':
        return void hypervisor.unreachable.add(netns);
      case 'reachable':
        return void hypervisor.unreachable.delete(netns);
      case 'reset':
        return hypervisor.reset(`vm-g${event.guest}`);
      case 'fall-back':
        return hypervisor.fallBack(vnic?.mac ?? '');
      case 'configure':
        this.desired = { ...site.desired, vnics: site.desired.vnics.filter((_, index) => event.guests[index]) };
        void this.reconciler.setDesired(this.desired);
        return;
      case 'restart':
        // Whoever is killed does nothing more, not even the rest of what it was doing.
        this.kill();
        return this.start();
      case 'fail':
        faults.decide = (_, index) => (index % event.every === 0 ? event.moment : null);
        return;
      case 'work':
        faults.decide = () => null;
        return;
      default:
        return event satisfies never;
    }
  }

  /** Everything is well again, and asked for again. */
  async calm(): Promise<void> {
    const { site } = this;
    site.faults.decide = () => null;
    site.hypervisor.silent.clear();
    site.hypervisor.unreachable.clear();
    site.dataPlane.foreign.clear();
    for (const { port, quarantine } of this.reconciler.adapterStatus().flatMap(({ vfs }) => vfs)) {
      if (quarantine !== null) await site.clock.run(this.reconciler.quarantine(port, null));
    }
    if (!site.host.has('pf0')) site.host.addLink('pf0', { bridge: 'br0' });
    site.host.change('pf0', { up: true });
    for (const spec of site.adapter.vfs) {
      const half = site.host.has(spec.port) !== (site.host.has(spec.device) || site.hypervisor.allHeld().includes(spec.device));
      if (half) site.hypervisor.destroyVf(spec);
      if (!site.host.has(spec.port)) site.addVf(spec);
      site.host.change(spec.port, { cut: false });
    }
    for (const { tap, guest } of site.desired.vnics) {
      site.hypervisor.start(guestName(guest));
      if (!site.host.has(tap)) site.host.addLink(tap, { bridge: 'br0', kind: 'tun', queues: 2 });
      site.host.change(tap, { up: true });
    }
    this.desired = site.desired;
    await site.clock.run(this.reconciler.setDesired(this.desired));
    for (const { name } of site.desired.vnics) await site.clock.run(this.reconciler.want(name, null, 0));
    await site.clock.advance(90_000);
    // A guest that fell back uses its VF again.
    for (const id of site.dataPlane.vnics().keys()) site.dataPlane.guestTransmits(id, 'vf');
    await site.clock.advance(1000);
  }
}

test('whatever befalls a host: invariants hold, it converges, and down leaves it as it was', async (t) => {
  t.timeout(280_000);
  const runs = Number(process.env['UNIPATH_PROPERTY_RUNS'] ?? 60);
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(event, { maxLength: 40 }), async (machines, events) => {
      const world = new World(machines);
      await world.start();
      for (const one of events) await world.befall(one);
      await world.calm();
      const { site, reconciler } = world;
      const states = summary(reconciler);
      const accelerated = states.filter((state) => state.includes(' accelerated accelerated none '));
      if (accelerated.length !== VFS) throw new Error(`not converged: ${states.join(' | ')}`);
      if (!states.every((state) => state.includes(' none ') || / software software (no_free_vf|vf_budget_exhausted) -$/.test(state)))
        throw new Error(states.join(' | '));
      const calls = site.faults.calls.length;
      await site.clock.advance(10_000);
      if (site.faults.calls.length !== calls) throw new Error(`still acting: ${site.faults.calls.slice(calls).join(' | ')}`);

      // A daemon that comes to a host that is as it should be does nothing at all.
      world.kill();
      await world.start();
      await site.clock.advance(10_000);
      if (site.faults.calls.length !== calls) throw new Error(`adopting acted: ${site.faults.calls.slice(calls).join(' | ')}`);
      if (summary(world.reconciler).join() !== states.join()) throw new Error(`adopted ${summary(world.reconciler).join(' | ')}`);

      await site.clock.run(world.reconciler.down());
      t.deepEqual(site.host.snapshot(), world.before);
      if (site.faults.violations.length > 0) throw new Error(site.faults.violations.join(' | '));
    }),
    { numRuns: runs, includeErrorInReport: true },
  );
  t.pass();
});
