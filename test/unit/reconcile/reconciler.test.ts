import test from 'ava';
import type { LookReport } from '../../../src/control/controller.js';
import type { MonitorEvent } from '../../../src/control/protocol.js';
import type { Desired } from '../../../src/core/model.js';
import { NotUndoneError, UnknownNameError } from '../../../src/reconcile/errors.js';
import type { Reconciler } from '../../../src/reconcile/reconciler.js';
import { Site, summary, vfSpec, vnicSpec } from '../../support/fake_site.js';

const one = { guests: 1, vfs: 1 };
const ON_VF = 'g1 accelerated accelerated none vfp0';

function without(desired: Desired, name: string): Desired {
  return { ...desired, vnics: desired.vnics.filter((vnic) => vnic.name !== name) };
}

/** Milliseconds until `isTrue`, in steps of one. */
async function msUntil(site: Site, isTrue: () => boolean): Promise<number> {
  for (let ms = 0; ms < 60_000; ms++) {
    if (isTrue()) return ms;
    await site.clock.advance(1);
  }
  return Number.POSITIVE_INFINITY;
}

test('vNICs are given their rows and VFs, and their guests move', async (t) => {
  const site = new Site();
  const reconciler = await site.started();
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0', 'g2 accelerated accelerated none vfp1']);
  t.deepEqual(
    reconciler
      .adapterStatus()
      .map(({ attached, vfs_used, queues_used, vfs }) => ({ attached, vfs_used, queues_used, owners: vfs.map((vf) => vf.owner) })),
    [{ attached: true, vfs_used: 2, queues_used: 4, owners: ['g1', 'g2'] }],
  );
  t.deepEqual(
    [...reconciler.vnicIds()],
    [
      [1, 'g1'],
      [2, 'g2'],
    ],
  );
  t.deepEqual(site.faults.violations, []);
});

test('bringing up a vNIC is these calls, in this order', async (t) => {
  const site = new Site(one);
  await site.started();
  t.deepEqual(site.faults.calls, [
    'attach steer_uplink pf0',
    'writeTxPort pf0 true',
    'writeVnic 1 vf=null',
    'writePort tap-g1 1',
    'writeSteering 1 tap 2',
    'addFdb 52:54:00:00:00:01 0 tap-g1',
    'attach steer_guest tap-g1',
    'writeTxPort tap-g1 true',
    'writePort vfp0 1',
    'setLink vfp0 {"bridge":"br0"}',
    'setBridgePortFlags vfp0',
    'setLink vfp0 {"up":true}',
    'attach steer_guest vfp0',
    'writeSteering 1 vf 2',
    'writeTxPort vfp0 true',
    'writeVnic 1 vf=vfp0',
    'changePath 1 {"vfAllowed":true}',
    'plug ns-g1 vf0',
  ]);
});

test('the operator takes a vNIC to software and back; nothing of the VF is left in between', async (t) => {
  const site = new Site(one);
  const before = site.host.snapshot() as { flags: unknown };
  const reconciler = await site.started();
  const calls = site.faults.calls.length;
  const software = await site.clock.run(reconciler.want('g1', 'software', 5000));
  t.true(software.reached);
  t.deepEqual([software.vnic.reason, software.vnic.want_source, software.vnic.vf], ['operator_software', 'operator', null]);
  t.deepEqual((site.host.snapshot() as { flags: unknown }).flags, before.flags);
  t.deepEqual(site.faults.calls.slice(calls), [
    'writeVnic 1 vf=vfp0', // the wish
    'changePath 1 {"path":"software","vfAllowed":false}',
    'unplug ns-g1 vf0',
    'writeVnic 1 vf=null',
    'writeSteering 1 vf null',
    'writeTxPort vfp0 false',
    'detach vfp0',
    'setLink vfp0 {"up":false}',
    'setLink vfp0 {"bridge":null}',
    'writePort vfp0 null',
  ]);
  const back = await site.clock.run(reconciler.want('g1', 'accelerated', 5000));
  t.true(back.reached);
  t.deepEqual(summary(reconciler), [ON_VF]);
  t.is(site.dataPlane.vnics().get(1)?.operatorWant, 'accelerated');
  const auto = await site.clock.run(reconciler.want('g1', null, 5000));
  t.deepEqual([auto.reached, auto.vnic.want_source], [true, 'policy']);
  await site.clock.advance(100);
  t.is(site.dataPlane.vnics().get(1)?.operatorWant, null);
  t.deepEqual(site.faults.violations, []);
});

test('between the guest’s answer and the unplugging the rings get their time to run empty', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  const times = new Map<string, number>();
  site.faults.onCall = (call) => void times.set(call.split(' ')[0] ?? '', site.clock.nowMs());
  const events: MonitorEvent[] = [];
  reconciler.onEvent((event) => events.push(event));
  await site.clock.run(reconciler.want('g1', 'software', 5000));
  const waited = (times.get('unplug') ?? 0) - (times.get('changePath') ?? 0);
  t.true(waited >= 250 + 20 && waited < 290, `${waited} ms, 20 of them for the move itself`);
  t.deepEqual(
    events.filter(({ kind }) => kind === 'phase').map(({ fields }) => fields['phase']),
    ['draining', 'software'],
  );
  t.deepEqual(
    events.filter(({ kind }) => kind === 'path').map(({ fields }) => fields['by']),
    ['host'],
  );
});

test('waiting is optional, and ends', async (t) => {
  const site = new Site({ ...one, vfs: 0 });
  const reconciler = await site.started();
  t.false((await reconciler.want('g1', 'accelerated', 0)).reached);
  const started = site.clock.nowMs();
  const { reached, vnic } = await site.clock.run(reconciler.want('g1', 'accelerated', 700));
  t.deepEqual([reached, vnic.reason], [false, 'adapter_without_vfs']);
  t.true(site.clock.nowMs() - started < 720);
});

test('the last events are kept, and no more than that', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  t.true(reconciler.recentEvents().some(({ kind, vnic }) => kind === 'path' && vnic === 'g1'));
  for (let i = 0; i < 120; i++) await site.clock.run(reconciler.want('g1', i % 2 === 0 ? 'software' : 'accelerated', 0));
  t.true(reconciler.recentEvents().length <= 200);
  t.regex(reconciler.recentEvents().findLast(({ kind }) => kind === 'config')?.message ?? '', /wants g1 on the accelerated path$/);
});

test('why a vNIC is on its path: of what was seen last, and of the maps as they are now', async (t) => {
  const site = new Site({ guests: 2, vfs: 1 });
  const reconciler = await site.started();
  const notHolding = async (name: string): Promise<string[]> =>
    (await reconciler.why(name)).conditions.filter(({ holds }) => holds === false).map(({ name: condition, reason }) => `${condition} ${reason}`);
  t.deepEqual(await notHolding('g1'), []);
  t.deepEqual(await notHolding('g2'), ['vf_pool no_free_vf']);
  await site.clock.run(reconciler.want('g1', 'software', 5000));
  t.deepEqual(await notHolding('g1'), ['wanted operator_software', 'vf_pool no_free_vf']);
  t.is((await reconciler.why('g1')).vnic.path, 'software');
  await t.throwsAsync(reconciler.why('g9'), { instanceOf: UnknownNameError });
});

test('a name that is not configured', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  const error = await t.throwsAsync(reconciler.want('g2', 'software', 0), { instanceOf: UnknownNameError });
  t.like(error, { message: 'there is no vNIC "g2"', hint: 'did you mean "g1"?' });
});

test('a converged host is adopted without a single call, and stays so', async (t) => {
  const site = new Site({ guests: 3, vfs: 2 });
  const first = await site.started();
  await first.stop();
  const calls = site.faults.calls.length;
  const second = await site.started();
  await site.clock.advance(20_000);
  t.deepEqual(site.faults.calls.slice(calls), []);
  t.deepEqual(summary(second), summary(first));
  t.deepEqual(second.health().error, null);
});

test('the operator’s wish outlives the daemon', async (t) => {
  const site = new Site(one);
  const first = await site.started();
  await site.clock.run(first.want('g1', 'software', 5000));
  await site.clock.advance(100);
  await first.stop();
  t.deepEqual(summary(await site.started()), ['g1 software software operator_software -']);
});

test('a VF that dies is left at once, and the one made in its place is used', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  site.hypervisor.destroyVf(vfSpec(0));
  const ms = await msUntil(site, () => site.dataPlane.path(1).path === 'software');
  t.true(ms <= 10, `${ms} ms`);
  await site.clock.advance(1000);
  t.deepEqual(summary(reconciler), ['g1 software software vf_lost -']);
  t.is(reconciler.adapterStatus()[0]?.vfs[0]?.state, 'lost');
  t.is(site.dataPlane.vnics().get(1)?.vfIfindex, 0);
  site.addVf(vfSpec(0));
  const again = await msUntil(site, () => summary(reconciler)[0] === ON_VF);
  t.true(again < 200, `${again} ms`);
  t.deepEqual(site.faults.violations, []);
});

test('a VF that dies is left at once, however slow guests are to be asked, and whenever it dies', async (t) => {
  for (let offsetMs = 0; offsetMs <= 3000; offsetMs += 150) {
    const site = new Site(one);
    await site.started();
    site.hypervisor.answerMs = 400;
    // Past what is remembered of the guest; from then on looks are slow, and one may be under way.
    await site.clock.advance(12_000 + offsetMs);
    site.hypervisor.destroyVf(vfSpec(0));
    const ms = await msUntil(site, () => site.dataPlane.path(1).path === 'software');
    t.true(ms <= 10, `${ms} ms at offset ${offsetMs}`);
  }
});

test('a look that saw the links as they were does not allow again what was forbidden since', async (t) => {
  for (let offsetMs = 0; offsetMs <= 3000; offsetMs += 150) {
    const site = new Site(one);
    await site.started();
    site.hypervisor.answerMs = 400;
    await site.clock.advance(12_000 + offsetMs);
    site.host.change('vfp0', { cut: true });
    const ms = await msUntil(site, () => site.dataPlane.path(1).path === 'software');
    t.true(ms <= 10, `${ms} ms at offset ${offsetMs}`);
    const calls = site.faults.calls.length;
    await msUntil(site, () => site.hypervisor.allHeld().length === 0);
    t.deepEqual(
      site.faults.calls.slice(calls).filter((call) => call.includes('"vfAllowed":true')),
      [],
      `at offset ${offsetMs}`,
    );
  }
});

test('a VF whose link goes down is taken back, and given again when it is well', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  site.host.change('vfp0', { cut: true });
  const ms = await msUntil(site, () => site.dataPlane.path(1).path === 'software');
  t.true(ms <= 10, `${ms} ms`);
  await site.clock.advance(100);
  t.deepEqual(summary(reconciler), ['g1 software software vf_lost -']);
  t.deepEqual(site.hypervisor.allHeld(), []);
  site.host.change('vfp0', { cut: false });
  await site.clock.advance(1000);
  t.deepEqual(summary(reconciler), [ON_VF]);
});

test('another VF is taken when there is one', async (t) => {
  const site = new Site({ guests: 1, vfs: 2 });
  const reconciler = await site.started();
  site.hypervisor.destroyVf(vfSpec(0));
  await site.clock.advance(1000);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp1']);
});

test('a guest that does not use its VF loses it, and is tried again, ever later', async (t) => {
  const site = new Site(one);
  site.hypervisor.silent.add('ns-g1');
  const reconciler = await site.started();
  t.deepEqual(summary(reconciler), ['g1 plugging software plugging vfp0']);
  await site.clock.advance(14_600);
  t.deepEqual(summary(reconciler), ['g1 draining software guest_silent vfp0']);
  await site.clock.advance(1400);
  t.deepEqual(summary(reconciler), ['g1 software software guest_silent -']);
  t.regex(
    reconciler.vnicStatus()[0]?.reason_text ?? '',
    /plug-in.*no frame from the guest by vfp0 within 15000 ms; next attempt in 0\.\d+ s/,
  );
  await site.clock.advance(120_000);
  const plugs = site.faults.calls.filter((call) => call.startsWith('plug')).length;
  t.true(plugs >= 4 && plugs <= 10, `${plugs} attempts`);
  site.hypervisor.silent.clear();
  await msUntil(site, () => summary(reconciler)[0] === 'g1 software software guest_silent -');
  t.true((await site.clock.run(reconciler.want('g1', 'accelerated', 1000))).reached);
  t.deepEqual(summary(reconciler), [ON_VF]);
  t.deepEqual(site.faults.violations, []);
});

test('a guest that does not answer DRAIN loses its VF within one and a half seconds, with a warning', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  const events: MonitorEvent[] = [];
  let frames = 0;
  reconciler.onEvent((event) => events.push(event));
  site.host.onFrame = () => void frames++;
  const started = site.clock.nowMs();
  await site.clock.run(reconciler.want('g1', 'software', 5000));
  const tookMs = site.clock.nowMs() - started;
  t.true(tookMs >= 1270 && tookMs < 1400, `${tookMs} ms`);
  t.is(frames, 20);
  t.true(events.some(({ kind, message }) => kind === 'error' && /did not answer DRAIN/.test(message)));
  // Asked twenty times, said once.
  t.is(events.filter(({ fields }) => fields['action'] === 'send-drain').length, 1);
});

test('a guest that goes back to its tap keeps its VF, and what is told is where it is', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  const calls = site.faults.calls.length;
  site.hypervisor.fallBack(vnicSpec(1).mac);
  await site.clock.advance(10_000);
  t.deepEqual(summary(reconciler), ['g1 accelerated software guest_silent vfp0']);
  site.dataPlane.guestTransmits(1, 'vf');
  t.deepEqual(summary(reconciler), [ON_VF]);
  t.deepEqual(site.faults.calls.slice(calls), []);
});

test('a tap, a guest, an uplink that go and come back', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  const steps: readonly { readonly go: () => void; readonly gone: string; readonly back: () => void }[] = [
    {
      go: () => site.host.removeLink('tap-g1'),
      gone: 'g1 absent software tap_missing -',
      back: () => site.host.addLink('tap-g1', { bridge: 'br0', kind: 'tun', queues: 2 }),
    },
    {
      go: () => site.hypervisor.end('ns-g1'),
      gone: 'g1 absent software guest_missing -',
      back: () => {
        site.hypervisor.start('ns-g1');
        site.host.removeLink('vf0');
        site.addVf(vfSpec(0));
      },
    },
    {
      go: () => site.host.removeLink('pf0'),
      gone: 'g1 absent software uplink_missing -',
      back: () => site.host.addLink('pf0', { bridge: 'br0' }),
    },
  ];
  for (const { go, gone, back } of steps) {
    go();
    // A guest that ends tells no link: it is noticed at the next regular look.
    await site.clock.advance(3500);
    t.deepEqual(summary(reconciler), [gone]);
    t.is(site.dataPlane.vnics().size, 0);
    t.deepEqual([...site.dataPlane.ports()], []);
    back();
    await site.clock.advance(4000);
    t.deepEqual(summary(reconciler), [ON_VF]);
  }
  t.deepEqual(site.faults.violations, []);
});

test('a program of somebody else on the uplink is not displaced, and tried again', async (t) => {
  const site = new Site(one);
  site.dataPlane.foreign.add('pf0');
  const reconciler = await site.started();
  t.deepEqual(summary(reconciler), ['g1 absent software attach_refused -']);
  t.false(reconciler.adapterStatus()[0]?.attached);
  t.is(site.dataPlane.vnics().size, 0);
  site.dataPlane.foreign.clear();
  await site.clock.advance(3000);
  t.deepEqual(summary(reconciler), [ON_VF]);
});

test('a program of somebody else on a tap or a VF port is not displaced', async (t) => {
  for (const [device, expected] of [
    ['tap-g1', 'g1 absent software attach_refused -'],
    ['vfp0', 'g1 software software attach_refused -'],
  ] as const) {
    const site = new Site(one);
    const before = site.host.snapshot();
    site.dataPlane.foreign.add(device);
    const reconciler = await site.started();
    t.deepEqual(summary(reconciler), [expected]);
    if (device === 'tap-g1') t.deepEqual(site.host.snapshot(), before);
    site.dataPlane.foreign.clear();
    await site.clock.advance(40_000);
    t.deepEqual(summary(reconciler), [ON_VF]);
  }
});

test('after a VF that failed, another is tried first', async (t) => {
  const site = new Site({ guests: 1, vfs: 2 });
  site.dataPlane.foreign.add('vfp0');
  const reconciler = await site.started();
  await site.clock.advance(1000);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp1']);
});

test('what falls due while the daemon cannot run is done as soon as it can', async (t) => {
  const site = new Site(one);
  site.hypervisor.silent.add('ns-g1');
  const reconciler = await site.started();
  await msUntil(site, () => summary(reconciler)[0] === 'g1 draining software guest_silent vfp0');
  await msUntil(site, () => summary(reconciler)[0] === 'g1 software software guest_silent -');
  // The next attempt falls due, unseen; then something else happens before its timer is heard.
  site.clock.stall(300);
  site.dataPlane.guestTransmits(1, 'tap');
  site.dataPlane.guestObeys(1, 'drained', 0);
  await site.clock.advance(50);
  t.is(summary(reconciler)[0], 'g1 plugging software plugging vfp0');
});

test('limits: never more VFs and queues than allowed', async (t) => {
  const vfs = new Site({ guests: 3, vfs: 3, limits: { vfs: 2, queues: 2048 } });
  t.deepEqual(summary(await vfs.started())[2], 'g3 software software vf_budget_exhausted -');
  const queues = new Site({ guests: 3, vfs: 3, vfQueues: 4, limits: { vfs: 254, queues: 11 } });
  t.deepEqual(summary(await queues.started())[2], 'g3 software software queue_budget_exhausted -');
});

test('a VF that is given back goes to the next that waits', async (t) => {
  const site = new Site({ guests: 2, vfs: 1 });
  const reconciler = await site.started();
  t.deepEqual(summary(reconciler), [ON_VF, 'g2 software software no_free_vf -']);
  await site.clock.run(reconciler.want('g1', 'software', 5000));
  await site.clock.advance(500);
  t.deepEqual(summary(reconciler), ['g1 software software operator_software -', 'g2 accelerated accelerated none vfp0']);
});

test('a new configuration: vNICs come, go and change', async (t) => {
  const site = new Site({ guests: 2, vfs: 2 });
  const reconciler = await site.started();
  const fewer = await site.clock.run(reconciler.setDesired(without(site.desired, 'g1')));
  t.deepEqual(fewer, { added: [], removed: ['vnic g1'], changed: [] });
  t.deepEqual(summary(reconciler), ['g2 accelerated accelerated none vfp1']);
  t.deepEqual([...site.dataPlane.vnics().keys()], [2]);

  const moved = vnicSpec(1, { tap: 'tap-new' });
  site.host.addLink('tap-new', { bridge: 'br0' });
  await site.clock.run(reconciler.setDesired({ ...site.desired, vnics: [moved, vnicSpec(2, { policy: 'software' })] }));
  await site.clock.advance(500);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0', 'g2 software software policy_software -']);

  const changed = await site.clock.run(
    reconciler.setDesired({ ...site.desired, vnics: [vnicSpec(1), vnicSpec(2, { policy: 'software' })] }),
  );
  t.deepEqual(changed, { added: [], removed: [], changed: ['vnic g1'] });
  await site.clock.advance(500);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0', 'g2 software software policy_software -']);
  t.is(site.dataPlane.vnics().get(1)?.tapIfindex, site.host.ifindexOf('tap-g1'));
  t.deepEqual(site.faults.violations, []);
});

test('rows of a vNIC that the configuration does not know any more are taken down', async (t) => {
  const site = new Site({ guests: 2, vfs: 2 });
  const first = await site.started();
  await site.clock.run(first.want('g1', 'software', 5000));
  await first.stop();
  const second = await site.started({ desired: without(site.desired, 'g1') });
  t.deepEqual(summary(second), ['g2 accelerated accelerated none vfp1']);
  t.deepEqual([...site.dataPlane.vnics().keys()], [2]);
  t.deepEqual((site.host.snapshot() as { fdb: string[] }).fdb, ['52:54:00:00:00:02 0 tap-g2']);
});

test('down leaves the host as it was, and what was there before unipath too', async (t) => {
  const site = new Site({ guests: 3, vfs: 2 });
  site.host.addStaticFdb({ mac: vnicSpec(2).mac, vlan: 0, device: 'tap-g2' });
  const before = site.host.snapshot();
  const reconciler = await site.started();
  t.notDeepEqual(site.host.snapshot(), before);
  const { undone } = await site.clock.run(reconciler.down());
  t.deepEqual(site.host.snapshot(), before);
  t.true(site.dataPlane.removed);
  t.true(undone.includes('detach steer_uplink from pf0'));
  t.true(undone.includes('unplug vf0 from guest ns-g1'));
  t.deepEqual(site.faults.violations, []);
});

test('down after a restart leaves the host as it was', async (t) => {
  const site = new Site({ guests: 3, vfs: 2 });
  const before = site.host.snapshot();
  await (await site.started()).stop();
  await site.clock.run((await site.started()).down());
  t.deepEqual(site.host.snapshot(), before);
});

test('down that cannot take a VF back says so, keeps the programs, and can be asked for again', async (t) => {
  const site = new Site(one);
  const before = site.host.snapshot();
  const reconciler = await site.started();
  site.faults.decide = (call) => (call.startsWith('unplug') ? 'before' : null);
  const error = await t.throwsAsync(site.clock.run(reconciler.down()), { instanceOf: NotUndoneError });
  t.regex(error?.message ?? '', /vNIC g1 is draining: .*unplug vf0 from guest ns-g1/);
  t.false(site.dataPlane.removed);
  site.faults.decide = () => null;
  await site.clock.run(reconciler.down());
  t.deepEqual(site.host.snapshot(), before);
});

test('a guest that cannot be asked loses nothing', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  const calls = site.faults.calls.length;
  site.hypervisor.unreachable.add('ns-g1');
  await site.clock.advance(30_000);
  t.deepEqual(summary(reconciler), [ON_VF]);
  t.deepEqual(site.faults.calls.slice(calls), []);
});

test('a step that fails is undone, the error names it, and is told once a minute', async (t) => {
  const site = new Site(one);
  const warnings: string[] = [];
  const log = { info: () => undefined, error: () => undefined, warn: (_: object, message: string) => void warnings.push(message) };
  site.faults.decide = (call) => (call.startsWith('plug') ? 'before' : null);
  const reconciler = await site.started({ log });
  await site.clock.advance(20_000);
  t.deepEqual(summary(reconciler), ['g1 software software retry_backoff -']);
  t.deepEqual(warnings, ['could not plug vf0 into guest ns-g1: injected failure before plug ns-g1 vf0']);
  t.true(site.faults.calls.filter((call) => call.startsWith('plug')).length >= 5);
  await site.clock.advance(60_000);
  t.is(warnings.length, 2);
  const left = site.host.snapshot() as { flags: [string, unknown][] };
  t.deepEqual(
    left.flags.map(([device]) => device),
    ['pf0', 'tap-g1'],
  );
});

test('a host that cannot be looked at is told, and looked at again', async (t) => {
  const site = new Site(one);
  const links = site.host.links.bind(site.host);
  site.host.links = () => Promise.reject(new Error('netlink is not there'));
  const reconciler = site.reconciler();
  const started = reconciler.start();
  await site.clock.advance(1000);
  t.is(reconciler.health().error, 'netlink is not there');
  t.is(reconciler.health().lastReconcileAgeMs, null);
  site.host.links = links;
  await site.clock.run(started);
  await site.clock.advance(500);
  t.is(reconciler.health().error, null);
  t.deepEqual(summary(reconciler), [ON_VF]);
});

/** Every call that bringing up and taking down makes, failing in turn, before it is done and after. */
test('whichever call fails once, it is got over', async (t) => {
  const script = async (site: Site): Promise<Reconciler> => {
    const reconciler = await site.started();
    await site.clock.run(reconciler.want('g1', 'software', 60_000));
    await site.clock.run(reconciler.want('g1', 'accelerated', 60_000));
    return reconciler;
  };
  const model = new Site(one);
  await model.clock.run((await script(model)).down());
  const { calls } = model.faults;
  t.true(calls.length > 50);
  for (const moment of ['before', 'after'] as const) {
    for (const at of calls.keys()) {
      const site = new Site(one);
      const before = site.host.snapshot();
      site.faults.decide = (_, index) => (index === at ? moment : null);
      const reconciler = await script(site);
      t.deepEqual(summary(reconciler), [ON_VF], `${moment} ${at}: ${calls[at]}`);
      await site.clock.run(reconciler.down());
      t.deepEqual(site.host.snapshot(), before, `${moment} ${at}: ${calls[at]}`);
      t.deepEqual(site.faults.violations, [], `${moment} ${at}: ${calls[at]}`);
    }
  }
});

test('a daemon killed at any call is followed by one that goes on', async (t) => {
  const model = new Site(one);
  await model.started();
  for (const at of [...model.faults.calls.keys(), model.faults.calls.length]) {
    const site = new Site(one);
    const before = site.host.snapshot();
    const { reconciler, kill } = site.killable();
    let count = 0;
    site.faults.onCall = () => {
      if (count++ === at) kill();
    };
    void reconciler.start();
    await site.clock.advance(500);
    kill();
    const second = await site.started();
    await site.clock.advance(5000);
    t.deepEqual(summary(second), [ON_VF], `killed after call ${at}: ${model.faults.calls[at]}`);
    await site.clock.run(second.down());
    t.deepEqual(site.host.snapshot(), before, `killed after call ${at}: ${model.faults.calls[at]}`);
    t.deepEqual(site.faults.violations, []);
  }
});

test('every look is told of, and how long it took until nothing was left to do', async (t) => {
  const site = new Site(one);
  const reconciler = await site.started();
  const looks: LookReport[] = [];
  const stop = reconciler.onLook((look) => looks.push(look));
  await site.clock.advance(5000);
  t.true(looks.length >= 2, 'looks that nobody asked for');
  t.true(looks.every(({ failed, settledMs }) => !failed && settledMs === null));
  looks.length = 0;
  await site.clock.run(reconciler.want('g1', 'software', 5000));
  await site.clock.advance(1000);
  const settled = looks.flatMap(({ settledMs }) => settledMs ?? []);
  t.is(settled.length > 0, true);
  t.true(Math.max(...settled) >= 250 && Math.max(...settled) < 6000, `the VF is let settle: ${settled.join()}`);
  stop();
  looks.length = 0;
  await site.clock.advance(5000);
  t.deepEqual(looks, []);
});
