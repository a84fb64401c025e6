/** VLANs of vNICs in plans: adoption, duplicates, bridge ports and their undo, FDB entries. */
import test from 'ava';
import { PLUGIN_GUEST } from '../../../src/core/model.js';
import { undosOf, type Action } from '../../../src/core/actions.js';
import type { BridgeVlan, BridgeVlanNote, Desired, Observed, ObservedLink, VnicSpec } from '../../../src/core/model.js';
import { planAdapter } from '../../../src/core/plan.js';
import { reasonText } from '../../../src/core/reasons.js';
import { reasonOf } from '../../../src/core/vnic_reason.js';
import { vnicSpec } from '../../support/fake_site.js';
import { desired, link, onSoftware, onVf, planFor, storedG1, tenantsAt, untouched, withLinks, words } from '../../support/plan_fixture.js';

const MAC = vnicSpec(1).mac;
const ACCESS: Partial<VnicSpec> = { vlans: [7], access: true, policy: 'software' };
const TRUNK: Partial<VnicSpec> = { vlans: [0, 5, 6], policy: 'software' };
const DEFAULT_VLAN: BridgeVlan = { vid: 1, pvid: true, untagged: true };

/** The bridge looks at tags; its ports are in these VLANs. */
function filtering(observed: Observed, vlans: Readonly<Record<string, readonly BridgeVlan[]>> = {}): Observed {
  const all = { pf0: [DEFAULT_VLAN], 'tap-g1': [DEFAULT_VLAN], ...vlans };
  return {
    ...withLinks(observed, link('br0', 1, { kind: 'bridge', vlanFiltering: { defaultPvid: 1 } })),
    bridgeVlans: new Map(Object.entries(all)),
  };
}

const vlanWords = (observed: Observed, wanted: Desired): string[] =>
  words(planFor({ observed, desired: wanted })).filter((line) => /VLAN \d+(,|$)|FDB|how /.test(line) && !line.startsWith('write vNIC'));

test('an access vNIC: its tap into its VLAN and out of the default one, the uplink tagged, the entry in the VLAN', (t) => {
  t.deepEqual(vlanWords(filtering(untouched()), desired(ACCESS)), [
    'put tap-g1 into VLAN 7, untagged',
    'take tap-g1 out of VLAN 1',
    'put pf0 into VLAN 7, tagged',
    `add static FDB entry ${MAC} VLAN 7 -> tap-g1`,
  ]);
});

test('a trunk: its ids tagged, one entry for each; untagged frames are where the bridge has them', (t) => {
  t.deepEqual(vlanWords(filtering(untouched()), desired(TRUNK)), [
    'put tap-g1 into VLAN 5, tagged',
    'put tap-g1 into VLAN 6, tagged',
    'put pf0 into VLAN 5, tagged',
    'put pf0 into VLAN 6, tagged',
    `add static FDB entry ${MAC} -> tap-g1`,
    `add static FDB entry ${MAC} VLAN 5 -> tap-g1`,
    `add static FDB entry ${MAC} VLAN 6 -> tap-g1`,
  ]);
});

test('a bridge that does not look at tags: nothing for a trunk, and no access vNIC at all', (t) => {
  t.deepEqual(vlanWords(untouched(), desired(TRUNK)), [`add static FDB entry ${MAC} -> tap-g1`]);
  const planned = planFor({ observed: untouched(), desired: desired(ACCESS) });
  t.deepEqual(words(planned), []);
  const [tenant] = planned.tenants;
  const reason = tenant === undefined ? 'none' : reasonOf(tenant.state, 'software', 'policy', 'software');
  t.is(reason, 'bridge_without_vlan_filtering');
  t.regex(reasonText('bridge_without_vlan_filtering', vnicSpec(1, ACCESS), null, 'br0'), /run: ip link set br0 type bridge vlan_filtering 1$/);
});

test('ports that are as they must be are left alone', (t) => {
  const access: BridgeVlan = { vid: 7, pvid: true, untagged: true };
  const observed = filtering(
    { ...onSoftware(), stored: [storedG1({ vlans: [7], access: true })], fdb: new Set([`${MAC} 7 tap-g1`]) },
    { 'tap-g1': [access], pf0: [DEFAULT_VLAN, { vid: 7, pvid: false, untagged: false }] },
  );
  t.deepEqual(words(planFor({ observed, desired: desired(ACCESS) })), []);
});

test('what the uplink carries already is the operator’s, however it does', (t) => {
  const observed = filtering(untouched(), { pf0: [{ vid: 7, pvid: true, untagged: true }] });
  t.false(vlanWords(observed, desired(ACCESS)).some((line) => line.includes('pf0')));
});

test('a VF port that joins the bridge is out of its default VLAN before it is up', (t) => {
  const observed = filtering(
    { ...onSoftware(), stored: [storedG1({ vlans: [7], access: true })], fdb: new Set([`${MAC} 7 tap-g1`]) },
    { 'tap-g1': [{ vid: 7, pvid: true, untagged: true }], pf0: [DEFAULT_VLAN, { vid: 7, pvid: false, untagged: false }] },
  );
  t.deepEqual(words(planFor({ observed, desired: desired({ ...ACCESS, policy: 'accelerated' }) })).slice(1, 7), [
    'make vfp0 the vf port of vNIC 1',
    'set vfp0 into bridge br0',
    'set vfp0 learning off, flooding off',
    'put vfp0 into VLAN 7, untagged',
    'take vfp0 out of VLAN 1',
    'set vfp0 up',
  ]);
});

const NOTES: readonly BridgeVlanNote[] = [
  { ifindex: 3, vid: 7, before: null },
  { ifindex: 3, vid: 1, before: { pvid: true, untagged: true } },
  { ifindex: 2, vid: 7, before: null },
];
/** g1 is gone; its ports are as it left them. */
const LEFT = (): Observed => ({
  ...filtering(untouched(), {
    'tap-g1': [{ vid: 7, pvid: true, untagged: true }],
    pf0: [DEFAULT_VLAN, { vid: 7, pvid: false, untagged: false }],
  }),
  bridgeVlanNotes: NOTES,
});

test('undone is exactly what was noted, the old VLANs first', (t) => {
  t.deepEqual(words(planFor({ observed: LEFT(), desired: desired() })), [
    'sweep, on failure stop:',
    'put tap-g1 into VLAN 1, untagged, as before',
    'take tap-g1 out of VLAN 7, as before',
    'take pf0 out of VLAN 7, as before',
  ]);
});

test('a port that left its bridge, or is as before, or gone, is only forgotten', (t) => {
  const [, restored] = NOTES;
  const observed: Observed = {
    ...withLinks(LEFT(), link('tap-g1', 3, { master: null })),
    bridgeVlanNotes: [...NOTES, { ifindex: 99, vid: 7, before: null }, { ...(restored ?? { vid: 1, before: null }), ifindex: 2 }],
  };
  t.deepEqual(words(planFor({ observed, desired: desired() })).slice(1), [
    'forget how tap-g1 was in VLAN 1',
    'forget how pf0 was in VLAN 1',
    'forget how tap-g1 was in VLAN 7',
    'take pf0 out of VLAN 7, as before',
    'forget how ifindex 99 was in VLAN 7',
  ]);
});

test('a VLAN of the uplink that another vNIC still needs stays', (t) => {
  const second = storedG1({ id: 2, mac: vnicSpec(2).mac, vlans: [7], tapIfindex: 40 });
  const observed: Observed = { ...withLinks(LEFT(), link('tap-g2', 40, { master: 1 })), stored: [second], guests: new Map([['ns-g2', PLUGIN_GUEST] as const]) };
  const planned = planFor({ observed: { ...observed, bridgeVlans: new Map([...observed.bridgeVlans, ['tap-g2', [{ vid: 7, pvid: false, untagged: false }]]]) },
    desired: { ...desired(), vnics: [vnicSpec(2, { vlans: [7], policy: 'software' })] } });
  const { stored } = observed;
  t.is(stored.length, 1);
  t.false(words(planned).some((line) => line.startsWith('take pf0')));
});

test('the undo of a change of a VLAN, and the undo of that', (t) => {
  const set: Action = { kind: 'set-bridge-vlan', ifindex: 3, device: 'tap-g1', vid: 7, flags: { pvid: true, untagged: true }, before: null, noted: false };
  const [undo] = undosOf(set);
  t.deepEqual(undo, { kind: 'restore-bridge-vlan', ifindex: 3, device: 'tap-g1', vid: 7, flags: null, before: { pvid: true, untagged: true } });
  t.deepEqual(undo === undefined ? [] : undosOf(undo), [set]);
  const [again] = undosOf({ ...set, noted: true });
  t.like(again, { kind: 'set-bridge-vlan', flags: null, noted: true }, 'an earlier note outlives the undo of a later change');
});

test('a row with one of its VLANs is adopted, and made to have all of them', (t) => {
  const observed: Observed = { ...onSoftware(), stored: [storedG1({ vlans: [5] })], fdb: new Set([`${MAC} 5 tap-g1`]) };
  const [tenant] = tenantsAt(observed, desired({ vlans: [5, 6], policy: 'software' }));
  t.is(tenant?.id, 1);
  t.deepEqual(words(planFor({ observed, desired: desired({ vlans: [5, 6], policy: 'software' }) })), [
    'repair, on failure stop:',
    `write vNIC 1 (${MAC}, VLAN 5,6)`,
  ]);
  t.is(tenantsAt(observed, desired({ vlans: [6], policy: 'software' })).find(({ removed }) => !removed)?.id, null, 'another station');
});

test('two vNICs that share a VLAN of their MAC address: neither has rows', (t) => {
  const observed = withLinks({ ...untouched(), guests: new Map([['ns-g1', PLUGIN_GUEST] as const, ['ns-g2', PLUGIN_GUEST] as const]) }, link('tap-g2', 40, { master: 1 }));
  const reasons = (vlans: readonly number[]): string[] =>
    planFor({ observed, desired: desired({ vlans: [5, 6] }, { mac: MAC, vlans }) }).tenants.map(({ state }) =>
      reasonOf(state, 'accelerated', 'policy', 'software'),
    );
  t.deepEqual(reasons([6, 7]), ['duplicate_mac', 'duplicate_mac']);
  t.deepEqual(reasons([7, 8]), ['plugging', 'plugging']);
});

test('what devices take of frames in several buffers is in the row; a kernel that does not say counts as no', (t) => {
  const many = { xdpFeatures: { multiBufferTransmit: true } };
  const rowOf = (observed: Observed) => {
    const [action] = planFor({ observed, desired: desired({ policy: 'accelerated' }) }).vnics.flatMap(({ sequence }) =>
      sequence.actions.filter((each) => each.kind === 'write-vnic'),
    );
    return action?.kind === 'write-vnic' ? action.row : null;
  };
  t.like(rowOf(withLinks(onVf(), link('tap-g1', 3, { master: 1, ...many }))), { tapMultiBuffer: true, vfMultiBuffer: false, uplinkMultiBuffer: false });
  t.like(rowOf(withLinks(onVf(), link('pf0', 2, { master: 1, ...many }))), { tapMultiBuffer: false, uplinkMultiBuffer: true });
  t.like(rowOf(withLinks(onVf(), link('vfp0', 4, { master: 1, ...many }))), { vfMultiBuffer: true, vfIfindex: 4 });
  t.is(rowOf(onVf()), null);
});

test('a VF port that takes no redirected frames is in the row, and the tap gets the program that redirects by tc', (t) => {
  const xdp = { mode: 'native', programId: 1 } as const;
  const wanted = desired({ policy: 'accelerated' });
  const written = (observed: Observed) => planFor({ observed, desired: wanted }).vnics.flatMap(({ sequence }) =>
    sequence.actions.flatMap((each) => (each.kind === 'write-vnic' ? [[each.row.vfNoTransmit, each.row.uplinkNoTransmit]] : [])));
  const port = (more: Partial<ObservedLink>) => withLinks(onVf(), link('vfp0', 4, { master: 1, ...more }));
  t.deepEqual(written(port({ takesRedirects: true })), []);
  t.deepEqual(written(port({ takesRedirects: false })), [[true, false]]);
  t.deepEqual(written(port({ xdp })), [], 'an older kernel: what runs programs natively takes them');
  t.deepEqual(written(port({ xdp: { ...xdp, mode: 'generic' } })), [[true, false]], '... and what does not, does not');
  const uplink = (more: Partial<ObservedLink>) => withLinks(onVf(), link('pf0', 2, { master: 1, ...more }));
  t.deepEqual(written(uplink({ takesRedirects: false })), [], 'some take none before they have a program of their own');
  t.deepEqual(written(uplink({ takesRedirects: false, xdp })), [[false, true]]);

  const untaken = port({ takesRedirects: false });
  const told: Observed = { ...untaken, stored: untaken.stored.map((row) => ({ ...row, vfNoTransmit: true })) };
  t.true(words(planFor({ observed: told, desired: wanted })).some((line) => line === 'attach steer_tap to the egress of tap-g1'));
  const takes: Observed = { ...onVf(), tapPrograms: new Set([3]) };
  t.true(words(planFor({ observed: takes, desired: wanted })).some((line) => line === 'detach steer_tap from the egress of tap-g1'));
});

test("a NIC that has our key and tells its hash is asked for it: its uplink's program, and what the steerings say", (t) => {
  const { keys, wish } = onVf().rss;
  const withNic = (key: string | null, tellsHash: boolean | null): Observed => {
    const observed = withLinks(onVf(), link('pf0', 2, { master: 1, tellsHash }));
    return { ...observed, rss: { keys, wish, nicKey: key === null ? null : { key } } };
  };
  const wanted = desired({ policy: 'accelerated' });
  const [adapter] = wanted.adapters;
  const own = keys[wish.keyRow] ?? '';
  const program = (observed: Observed, of: Desired = wanted) =>
    adapter === undefined ? [] : planAdapter(adapter, of, observed)?.actions.flatMap((each) => (each.kind === 'attach-program' ? [each.program] : [])) ?? [];
  t.deepEqual(program(withNic(own, true)), ['steer_uplink_hw']);
  for (const [key, tells] of [[own, false], [own, null], ['bb'.repeat(40), true], [null, true]] as const) t.deepEqual(program(withNic(key, tells)), [], String(key));
  const asked: Observed = { ...withNic('bb'.repeat(40), true), programs: new Map([...onVf().programs, [2, 'steer_uplink_hw']]) };
  t.deepEqual(program(asked), ['steer_uplink'], 'another key: not any more');
  const second: Desired = { ...wanted, adapters: [{ ...wanted.adapters[0]!, name: 'other' }, ...wanted.adapters] };
  t.deepEqual(program(withNic(own, true), second), [], 'the key is that of the first adapter');

  const believed = (observed: Observed) => planFor({ observed, desired: wanted }).vnics.flatMap(({ sequence }) =>
    sequence.actions.flatMap((each) => (each.kind === 'write-steering' ? [[each.role, each.row?.nicHash]] : [])));
  t.deepEqual(believed(withNic(own, true)), [['tap', true], ['vf', true]]);
  t.deepEqual(believed(withNic('bb'.repeat(40), true)), []);
});

test('cut-through follows the tap', (t) => {
  const observed = withLinks(onSoftware(), link('tap-g1', 3, { master: 1, takesAggregates: false }));
  const wanted = desired({ policy: 'software', cutThrough: 'auto' });
  t.is(words(planFor({ observed, desired: wanted })).length, 2);
  const follows = { ...observed, stored: [storedG1({ cutThrough: true })] };
  t.deepEqual(words(planFor({ observed: follows, desired: wanted })), []);
});

test('addresses are part of the row', (t) => {
  const wanted = desired({ policy: 'software', addresses: ['192.0.2.1', '2001:db8::/64'] });
  t.is(words(planFor({ observed: onSoftware(), desired: wanted })).length, 2);
  const observed = { ...onSoftware(), stored: [storedG1({ addresses: ['192.0.2.1', '2001:db8::/64'] })] };
  t.deepEqual(words(planFor({ observed, desired: wanted })), []);
  t.is(words(planFor({ observed, desired: desired({ policy: 'software' }) })).length, 2);
});
