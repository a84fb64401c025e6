import test from 'ava';
import fc from 'fast-check';
import { AdapterError } from '../../../src/sriov/error.js';
import { no, unknown, yes } from '../../../src/sriov/fact.js';
import type { PfFacts, VfFacts } from '../../../src/sriov/facts.js';
import { type BindTarget, driftOf, type Holder, noteAgain, noteOf, planReset, planSetup, type PoolNote, type PoolPlan, type PoolStep, type PoolWish, stepText, type VfBinding } from '../../../src/sriov/pool_plan.js';
import { nicFacts, pfFacts, vfConfiguration, vfFacts } from '../../support/pf_facts.js';

const VFIO: VfBinding = { driver: 'vfio-pci', override: 'vfio-pci' };
const OWN: VfBinding = { driver: 'igbvf', override: null };
const UNBOUND: VfBinding = { driver: null, override: null };

const vf = (index: number, { driver, override }: VfBinding): VfFacts =>
  vfFacts(index, { driver: driver === null ? no('no driver is bound to it') : yes(driver), driverOverride: override });

/** A PF with VFs that are bound so. */
const pf = (bindings: readonly VfBinding[], autoprobe = true, more: Partial<PfFacts> = {}): PfFacts =>
  pfFacts({ sriov: { ...pfFacts().sriov, enabled: bindings.length, autoprobe }, vfs: bindings.map((binding, index) => vf(index, binding)), ...more });

const lines = ({ steps }: PoolPlan): string[] => steps.map((step) => stepText('eth0', step));
const holder = (index: number): Holder => ({ vf: index, pci: vfFacts(index).pci, by: 'process 7 (qemu-system-x86)' });

test('none yet: VFs are made without a driver of the host, then bound', (t) => {
  t.deepEqual(lines(planSetup(pf([]), [], { vfs: 2, driver: 'vfio-pci' }, false)), [
    'load the kernel module vfio-pci',
    'eth0: bind no driver to VFs that appear',
    'eth0: create 2 VFs',
    'eth0: bind VF 0 to vfio-pci',
    'eth0: bind VF 1 to vfio-pci',
  ]);
  t.deepEqual(lines(planSetup(pf([]), [], { vfs: 2, driver: 'kernel' }, false)), ['eth0: create 2 VFs']);
});

test('another number: all go first, and that is said', (t) => {
  const plan = planSetup(pf([OWN, OWN]), [], { vfs: 3, driver: 'kernel' }, true);
  t.deepEqual(lines(plan), ['eth0: take all 2 VFs away', 'eth0: create 3 VFs']);
  t.is(plan.effects.length, 3);
  t.regex(plan.effects[1] ?? '', /all 2 VFs go/);
  t.regex(plan.effects[2] ?? '', /no XDP program is attached yet/);
  const attached = pf([], true, { nic: yes(nicFacts({ xdp: { mode: 'native', programId: 7 } })) });
  t.is(planSetup(attached, [], { vfs: 3, driver: 'kernel' }, true).effects.length, 1);
});

test('the number is right: only drivers change', (t) => {
  t.deepEqual(lines(planSetup(pf([OWN, VFIO], false), [], { vfs: 2, driver: 'vfio-pci' }, true)), ['eth0: bind VF 0 to vfio-pci']);
  t.deepEqual(lines(planSetup(pf([OWN, VFIO, UNBOUND]), [], { vfs: 3, driver: 'kernel' }, true)), ['eth0: bind VF 1 to its own driver', 'eth0: bind VF 2 to its own driver']);
  t.deepEqual(planSetup(pf([VFIO, VFIO], false), [], { vfs: 2, driver: 'vfio-pci' }, true), { steps: [], effects: [] });
});

test('who uses a VF is not robbed of it', (t) => {
  const message = /VF 1 \(0000:01:10\.2\) by process 7 \(qemu-system-x86\)/;
  t.throws(() => planSetup(pf([VFIO, VFIO]), [holder(1)], { vfs: 3, driver: 'vfio-pci' }, true), { instanceOf: AdapterError, message });
  t.throws(() => planSetup(pf([VFIO, VFIO]), [holder(1)], { vfs: 2, driver: 'kernel' }, true), { instanceOf: AdapterError, message });
  t.throws(() => planReset(pf([VFIO, VFIO]), [holder(1)], noteOf(pf([]), { vfs: 2, driver: 'vfio-pci' })), { instanceOf: AdapterError, message });
  // What stays as it is may be used.
  t.notThrows(() => planSetup(pf([OWN, VFIO]), [holder(1)], { vfs: 2, driver: 'vfio-pci' }, true));
});

test('wishes that cannot be', (t) => {
  const plan = (facts: PfFacts, vfs: number) => () => planSetup(facts, [], { vfs, driver: 'vfio-pci' }, true);
  t.throws(plan(pf([]), 8), { message: 'eth0 can have at most 7 VFs, not 8' });
  t.throws(plan(pf([]), 0), { message: 'eth0: 0 VFs are none' });
  t.throws(plan(pf([], true, { driver: no('no driver is bound to it') }), 2), { message: 'eth0: no driver is bound to it' });
  t.throws(plan(pf([], true, { iommuGroup: no('there is no IOMMU for it') }), 2), { message: /can be given to a virtual machine: there is no IOMMU/ });
});

test('the reset after a reboot has little to do', (t) => {
  const note = noteOf(pf([]), { vfs: 7, driver: 'vfio-pci' });
  t.deepEqual(planReset(pf([]), [], note), { steps: [], effects: [] });
});

test('a number that neither was before nor was made is somebody else’s', (t) => {
  const note = noteOf(pf([OWN]), { vfs: 3, driver: 'vfio-pci' });
  t.throws(() => planReset(pf([VFIO, VFIO]), [], note), { instanceOf: AdapterError, message: /eth0 has 2 VFs: unipath made 3 of 1/ });
});

/** A VF as far as pools go: its driver, and one of its settings. */
interface PoolVf extends VfBinding {
  readonly vlan: number;
}

/** A host as far as pools go: what the steps do to it. */
interface Pool {
  readonly autoprobe: boolean;
  readonly vfs: readonly PoolVf[];
}

function bound({ autoprobe }: Pool, to: BindTarget): VfBinding {
  // With autoprobe off a VF's own driver does not take it (pci_device_can_probe()).
  if (to.kind === 'own') return autoprobe ? OWN : UNBOUND;
  return { driver: to.kind === 'none' ? null : to.driver, override: to.override };
}

function apply(pool: Pool, step: PoolStep): Pool {
  const change = (index: number, how: (vf: PoolVf) => PoolVf): Pool => ({ ...pool, vfs: pool.vfs.map((each, i) => (i === index ? how(each) : each)) });
  switch (step.kind) {
    case 'set-autoprobe':
      return { ...pool, autoprobe: step.on };
    case 'set-vfs':
      // With autoprobe new VFs get their own driver.
      return { ...pool, vfs: Array.from({ length: step.count }, () => ({ ...(pool.autoprobe ? OWN : UNBOUND), vlan: 0 })) };
    case 'bind':
      return change(step.vf, (each) => ({ ...each, ...bound(pool, step.to) }));
    case 'configure':
      return change(step.vf, (each) => ({ ...each, vlan: step.wish.vlan?.id ?? each.vlan }));
    default:
      return pool;
  }
}

const perform = (pool: Pool, plan: PoolPlan): Pool => plan.steps.reduce(apply, pool);

function facts({ autoprobe, vfs }: Pool): PfFacts {
  const plain = pf(vfs, autoprobe);
  const configured = (index: number): Partial<VfFacts> => ({ configuration: yes(vfConfiguration({ vlan: vfs[index]?.vlan ?? 0 })) });
  return { ...plain, vfs: plain.vfs.map((each) => ({ ...each, ...configured(each.index) })) };
}

const anyVf = fc.tuple(fc.constantFrom(VFIO, OWN, UNBOUND), fc.constantFrom(0, 7)).map(([binding, vlan]): PoolVf => ({ ...binding, vlan }));
const anyPool = fc.tuple(fc.boolean(), fc.array(anyVf, { maxLength: 7 })).map(([autoprobe, vfs]): Pool => ({ autoprobe, vfs }));
const anyWish = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.constantFrom('vfio-pci' as const, 'kernel' as const)).map(([vfs, driver]): PoolWish => ({ vfs, driver }));

test('whatever was there and however often it is set up: it is as wished, and the reset puts back what was before the first', (t) => {
  fc.assert(
    fc.property(anyPool, fc.array(anyWish, { minLength: 1, maxLength: 4 }), (before, wishes) => {
      let pool: Pool = before;
      let note: PoolNote | undefined;
      for (const wish of wishes) {
        note = { ...(note ?? noteOf(facts(pool), wish)), made: wish };
        pool = perform(pool, planSetup(facts(pool), [], wish, true));
        t.is(pool.vfs.length, wish.vfs);
        t.true(pool.vfs.every(({ driver }) => driver === (wish.driver === 'kernel' ? 'igbvf' : 'vfio-pci')));
        // The same once more is nothing.
        t.deepEqual(planSetup(facts(pool), [], wish, true).steps, []);
      }
      t.deepEqual(perform(pool, planReset(facts(pool), [], note as PoolNote)), before);
    }),
  );
});

const switchable = (mode: 'legacy' | 'switchdev', bindings: readonly VfBinding[], more: Partial<PfFacts> = {}): PfFacts =>
  pf(bindings, false, { driver: yes('ice'), eswitch: yes(mode), ...more });
const TO_SWITCHDEV: PoolWish = { vfs: 2, driver: 'vfio-pci', eswitch: 'switchdev' };

test('the switch changes its mode while there are no VFs, on request only, and the reset puts it back', (t) => {
  const before = switchable('legacy', [VFIO, VFIO]);
  const plan = planSetup(before, [], TO_SWITCHDEV, true);
  t.deepEqual(lines(plan), [
    'eth0: take all 2 VFs away',
    'eth0: put its switch into switchdev mode',
    'eth0: create 2 VFs',
    'eth0: bind VF 0 to vfio-pci',
    'eth0: bind VF 1 to vfio-pci',
  ]);
  t.true(plan.effects.some((effect) => effect.includes('it then switches nothing by itself')));
  t.deepEqual(lines(planSetup(before, [], { vfs: 2, driver: 'vfio-pci' }, true)), []);
  t.deepEqual(lines(planSetup(switchable('switchdev', [VFIO, VFIO]), [], TO_SWITCHDEV, true)), []);
  const note = noteOf(before, TO_SWITCHDEV);
  t.is(note.before.eswitch, 'legacy');
  t.deepEqual(lines(planReset(switchable('switchdev', [VFIO, VFIO]), [], note)).slice(0, 3), [
    'eth0: take all 2 VFs away',
    'eth0: put its switch into legacy mode',
    'eth0: create 2 VFs',
  ]);
  // After a reboot it is in its first mode again.
  t.false(lines(planReset(switchable('legacy', []), [], note)).some((line) => line.includes('switch')));
  t.regex(driftOf(switchable('legacy', [VFIO, VFIO]), note) ?? '', /put its switch into switchdev mode, and it is in legacy mode/);
});

test('the mode of before is noted when it is first changed, whatever was set up earlier', (t) => {
  const first = noteOf(switchable('legacy', []), { vfs: 2, driver: 'vfio-pci' });
  t.is(first.before.eswitch, undefined);
  const second = noteAgain(first, switchable('legacy', [VFIO, VFIO]), TO_SWITCHDEV);
  t.deepEqual([second.before.vfs, second.before.eswitch, second.made], [0, 'legacy', TO_SWITCHDEV]);
  t.is(noteAgain(second, switchable('switchdev', [VFIO]), { vfs: 1, driver: 'vfio-pci', eswitch: 'switchdev' }).before.eswitch, 'legacy');
});

test('a mode that cannot be had is refused before anything is done', (t) => {
  const igb = pf([], true, { eswitch: yes('legacy') });
  t.throws(() => planSetup(igb, [], TO_SWITCHDEV, true), { message: 'eth0: its switch cannot be put into switchdev mode: the driver igb knows the legacy mode only' });
  t.throws(() => planSetup(switchable('legacy', [], { eswitch: unknown('devlink is not there') }), [], TO_SWITCHDEV, true), { message: /cannot be told: devlink is not there/ });
  const held = () => planSetup(switchable('legacy', [VFIO, VFIO]), [holder(1)], TO_SWITCHDEV, true);
  t.throws(held, { instanceOf: AdapterError, message: /VF 1 \(0000:01:10\.2\) by process 7/ });
});
