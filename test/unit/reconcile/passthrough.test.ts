/** VFs behind the adapter's own switch, given to virtual machines with net_failover. */
import test from 'ava';
import { PARKING_VLAN } from '../../../src/core/adapter_vf.js';
import { DEFAULT_TERMS } from '../../../src/core/model.js';
import { Site, summary, vfSpec, vnicSpec } from '../../support/fake_site.js';

const VF0 = vfSpec(0, 'passthrough').device;
const MAC = vnicSpec(1).mac;
const QUESTION = '02:00:00:01:00:01';

const site = (more: ConstructorParameters<typeof Site>[0] = {}): Site => new Site({ guests: 1, vfs: 2, passthrough: true, ...more });

/** Who gets a frame to the guest: the adapter goes by address and VLAN. */
function hearers({ host, adapters }: Site): string {
  const { mac, vlan } = adapters.at(VF0);
  return [host.hasOwn('pf0', MAC) ? 'host' : '', mac === MAC && vlan === 0 ? 'VF' : ''].filter(Boolean).join(' and ');
}

/** Without repetitions, from the moment on that this is called. */
function watch(world: Site): string[] {
  const heard: string[] = [];
  world.faults.onCall = () => {
    const now = hearers(world);
    if (heard.at(-1) !== now) heard.push(now);
  };
  return heard;
}

const told = ({ faults: { calls } }: Site, from = 0): string[] =>
  calls.slice(from).filter((call) => /^(lend|admit|park|giveBack|plug|eject|unplug|hold|release) | self$/.test(call));

test('given: parked until the guest is heard there; then it hears, what waited is delivered, and the host gives the address up', async (t) => {
  const world = site();
  const heard = watch(world);
  const reconciler = await world.started();
  t.deepEqual(summary(reconciler), [`g1 accelerated accelerated none ${VF0}`]);
  t.deepEqual(told(world), [
    `addFdb ${MAC} 0 pf0 self`,
    `lend pf0 ${VF0} ${MAC}`,
    `addFdb ${QUESTION} 0 pf0 self`,
    'hold 1',
    `plug vm-g1/${MAC} ${VF0}`,
    `admit pf0 ${VF0} 0`,
    'release 1 accelerated',
    `deleteFdb ${MAC} 0 pf0 self`,
    `deleteFdb ${QUESTION} 0 pf0 self`,
  ]);
  t.deepEqual(heard, ['', 'host', 'host and VF', 'VF']);
  t.deepEqual(world.faults.violations, []);
});

test('whether it is idle nobody sees, so that it is not taken for one of higher priority', async (t) => {
  const world = site({ guests: 2, vfs: 1, rules: { idleMs: 5_000 }, terms: (guest) => ({ ...DEFAULT_TERMS, priority: guest }) });
  const reconciler = world.reconciler();
  await world.clock.run(reconciler.start());
  await world.clock.run(reconciler.want('g2', 'software', 1000));
  await world.clock.advance(500);
  await world.clock.run(reconciler.want('g2', null, 0));
  await world.clock.advance(60_000);
  t.deepEqual(summary(reconciler), [`g1 accelerated accelerated none ${VF0}`, 'g2 software software no_free_vf -']);
});

test('taken back: the host hears before the VF no more does, and it is as it was when the guest has let go', async (t) => {
  const world = site();
  const reconciler = await world.started();
  const from = world.faults.calls.length;
  const heard = watch(world);
  await world.clock.run(reconciler.want('g1', 'software', 5000));
  await world.clock.advance(500);
  t.deepEqual(summary(reconciler), ['g1 software software operator_software -']);
  t.deepEqual(told(world, from), [
    `addFdb ${MAC} 0 pf0 self`,
    'hold 1',
    `park pf0 ${VF0}`,
    `eject vm-g1/${MAC} ${VF0}`,
    'release 1 software',
    `giveBack pf0 ${VF0}`,
  ]);
  t.deepEqual(heard, ['VF', 'host and VF', 'host']);
  t.like(world.adapters.at(VF0), { mac: null, vlan: 0, settings: {}, before: null });
  t.deepEqual(world.faults.violations, []);
});

test('a guest goes elsewhere, and its machine stays with the VF: that one swallows nothing meanwhile, and is given back at the end', async (t) => {
  const world = site();
  const reconciler = await world.started();
  const guest = `vm-g1/${MAC}`;
  world.hypervisor.departed.add(guest);
  await world.clock.advance(10_000);
  t.regex(summary(reconciler).join(), /^g1 absent software guest_missing -$/);
  t.like(world.adapters.at(VF0), { mac: null, before: { mac: null } });
  t.is(hearers(world), '');
  t.is(world.faults.calls.filter((call) => call.startsWith('takeAddress')).length, 1);
  world.hypervisor.departed.delete(guest);
  world.hypervisor.end(guest);
  world.host.addLink(VF0);
  await world.clock.advance(10_000);
  t.is(world.adapters.at(VF0).before, null);
});

test('down puts everything back', async (t) => {
  const world = site();
  const before = world.host.snapshot();
  const reconciler = await world.started();
  await world.clock.run(reconciler.down());
  t.deepEqual(world.host.snapshot(), before);
  t.like(world.adapters.at(VF0), { mac: null, vlan: 0, before: null });
});

test('limits of the vNIC are set with the address', async (t) => {
  const world = site({ vf: { spoofCheck: true, maxRate: 100 } });
  await world.started();
  t.deepEqual(world.adapters.at(VF0).settings, { spoofCheck: true, maxRate: 100 });
  // What is said of the guest on either path holds where nothing is said of its VF.
  const limited = site({ vf: { trust: true }, vnic: { maxRate: 300 } });
  await limited.started();
  t.deepEqual(limited.adapters.at(VF0).settings, { trust: true, maxRate: 300 });
});

test('a guest that is never heard there is not let hear, and the VF goes back', async (t) => {
  const world = site();
  world.hypervisor.silent.add(`vm-g1/${MAC}`);
  const heard = watch(world);
  const reconciler = await world.started();
  t.deepEqual(summary(reconciler), [`g1 plugging software plugging ${VF0}`]);
  await world.clock.advance(12_000);
  t.true(world.faults.calls.includes(`giveBack pf0 ${VF0}`));
  t.deepEqual(heard, ['', 'host']);
  t.deepEqual(world.faults.violations, []);
});

test('a VF that the adapter does not let hear is taken back', async (t) => {
  const world = site();
  world.faults.decide = (call) => (call.startsWith('admit') ? 'before' : null);
  const reconciler = await world.started();
  await world.clock.advance(300);
  t.true(world.faults.calls.includes(`eject vm-g1/${MAC} ${VF0}`));
  world.faults.decide = () => null;
  await world.clock.advance(40_000);
  t.regex(summary(reconciler).join(), /^g1 accelerated accelerated none /);
});

test('a daemon that dies at any step leaves what the next one goes on with', async (t) => {
  const steps = await (async () => {
    const world = site();
    await world.started();
    return world.faults.calls.length;
  })();
  for (let dies = 1; dies < steps; dies++) {
    const world = site();
    const { reconciler, kill } = world.killable({ adapters: world.adapters });
    world.faults.onCall = () => void (world.faults.calls.length === dies && kill());
    await world.clock.run(reconciler.start());
    await world.clock.advance(500);
    world.faults.onCall = () => undefined;
    const next = await world.started();
    await world.clock.advance(60_000);
    t.regex(summary(next).join(), /^g1 accelerated accelerated none /, `died after ${world.faults.calls[dies - 1]}`);
    t.is(hearers(world).includes('host'), world.adapters.at(VF0).mac !== MAC, `died after ${world.faults.calls[dies - 1]}`);
    await world.clock.run(next.down());
    t.like(world.adapters.at(VF0), { mac: null, vlan: 0, before: null }, `died after ${world.faults.calls[dies - 1]}`);
    t.deepEqual(world.faults.violations, []);
  }
});

test('a VF that somebody moved to another VLAN is put back', async (t) => {
  const world = site();
  await world.started();
  world.adapters.meddle(VF0, 99);
  await world.clock.advance(10_000);
  t.is(world.adapters.at(VF0).vlan, 0);
});

test('the bridge has the address where the guest is heard: by the uplink while it is on its VF, and before its frames are kept back by its tap', async (t) => {
  const world = site();
  const reconciler = await world.started();
  await world.clock.advance(3_000);
  t.is(world.host.portOf(MAC), 'pf0');
  const from = world.faults.calls.length;
  await world.clock.advance(60_000);
  t.false(world.faults.calls.slice(from).some((call) => call.startsWith('addFdb')));
  await world.clock.run(reconciler.want('g1', 'software', 5000));
  const calls = world.faults.calls.slice(from);
  const tapEntry = calls.findIndex((call) => call === `addFdb ${MAC} 0 ${vnicSpec(1).tap}`);
  t.true(tapEntry >= 0 && tapEntry < calls.indexOf('hold 1'), calls.join('\n'));
  t.is(world.host.portOf(MAC), vnicSpec(1).tap);
});

for (const [title, restarts] of [['', false], [' while no daemon runs', true]] as const) {
  test(`a machine that ends on its VF${title} leaves nothing in the bridge`, async (t) => {
    const world = site();
    const { reconciler, kill } = world.killable({ adapters: world.adapters });
    await world.clock.run(reconciler.start());
    await world.clock.advance(3_000);
    t.is(world.host.portOf(MAC), 'pf0');
    if (restarts) kill();
    world.hypervisor.end(`vm-g1/${MAC}`);
    world.host.addLink(VF0);
    world.host.removeLink(vnicSpec(1).tap);
    const last = restarts ? await world.started() : reconciler;
    await world.clock.advance(20_000);
    t.regex(summary(last).join(), /^g1 absent /);
    t.is(world.host.portOf(MAC), null);
    t.false(world.host.hasOwn('pf0', MAC));
    t.is(world.adapters.at(VF0).before, null);
  });
}

test('addresses of vNICs without a VF are the PF\'s own', async (t) => {
  const world = site({ guests: 3, vfs: 1 });
  await world.started();
  t.deepEqual([1, 2, 3].map((n) => world.host.hasOwn('pf0', vnicSpec(n).mac)), [false, true, true]);
});

test('an entry that was there before stays', async (t) => {
  const world = site();
  world.host.addStaticFdb({ mac: MAC, vlan: 0, device: 'pf0', self: true });
  const reconciler = await world.started();
  t.deepEqual(summary(reconciler), [`g1 accelerated accelerated none ${VF0}`]);
  await world.clock.run(reconciler.down());
  t.true(world.host.hasOwn('pf0', MAC));
});

for (const [title, more] of [['tags its frames itself', { vlans: [7] }], ['is in the VLAN where VFs are parked', { vlans: [PARKING_VLAN], access: true }]] as const) {
  test(`a guest that ${title} gets none, and that is said`, async (t) => {
    const world = site({ vnic: more });
    world.host.change('br0', { vlanFiltering: true });
    const reconciler = await world.started();
    t.regex(summary(reconciler).join(), /^g1 software software vf_unfit -$/);
  });
}
