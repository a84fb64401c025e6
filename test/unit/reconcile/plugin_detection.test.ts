import test from 'ava';
import type { MonitorEvent } from '../../../src/control/protocol.js';
import { Site, summary } from '../../support/fake_site.js';

const machine = { guests: 1, vfs: 1, machines: true };
const GUEST = 'vm-g1/52:54:00:00:00:01';
const WITHOUT = 'g1 software software guest_without_failover -';
const ON_VF = 'g1 accelerated accelerated none vfp0';

test('a machine whose plug-in answers is given a VF at once', async (t) => {
  const site = new Site(machine);
  const events: MonitorEvent[] = [];
  const reconciler = site.reconciler();
  reconciler.onEvent((event) => events.push(event));
  await site.clock.run(reconciler.start());
  await site.clock.advance(300);
  t.deepEqual(summary(reconciler), [ON_VF]);
  t.is(events.filter(({ kind }) => kind === 'guest').length, 1);
  t.is(events.filter(({ kind }) => kind === 'hold').length, 0);
  t.true(site.dataPlane.vnics().get(1)?.plugin);
  // One that has its VF is not asked any more.
  const asked = site.hypervisor.asked.get(GUEST);
  await site.clock.advance(10_000);
  t.is(site.hypervisor.asked.get(GUEST), asked);
  const software = await site.clock.run(reconciler.want('g1', 'software', 5000));
  t.true(software.reached);
  t.deepEqual(site.faults.violations, []);
});

test('one that does not answer stays on its tap, and is asked at every look without a word', async (t) => {
  const site = new Site(machine);
  site.hypervisor.silent.add(GUEST);
  const reconciler = await site.started();
  t.deepEqual(summary(reconciler), [WITHOUT]);
  const events: MonitorEvent[] = [];
  reconciler.onEvent((event) => events.push(event));
  const asked = site.hypervisor.asked.get(GUEST) ?? 0;
  await site.clock.advance(20_000);
  const more = (site.hypervisor.asked.get(GUEST) ?? 0) - asked;
  t.true(more >= 9 && more <= 11, `${more} times in 20 s`);
  t.deepEqual(events, []);
  // The plug-in is started.
  site.hypervisor.silent.delete(GUEST);
  await site.clock.advance(2300);
  t.deepEqual(summary(reconciler), [ON_VF]);
});

test('nobody is asked who shall be on the software path', async (t) => {
  const site = new Site({ ...machine, policy: 'software' });
  const reconciler = await site.started();
  await site.clock.advance(5000);
  t.is(site.hypervisor.asked.get(GUEST), undefined);
  const { reached } = await site.clock.run(reconciler.want('g1', 'accelerated', 1000));
  t.true(reached);
});

test('a plug-in that ended, or whose machine was reset, is forgotten', async (t) => {
  const site = new Site({ ...machine, vfs: 0 });
  const reconciler = await site.started();
  const NO_VF = 'g1 software software adapter_without_vfs -';
  t.deepEqual(summary(reconciler), [NO_VF]);
  await site.clock.advance(20_000);
  t.deepEqual(summary(reconciler), [NO_VF]);
  site.hypervisor.silent.add(GUEST);
  await site.clock.advance(3000);
  t.deepEqual(summary(reconciler), [NO_VF], 'one question without an answer says nothing');
  await site.clock.advance(7000);
  t.deepEqual(summary(reconciler), [WITHOUT]);

  site.hypervisor.silent.delete(GUEST);
  await site.clock.advance(2500);
  t.deepEqual(summary(reconciler), [NO_VF]);
  site.hypervisor.silent.add(GUEST);
  site.hypervisor.reset('vm-g1');
  await site.clock.advance(100);
  t.deepEqual(summary(reconciler), [WITHOUT]);

  site.hypervisor.silent.delete(GUEST);
  await site.clock.advance(2500);
  t.deepEqual(summary(reconciler), [NO_VF]);
  site.hypervisor.silent.add(GUEST);
  site.hypervisor.end(GUEST);
  await site.clock.advance(2500);
  site.hypervisor.start(GUEST);
  await site.clock.advance(2500);
  t.deepEqual(summary(reconciler), [WITHOUT], 'the machine came back without a plug-in');
});

test('an answer that nobody asked for says nothing', async (t) => {
  const site = new Site({ ...machine, policy: 'software' });
  const reconciler = await site.started();
  const events: MonitorEvent[] = [];
  reconciler.onEvent((event) => events.push(event));
  site.dataPlane.guestObeys(1, 'resumed', 7);
  await site.clock.advance(100);
  t.deepEqual(events, []);
});
