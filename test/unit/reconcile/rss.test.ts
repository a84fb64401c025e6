/** RSS settings, VLANs of bridge ports and cut-through through the whole reconciler, on a host that is all fake. */
import test from 'ava';
import type { RssRequest, RssSetResult } from '../../../src/control/rss_protocol.js';
import { RSS_ROWS } from '../../../src/core/limits.js';
import type { Desired, VnicSpec } from '../../../src/core/model.js';
import { RssRefusedError, UnknownNameError } from '../../../src/reconcile/errors.js';
import type { Reconciler } from '../../../src/reconcile/reconciler.js';
import { Site, summary } from '../../support/fake_site.js';

const KEY = '5a'.repeat(40);
const NEXT = '6d'.repeat(40);

function set(site: Site, reconciler: Reconciler, vnic: string | null, request: RssRequest): Promise<RssSetResult> {
  return site.clock.run(reconciler.setRss(vnic, request));
}

const shareOfQueue0 = (site: Site, id: number): number | undefined => site.dataPlane.steering(id, 'tap')?.reta.filter((queue) => queue === 0).length;

/** Same desired state with other words for every vNIC. */
const withVnics = (desired: Desired, more: Partial<VnicSpec>): Desired => ({ ...desired, vnics: desired.vnics.map((vnic) => ({ ...vnic, ...more })) });

test('weights of one vNIC: its tables change, those of others do not, and it is told', async (t) => {
  const site = new Site();
  const reconciler = await site.started();
  const { changes, rss } = await set(site, reconciler, 'g1', { weights: [3, 1] });
  t.deepEqual(
    changes.map(({ vnic, device, what, buckets_moved }) => [vnic, device, what, buckets_moved]),
    [
      ['g1', null, "the operator's settings for it hold until they are reset", 0],
      ['g1', 'tap-g1', 'shares of its queues become 75 %, 25 %', 32],
      ['g1', 'vfp0', 'shares of its queues become 75 %, 25 %', 32],
    ],
  );
  t.deepEqual([shareOfQueue0(site, 1), shareOfQueue0(site, 2)], [96, 64]);
  t.like(rss.vnics[0], { name: 'g1', weights: [3, 1], weights_source: 'operator' });
  t.deepEqual(rss.vnics[0]?.ports[0]?.shares, [
    { queue: 0, buckets: 96, percent: 75, cpu: 2 },
    { queue: 1, buckets: 32, percent: 25, cpu: 3 },
  ]);
  t.like(rss.vnics[1], { name: 'g2', weights: null, weights_source: 'default' });
  t.deepEqual(reconciler.vnicStatus()[0]?.tap_queues.shares, [75, 25]);
  t.deepEqual(site.faults.violations, []);
});

test('a dry run changes nothing and says the same', async (t) => {
  const site = new Site();
  const reconciler = await site.started();
  const calls = site.faults.calls.length;
  const dry = await set(site, reconciler, 'g1', { weights: [3, 1], dry_run: true });
  t.true(dry.dry_run);
  t.is(site.faults.calls.length, calls);
  t.is(shareOfQueue0(site, 1), 64);
  const { changes } = await set(site, reconciler, 'g1', { weights: [3, 1] });
  t.deepEqual(changes, dry.changes);
  t.deepEqual((await set(site, reconciler, 'g1', { weights: [3, 1] })).changes, [], 'and once more there is nothing to change');
});

test('what the operator set survives the daemon, and goes with --reset', async (t) => {
  const site = new Site();
  const first = await site.started();
  await set(site, first, 'g1', { weights: [1, 3], hash_types: ['ipv4'] });
  await set(site, first, null, { hash_types: ['ipv6'], key: KEY });
  await first.stop();
  const second = await site.started();
  const { key, key_source, hash_types, vnics } = second.rssStatus();
  t.deepEqual([key, key_source, hash_types], [KEY, 'operator', ['ipv6']]);
  t.deepEqual(
    vnics.map((vnic) => [vnic.hash_types, vnic.hash_types_source, vnic.weights]),
    [[['ipv4'], 'operator', [1, 3]], [['ipv6'], 'operator', null]],
  );
  t.is(shareOfQueue0(site, 1), 32);
  await set(site, second, 'g1', { reset: true });
  t.is(shareOfQueue0(site, 1), 64);
  t.is(site.dataPlane.steering(1, 'tap')?.hashTypes, 0x10, "the host's holds for it now");
  const { rss, changes } = await set(site, second, null, { reset: true });
  t.deepEqual(changes.slice(0, 2).map(({ vnic, what }) => [vnic, what]), [
    [null, 'the RSS key becomes what the configuration says'],
    [null, "the operator's settings for all vNICs hold no more"],
  ]);
  await site.clock.advance(100);
  t.like(rss, { hash_types_source: 'default' });
  t.like(second.rssStatus(), { key_source: 'default', key_random: true });
  t.not(second.rssStatus().key, KEY);
  t.is(site.dataPlane.steering(1, 'tap')?.hashTypes, 0x77);
  t.deepEqual(site.faults.violations, []);
});

test('a key change writes the row that nobody names, then lets everybody name it; again and again', async (t) => {
  const site = new Site();
  const reconciler = await site.started();
  const calls = site.faults.calls.length;
  await set(site, reconciler, null, { key: KEY });
  t.deepEqual(site.faults.calls.slice(calls), [
    'writeRssKey 1 5a5a5a5a',
    'writeHostRssWish 1',
    'writeSteering 1 tap 2',
    'writeSteering 1 vf 2',
    'writeSteering 2 tap 2',
    'writeSteering 2 vf 2',
  ]);
  for (const key of [NEXT, KEY, NEXT]) await set(site, reconciler, null, { key });
  t.is(reconciler.rssStatus().key, NEXT);
  t.is(site.dataPlane.steering(2, 'vf')?.rssRow, site.dataPlane.hostRssWish().keyRow);
  t.deepEqual(site.faults.violations, []);
});

test('a vNIC may have a key of its own: others keep theirs, the host’s may change, and it goes with --reset', async (t) => {
  const site = new Site();
  const reconciler = await site.started();
  const host = reconciler.rssStatus().key;
  const rows = (): (number | undefined)[] => [1, 2].flatMap((id) => (['tap', 'vf'] as const).map((role) => site.dataPlane.steering(id, role)?.rssRow));
  const { changes } = await set(site, reconciler, 'g1', { key: KEY });
  t.deepEqual(changes.map(({ vnic, what }) => [vnic, what]), [['g1', `its RSS key becomes ${KEY}`], ['g1', "the operator's settings for it hold until they are reset"]]);
  await site.clock.advance(100);
  t.deepEqual(rows(), [1, 1, 0, 0]);
  t.deepEqual(reconciler.rssStatus().vnics.map(({ key, key_source }) => [key, key_source]), [[KEY, 'operator'], [host, 'default']]);
  t.deepEqual((await set(site, reconciler, 'g1', { key: KEY })).changes, [], 'it is so already');
  await set(site, reconciler, null, { key: NEXT });
  t.deepEqual(rows(), [1, 1, 2, 2]);
  await reconciler.stop();
  const second = await site.started();
  t.deepEqual(second.rssStatus().vnics.map(({ key }) => key), [KEY, NEXT], 'and survives the daemon');
  // Two with the same key share its row.
  await set(site, second, 'g2', { key: KEY });
  await site.clock.advance(100);
  t.deepEqual(rows(), [1, 1, 1, 1]);
  await set(site, second, 'g1', { key: NEXT });
  t.like((await set(site, second, 'g2', { reset: true })).changes[0], { what: `its RSS key becomes ${NEXT} (that of the host)` });
  await site.clock.advance(100);
  t.deepEqual(rows(), [2, 2, 2, 2]);
  t.deepEqual(second.rssStatus().vnics.map(({ key, key_source }) => [key, key_source]), [[NEXT, 'operator'], [NEXT, 'operator']]);
  t.deepEqual([1, 2].map((id) => site.dataPlane.rssWish(id).keyRow), [null, null]);
  t.deepEqual(site.faults.violations, []);
});

test('more keys than there are rows: refused, and a row that is left can be had again', async (t) => {
  const site = new Site({ guests: RSS_ROWS, vfs: 0 });
  const reconciler = await site.started();
  const keyOf = (i: number): string => (0x10 + i).toString(16).repeat(40);
  for (let i = 1; i < RSS_ROWS; i++) await set(site, reconciler, `g${i}`, { key: keyOf(i) });
  await site.clock.advance(100);
  const calls = site.faults.calls.length;
  await t.throwsAsync(set(site, reconciler, `g${RSS_ROWS}`, { key: KEY }), { instanceOf: RssRefusedError, message: /^key: 16 keys are in use already; give/ });
  t.is(site.faults.calls.length, calls);
  await set(site, reconciler, 'g3', { reset: true });
  await site.clock.advance(100);
  const { rss } = await set(site, reconciler, `g${RSS_ROWS}`, { key: KEY });
  t.is(rss.vnics.at(-1)?.key, KEY);
  t.deepEqual(site.faults.violations, []);
});

test('what a daemon that died while it gave a vNIC its key left behind: the next finds it with the one or with the other', async (t) => {
  for (const steps of [1, 2, 3]) {
    const site = new Site();
    await (await site.started()).stop();
    const [before] = site.dataPlane.rssKeys();
    site.dataPlane.writeRssKey(1, KEY);
    if (steps > 1) site.dataPlane.writeRssWish(1, { hashTypes: null, weights: null, keyRow: 1 });
    const tap = site.dataPlane.steering(1, 'tap');
    if (steps > 2 && tap !== null) site.dataPlane.writeSteering(1, 'tap', { ...tap, rssRow: 1 });
    const next = await site.started();
    await site.clock.advance(100);
    const key = steps > 1 ? KEY : before;
    t.is(next.rssStatus().vnics[0]?.key, key);
    const keys = site.dataPlane.rssKeys();
    t.deepEqual((['tap', 'vf'] as const).map((role) => keys[site.dataPlane.steering(1, role)?.rssRow ?? -1]), [key, key]);
    t.deepEqual(site.faults.violations, []);
  }
});

test('killed in the middle of a key change: the next daemon finds one key in force and everybody on it', async (t) => {
  for (const [at, inForce] of [['writeRssKey', 'aa'.repeat(40)], ['writeHostRssWish', KEY], ['writeSteering 1 vf', KEY]] as const) {
    const site = new Site();
    const { reconciler, kill } = site.killable();
    await site.clock.run(reconciler.start());
    await site.clock.advance(500);
    site.faults.onCall = (call) => void (call.startsWith(at) && kill());
    void reconciler.setRss(null, { key: KEY }).catch(() => undefined);
    await site.clock.advance(100);
    site.faults.onCall = () => undefined;
    const next = await site.started();
    t.is(next.rssStatus().key, inForce, at);
    const rows = [1, 2].flatMap((id) => (['tap', 'vf'] as const).map((role) => site.dataPlane.steering(id, role)?.rssRow));
    t.deepEqual(new Set(rows), new Set([site.dataPlane.hostRssWish().keyRow]), at);
    t.deepEqual(site.faults.violations, []);
  }
});

test('the NIC’s key, by the configuration and by command', async (t) => {
  const site = new Site();
  site.host.nicKey = Buffer.alloc(52, 0x5a);
  const reconciler = await site.started({ desired: { ...site.desired, rss: { key: 'nic', hashTypes: 0x77 } } });
  t.like(reconciler.rssStatus(), { key: KEY, key_source: 'configuration', key_random: false, key_problem: null });
  await site.clock.run(reconciler.setDesired(site.desired));
  t.like(reconciler.rssStatus(), { key_random: true });
  site.host.nicKey = Buffer.alloc(16, 1);
  const error = await t.throwsAsync(set(site, reconciler, null, { key: 'nic' }), { instanceOf: RssRefusedError });
  t.is(error?.message, 'key: the RSS key of pf0 has 16 bytes, and 40 are needed; give rss.key 40 bytes yourself, or "random"');
  await site.clock.run(reconciler.setDesired({ ...site.desired, rss: { key: 'nic', hashTypes: 0x77 } }));
  t.regex(reconciler.rssStatus().key_problem ?? '', /^the RSS key of pf0 has 16 bytes/);
});

test('what cannot be is refused, and nothing is changed', async (t) => {
  const site = new Site();
  const reconciler = await site.started();
  const calls = site.faults.calls.length;
  const refuse = async (vnic: string | null, request: RssRequest, message: RegExp): Promise<void> => {
    await t.throwsAsync(set(site, reconciler, vnic, request), { instanceOf: RssRefusedError, message });
  };
  await refuse('g1', { weights: [1, 1, 1] }, /^weights: 3 weights are more than the 2 queues that there are$/);
  await refuse('g1', { weights: [0, 0] }, /^weights: all weights are 0/);
  await refuse('g1', { hash_types: ['tcp_ip4'] }, /^types: "tcp_ip4" is no hash type; did you mean "tcp_ipv4"\?$/);
  await refuse('g1', { hash_types: [] }, /^types: name at least one$/);
  await refuse(null, { key: '5a' }, /^key: must be "random", "nic" or 80 hexadecimal digits/);
  await t.throwsAsync(set(site, reconciler, 'g3', { reset: true }), { instanceOf: UnknownNameError, message: 'there is no vNIC "g3"' });
  t.is(site.faults.calls.length, calls);
});

test('a queue that no CPU reaches is named where weights ask for it', async (t) => {
  const site = new Site({ guests: 1, vfs: 0, tapQueues: 3 });
  site.cpus = [0, 1];
  const reconciler = await site.started();
  const { rss } = await set(site, reconciler, 'g1', { weights: [1, 1, 2] });
  t.deepEqual(rss.vnics[0]?.problems, ['no CPU reaches queue 2 of tap-g1: its share goes to the others']);
  t.deepEqual(rss.vnics[0]?.ports[0]?.unreachable, [2]);
  t.deepEqual(rss.vnics[0]?.ports[0]?.shares.map(({ percent }) => percent), [50, 50, 0]);
});

test('weights of the configuration, by a new configuration: as few buckets as possible move', async (t) => {
  const site = new Site({ guests: 1 });
  const reconciler = await site.started();
  const before = site.dataPlane.steering(1, 'tap')?.reta ?? [];
  await site.clock.run(reconciler.setDesired(withVnics(site.desired, { weights: [3, 1] })));
  const after = site.dataPlane.steering(1, 'tap')?.reta ?? [];
  t.is(after.filter((queue, bucket) => queue !== before[bucket]).length, 32);
  t.like(reconciler.rssStatus().vnics[0], { weights: [3, 1], weights_source: 'configuration' });
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0']);
});

/** A site whose bridge looks at VLAN tags, with one access vNIC and one trunk. */
function vlanSite(): { readonly site: Site; readonly desired: Desired } {
  const site = new Site({ guests: 2, vfs: 1 });
  site.host.change('br0', { vlanFiltering: true });
  const [first, second] = site.desired.vnics;
  if (first === undefined || second === undefined) throw new Error('two guests are needed');
  const vnics = [{ ...first, vlans: [7], access: true }, { ...second, vlans: [7, 9], policy: 'software' as const }];
  return { site, desired: { ...site.desired, vnics } };
}

test('VLANs of ports: set with the vNICs, kept over a restart, and undone to the last', async (t) => {
  const { site, desired } = vlanSite();
  const before = site.host.snapshot();
  const first = await site.started({ desired });
  t.deepEqual(summary(first), ['g1 accelerated accelerated none vfp0', 'g2 software software policy_software -']);
  const vlans = async (): Promise<Record<string, unknown>> => Object.fromEntries(await site.clock.run(site.host.bridgeVlans()));
  const byDefault = { vid: 1, pvid: true, untagged: true };
  const access = { vid: 7, pvid: true, untagged: true };
  const tagged = (vid: number) => ({ vid, pvid: false, untagged: false });
  t.deepEqual(await vlans(), {
    pf0: [byDefault, tagged(7), tagged(9)],
    'tap-g1': [access],
    'tap-g2': [byDefault, tagged(7), tagged(9)],
    vfp0: [access],
  });
  await first.stop();
  const calls = site.faults.calls.length;
  const second = await site.started({ desired });
  t.deepEqual(site.faults.calls.slice(calls).filter((call) => call.includes('Vlan')), []);
  await site.clock.run(second.setDesired({ ...desired, vnics: desired.vnics.slice(1) }));
  await site.clock.advance(3000);
  t.deepEqual((await vlans())['tap-g1'], [byDefault]);
  t.deepEqual((await vlans())['pf0'], [byDefault, tagged(7), tagged(9)], 'the other vNIC still needs both');
  await site.clock.run(second.down());
  t.deepEqual(site.host.snapshot(), before);
  t.deepEqual(site.dataPlane.bridgeVlanNotes(), []);
  t.deepEqual(site.faults.violations, []);
});

test('VLANs that were there before stay when unipath goes', async (t) => {
  const { site, desired } = vlanSite();
  await site.clock.run(site.host.setBridgeVlan('pf0', 7, { pvid: false, untagged: false }));
  await site.clock.run(site.host.setBridgeVlan('tap-g2', 9, { pvid: false, untagged: true }));
  const before = site.host.snapshot();
  const reconciler = await site.started({ desired });
  await site.clock.run(reconciler.down());
  t.deepEqual(site.host.snapshot(), before);
});

test('a set-up that fails half-way leaves the ports as they were', async (t) => {
  const { site, desired } = vlanSite();
  const before = site.host.snapshot();
  site.dataPlane.foreign.add('tap-g1').add('tap-g2');
  const reconciler = await site.started({ desired });
  t.deepEqual(summary(reconciler), ['g1 absent software attach_refused -', 'g2 absent software attach_refused -']);
  t.deepEqual(site.host.snapshot(), before);
  t.deepEqual(site.dataPlane.bridgeVlanNotes(), []);
});

test('an access vNIC on a bridge that does not look at tags: refused until it does', async (t) => {
  const { site, desired } = vlanSite();
  site.host.change('br0', { vlanFiltering: false });
  const reconciler = await site.started({ desired });
  t.deepEqual(summary(reconciler), [
    'g1 absent software bridge_without_vlan_filtering -',
    'g2 software software policy_software -',
  ]);
  t.regex(reconciler.vnicStatus()[0]?.reason_text ?? '', /run: ip link set br0 type bridge vlan_filtering 1$/);
  site.host.change('br0', { vlanFiltering: true });
  await site.clock.advance(500);
  t.is(summary(reconciler)[0], 'g1 accelerated accelerated none vfp0');
});

test('cut-through auto follows what the tap takes', async (t) => {
  const site = new Site({ guests: 1, vfs: 0 });
  const desired = withVnics(site.desired, { cutThrough: 'auto' });
  const reconciler = await site.started({ desired });
  t.true(site.dataPlane.vnics().get(1)?.cutThrough);
  t.like(reconciler.vnicStatus()[0]?.cut_through, { setting: 'auto', in_force: true });
  site.host.change('tap-g1', { takesAggregates: true });
  await site.clock.advance(100);
  t.false(site.dataPlane.vnics().get(1)?.cutThrough);
  t.deepEqual(reconciler.vnicStatus()[0]?.cut_through, {
    setting: 'auto',
    in_force: false,
    why: 'tap-g1 takes aggregated TCP frames, which the bridge delivers whole',
  });
});
