import test from 'ava';
import { DEFAULT_TIMING } from '../../../src/core/backoff.js';
import { PLUGIN_GUEST } from '../../../src/core/model.js';
import type { Desired, Observed, StoredVnic } from '../../../src/core/model.js';
import { planAdapter, planRescue } from '../../../src/core/plan.js';
import type { Tenant } from '../../../src/core/tenant.js';
import { reasonOf } from '../../../src/core/vnic_reason.js';
import { planSteering } from '../../../src/core/queue_plan.js';
import { DEFAULT_RSS, vfSpec, vnicSpec } from '../../support/fake_site.js';
import {
  adapter,
  CPUS,
  desired,
  link,
  onSoftware,
  onVf,
  phases,
  planFor,
  storedG1,
  tenantsAt,
  untouched,
  VF_IN_USE,
  withLinks,
  withoutLinks,
  withVfs,
  words,
} from '../../support/plan_fixture.js';

const MAC = vnicSpec(1).mac;
const wanted = desired({});
const onlySoftware = desired({ policy: 'software' });

const SET_UP = [
  'set-up, on failure undo:',
  `write vNIC 1 (${MAC}, VLAN 0)`,
  'make tap-g1 the tap port of vNIC 1',
  'spread vNIC 1 over 2 tap queues',
  `add static FDB entry ${MAC} -> tap-g1`,
  'attach steer_guest to tap-g1',
  'allow redirects to tap-g1',
];

const CONNECT = [
  'connect, on failure undo:',
  'make vfp0 the vf port of vNIC 1',
  'set vfp0 into bridge br0',
  'set vfp0 learning off, flooding off',
  'set vfp0 up',
  'attach steer_guest to vfp0',
  'spread vNIC 1 over 2 vf queues',
  'allow redirects to vfp0',
  `write vNIC 1 (${MAC}, VLAN 0, VF ifindex 4)`,
  'allow vNIC 1 to use its VF',
  'plug vf0 into guest ns-g1',
];

const REMOVE = [
  'remove, on failure stop:',
  'forbid redirects to tap-g1',
  'detach steer_guest from tap-g1',
  `delete static FDB entry ${MAC} -> tap-g1`,
  'disown port tap-g1',
  `delete vNIC 1 (${MAC}, VLAN 0)`,
];

/** From the map rows on; `plan` says what of the port itself there is to put back. */
const RELEASE_ROWS = [
  `write vNIC 1 (${MAC}, VLAN 0)`,
  'clear the vf steering of vNIC 1',
  'forbid redirects to vfp0',
  'detach steer_guest from vfp0',
];

/** The tenants that found g1 on its VF, told to give it back and done with asking. */
function releasing(): readonly Tenant[] {
  return tenantsAt(onVf(), wanted).map((tenant) => {
    const { stage } = tenant.state;
    if (stage.phase !== 'accelerated') throw new Error(`g1 is ${stage.phase}`);
    const before = {
      mtu: 9000,
      up: true,
      bridge: 'br1',
      flags: { learning: true, flood: true, multicastFlood: true, broadcastFlood: true },
    };
    const draining = {
      phase: 'draining',
      step: 'releasing',
      byHypervisor: false,
      vf: { ...stage.vf, before },
      failed: false,
      notBeforeMs: 0,
      problem: null,
    } as const;
    return { ...tenant, state: { ...tenant.state, stage: draining } };
  });
}

const cases: readonly {
  readonly title: string;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly tenants?: readonly Tenant[];
  readonly actions: readonly string[];
  readonly phases?: readonly string[];
}[] = [
  { title: 'a new vNIC gets its footing', desired: wanted, observed: untouched(), actions: SET_UP, phases: ['g1 absent'] },
  {
    title: 'a vNIC that shall be on software and is: nothing',
    desired: onlySoftware,
    observed: onSoftware(),
    actions: [],
    phases: ['g1 software'],
  },
  {
    title: 'a vNIC with its footing gets the first free VF',
    desired: wanted,
    observed: onSoftware(),
    actions: CONNECT,
    phases: ['g1 plugging/connecting'],
  },
  {
    title: 'a vNIC that shall be on its VF and is: nothing, whoever brought it there',
    desired: wanted,
    observed: onVf(),
    actions: [],
    phases: ['g1 accelerated'],
  },
  {
    title: 'a VF port with another MTU, up and in another bridge',
    desired: wanted,
    observed: withLinks(onSoftware(), link('vfp0', 4, { mtu: 9000, up: true, master: 20 }), link('br1', 20)),
    actions: [...CONNECT.slice(0, 2), 'set vfp0 down', 'set vfp0 MTU 1500', ...CONNECT.slice(2)],
  },
  {
    title: 'the guest is asked before its VF is taken',
    desired: onlySoftware,
    observed: onVf(),
    tenants: tenantsAt(onVf(), wanted),
    actions: ['effect, on failure stop:', `ask the guest of ${MAC} by tap-g1 to drain its VF (1000)`],
    phases: ['g1 draining/asking'],
  },
  {
    title: 'everything of a VF is taken back, its port as it was before',
    desired: onlySoftware,
    observed: withLinks(onVf(), link('br1', 20)),
    tenants: releasing(),
    actions: [
      'release, on failure stop:',
      'put vNIC 1 on the software path',
      'unplug vf0 from guest ns-g1',
      ...RELEASE_ROWS,
      'set vfp0 into bridge br1',
      'set vfp0 learning on, flooding on',
      'set vfp0 MTU 9000',
      'disown port vfp0',
    ],
  },
  {
    title: 'a VF whose port vanished: only rows are left to clean',
    desired: wanted,
    observed: withVfs(withoutLinks(onVf(), 'vfp0'), {}),
    tenants: tenantsAt(onVf(), wanted),
    actions: [
      'release, on failure stop:',
      'put vNIC 1 on the software path',
      `write vNIC 1 (${MAC}, VLAN 0)`,
      'clear the vf steering of vNIC 1',
      'forbid redirects to ifindex 4',
      'detach steer_guest from ifindex 4',
      'disown port ifindex 4',
    ],
    phases: ['g1 draining/releasing'],
  },
  {
    title: 'a VF that lost its carrier is taken from the guest',
    desired: wanted,
    observed: withLinks(onVf(), link('vfp0', 4, { ...VF_IN_USE, carrier: false })),
    tenants: tenantsAt(onVf(), wanted),
    actions: [
      'release, on failure stop:',
      'put vNIC 1 on the software path',
      'unplug vf0 from guest ns-g1',
      ...RELEASE_ROWS,
      'set vfp0 down',
      'set vfp0 out of its bridge',
      'disown port vfp0',
    ],
  },
  {
    title: 'a tap that was made anew',
    desired: onlySoftware,
    observed: { ...withLinks(onSoftware(), link('tap-g1', 30, { master: 1, mtu: 1400 })), txPorts: new Set([2]), fdb: new Set() },
    actions: [
      'repair, on failure stop:',
      `write vNIC 1 (${MAC}, VLAN 0)`,
      'make tap-g1 the tap port of vNIC 1',
      `add static FDB entry ${MAC} -> tap-g1`,
      'attach steer_guest to tap-g1',
      'allow redirects to tap-g1',
    ],
  },
  {
    title: 'a tap that is down is not redirected to',
    desired: onlySoftware,
    observed: withLinks(onSoftware(), link('tap-g1', 3, { master: 1, up: false })),
    actions: ['repair, on failure stop:', 'forbid redirects to tap-g1'],
  },
  {
    title: 'a tap in no bridge has no FDB entry',
    desired: onlySoftware,
    observed: { ...withLinks(onSoftware(), link('tap-g1', 3)), fdb: new Set() },
    actions: [],
  },
  {
    title: 'another MTU and cut-through while on the VF',
    desired: desired({ cutThrough: 'on' }),
    observed: withLinks(onVf(), link('tap-g1', 3, { master: 1, mtu: 1400 })),
    actions: ['repair, on failure stop:', 'set vfp0 MTU 1400', `write vNIC 1 (${MAC}, VLAN 0, VF ifindex 4)`],
    phases: ['g1 accelerated'],
  },
  {
    title: 'what somebody changed about a VF port in use is changed back',
    desired: wanted,
    observed: { ...withLinks(onVf(), link('vfp0', 4, { up: true })), txPorts: new Set([2, 3]), bridgePortFlags: new Map() },
    actions: ['repair, on failure stop:', 'set vfp0 into bridge br0', 'set vfp0 learning off, flooding off', 'allow redirects to vfp0'],
  },
  {
    title: 'other CPUs, other steering',
    desired: onlySoftware,
    observed: { ...onSoftware(), cpus: [0, 1] },
    actions: ['repair, on failure stop:', 'spread vNIC 1 over 2 tap queues'],
  },
  { title: 'a vNIC not asked for any more', desired: desired(), observed: onSoftware(), actions: REMOVE, phases: ['leftover-1 absent'] },
  {
    title: 'a vNIC whose tap vanished',
    desired: wanted,
    observed: { ...withoutLinks(onSoftware(), 'tap-g1'), fdb: new Set() },
    actions: [
      'remove, on failure stop:',
      'forbid redirects to ifindex 3',
      'detach steer_guest from ifindex 3',
      'disown port ifindex 3',
      `delete vNIC 1 (${MAC}, VLAN 0)`,
    ],
    phases: ['g1 absent'],
  },
  {
    title: 'a vNIC whose guest ended',
    desired: wanted,
    observed: { ...onSoftware(), guests: new Map() },
    actions: REMOVE,
    phases: ['g1 absent'],
  },
  {
    title: 'a vNIC whose uplink vanished',
    desired: wanted,
    observed: withoutLinks(onSoftware(), 'pf0'),
    actions: REMOVE,
    phases: ['g1 absent'],
  },
  {
    title: 'an FDB entry that was there before is neither added nor taken away',
    desired: onlySoftware,
    observed: { ...untouched(), fdb: new Set([`${MAC} 0 tap-g1`]) },
    actions: SET_UP.filter((word) => !word.includes('FDB')),
  },
  {
    title: 'rows that are nobody’s are swept away',
    desired: onlySoftware,
    observed: {
      ...onSoftware(),
      ports: new Map([...onSoftware().ports, [77, { vnic: 9, role: 'tap' } as const]]),
      txPorts: new Set([2, 3, 78]),
      programs: new Map([...onSoftware().programs, [5, 'steer_guest'] as const]),
    },
    actions: ['sweep, on failure stop:', 'forbid redirects to ifindex 78', 'detach steer_guest from vfp1', 'disown port ifindex 77'],
  },
  {
    title: 'a port given to a vNIC whose row says nothing of it: the connection was begun, and is taken back',
    desired: wanted,
    observed: {
      ...withLinks(onSoftware(), link('vfp0', 4, VF_IN_USE)),
      ports: new Map([...onSoftware().ports, [4, { vnic: 1, role: 'vf' } as const]]),
    },
    actions: ['release, on failure stop:', 'set vfp0 down', 'set vfp0 out of its bridge', 'disown port vfp0'],
  },
];

for (const { title, desired: asked, observed, tenants = [], actions, phases: stages } of cases) {
  test(title, (t) => {
    const planned = planFor({ desired: asked, observed, tenants });
    t.deepEqual(words(planned), actions);
    if (stages !== undefined) t.deepEqual(phases(planned.tenants), stages);
  });
}

const adoptions: readonly {
  readonly title: string;
  readonly row: Partial<StoredVnic>;
  readonly place: 'host' | 'guest' | 'gone';
  readonly phase: string;
}[] = [
  { title: 'on its VF', row: { path: 'accelerated', vfAllowed: true }, place: 'guest', phase: 'g1 accelerated' },
  {
    title: 'on its VF, though not allowed to come back to it',
    row: { path: 'accelerated', vfAllowed: false },
    place: 'guest',
    phase: 'g1 accelerated',
  },
  {
    title: 'given a VF that its guest has not used yet',
    row: { path: 'software', vfAllowed: true },
    place: 'guest',
    phase: 'g1 plugging/waiting',
  },
  {
    title: 'taken off its VF, which the guest still has',
    row: { path: 'software', vfAllowed: false },
    place: 'guest',
    phase: 'g1 draining/asking',
  },
  {
    title: 'with the rows of a VF that is on the host',
    row: { path: 'software', vfAllowed: false },
    place: 'host',
    phase: 'g1 draining/releasing',
  },
  {
    title: 'with the rows of a VF that is gone',
    row: { path: 'accelerated', vfAllowed: true },
    place: 'gone',
    phase: 'g1 draining/releasing',
  },
];

for (const { title, row, place, phase } of adoptions) {
  test(`found ${title}`, (t) => {
    const stored = storedG1({ ...onVf().stored[0], ...row });
    const places = place === 'guest' ? { kind: place, guest: vnicSpec(1).guest } : { kind: place };
    const observed = withVfs({ ...onVf(), stored: [stored] }, { vf0: places });
    t.deepEqual(phases(planFor({ desired: wanted, observed }).tenants), [phase]);
  });
}

/** g1 gives its VF back, and no row of it is left; g2 waits for one, and there is only this. */
function handingOver(place: Observed['vfs'][number]['place']): ReturnType<typeof planFor> {
  const single = { ...adapter, vfs: [vfSpec(0)] };
  const guests = new Map([['ns-g1', PLUGIN_GUEST] as const, ['ns-g2', PLUGIN_GUEST] as const]);
  const observed = withLinks({ ...onSoftware(), guests }, link('tap-g2', 40, { master: 1 }));
  const g2 = { ...storedG1(), id: 2, mac: vnicSpec(2).mac, tapIfindex: 40, tapSteering: planSteering(2, CPUS, 2) };
  const both: Observed = {
    ...withVfs(observed, { vf0: place }),
    stored: [storedG1(), g2],
    programs: new Map([...observed.programs, [40, 'steer_guest'] as const]),
    ports: new Map([...observed.ports, [40, { vnic: 2, role: 'tap' } as const]]),
    txPorts: new Set([...observed.txPorts, 40]),
    fdb: new Set([...observed.fdb, `${vnicSpec(2).mac} 0 tap-g2`]),
  };
  const [going] = releasing().map((tenant) => ({ ...tenant, adapter: single }));
  const asked: Desired = { adapters: [single], vnics: [vnicSpec(2)], rss: DEFAULT_RSS, discover: null, quotas: [] };
  return planFor({ desired: asked, observed: both, tenants: going === undefined ? [] : [going] });
}

test('a VF that is given back is somebody else’s in the same look', (t) => {
  t.deepEqual(phases(handingOver({ kind: 'host' }).tenants), ['g1 absent', 'g2 plugging/connecting']);
});

test('a VF of which nobody knows whether it is out of the guest stays where it is', (t) => {
  const planned = handingOver({ kind: 'unknown' });
  t.deepEqual(phases(planned.tenants), ['g1 draining/releasing', 'g2 software']);
  t.deepEqual(words(planned), []);
});

test('a VF whose port the maps give to another vNIC is not free', (t) => {
  const observed = withLinks({ ...onSoftware(), ports: new Map([...onSoftware().ports, [4, { vnic: 9, role: 'vf' } as const]]) });
  t.is(words(planFor({ desired: wanted, observed }))[1], 'make vfp1 the vf port of vNIC 1');
});

test('trouble with the footing is over when nothing of it is left to mend', (t) => {
  const rowTrouble = { reason: 'internal_error' as const, message: 'no', failures: 3, notBeforeMs: 900 };
  const tenants = tenantsAt(onSoftware(), onlySoftware).map((tenant) => ({ ...tenant, state: { ...tenant.state, rowTrouble } }));
  const at = (nowMs: number): unknown =>
    planFor({ desired: onlySoftware, observed: onSoftware(), tenants, nowMs }).tenants[0]?.state.rowTrouble;
  t.is(at(1000), null);
  t.is(at(800), rowTrouble);
});

test('the operator’s wish is read off the row', (t) => {
  const observed: Observed = { ...onSoftware(), stored: [storedG1({ operatorWant: 'software' })] };
  const planned = planFor({ desired: wanted, observed });
  t.deepEqual(words(planned), []);
  t.is(planned.tenants[0]?.operatorWant, 'software');
});

test('ids: the lowest free one, and never one that is in the maps', (t) => {
  const observed: Observed = { ...onSoftware(), guests: new Map([['ns-g1', PLUGIN_GUEST] as const, ['ns-g2', PLUGIN_GUEST] as const, ['ns-g3', PLUGIN_GUEST] as const]) };
  const withTaps = withLinks(observed, link('tap-g2', 40, { master: 1 }), link('tap-g3', 41, { master: 1 }));
  const asked: Desired = { adapters: [adapter], vnics: [vnicSpec(2), vnicSpec(3), vnicSpec(1, { policy: 'software' })], rss: DEFAULT_RSS, discover: null, quotas: [] };
  t.deepEqual(
    planFor({ desired: asked, observed: withTaps }).tenants.map(({ spec, id }) => [spec.name, id]),
    [
      ['g2', 2],
      ['g3', 3],
      ['g1', 1],
    ],
  );
});

function reasons(planned: ReturnType<typeof planFor>): string[] {
  return planned.tenants.map((tenant) => `${tenant.spec.name} ${reasonOf(tenant.state, 'accelerated', 'policy', 'software')}`);
}

test('two vNICs with the same MAC address and VLAN: neither has rows', (t) => {
  const observed = withLinks({ ...onSoftware(), guests: new Map([['ns-g1', PLUGIN_GUEST] as const, ['ns-g2', PLUGIN_GUEST] as const]) }, link('tap-g2', 40, { master: 1 }));
  const asked = desired({}, { mac: MAC });
  const planned = planFor({ desired: asked, observed });
  t.deepEqual(words(planned), REMOVE);
  t.deepEqual(reasons(planned), ['g1 duplicate_mac', 'g2 duplicate_mac']);
  t.deepEqual(reasons(planFor({ desired: desired({}, { mac: MAC, vlans: [7] }), observed })), ['g1 plugging', 'g2 plugging']);
});

const refusals: readonly { readonly reason: string; readonly adapter: Partial<typeof adapter>; readonly observed?: Observed }[] = [
  { reason: 'adapter_without_vfs', adapter: { vfs: [] } },
  { reason: 'vf_budget_exhausted', adapter: { limits: { vfs: 0, queues: 2048 } } },
  { reason: 'queue_budget_exhausted', adapter: { limits: { vfs: 254, queues: 1 } } },
  { reason: 'no_free_vf', adapter: {}, observed: withVfs(withoutLinks(onSoftware(), 'vf0', 'vf1'), {}) },
  { reason: 'no_free_vf', adapter: { limits: { vfs: 0, queues: 0 } }, observed: withVfs(withoutLinks(onSoftware(), 'vf0', 'vf1'), {}) },
  {
    reason: 'vf_too_few_queues',
    adapter: {},
    observed: withLinks(onSoftware(), link('vfp0', 4, { txQueues: 0 }), link('vfp1', 5, { txQueues: 0 })),
  },
  { reason: 'bridge_missing', adapter: {}, observed: withoutLinks(onSoftware(), 'br0') },
];

for (const [index, { reason, adapter: more, observed = onSoftware() }] of refusals.entries()) {
  test(`refused (${index}): ${reason}`, (t) => {
    const planned = planFor({ desired: { ...wanted, adapters: [{ ...adapter, ...more }] }, observed });
    t.deepEqual(
      words(planned).filter((word) => !word.includes('redirects')),
      [],
    );
    t.deepEqual(reasons(planned), [`g1 ${reason}`]);
  });
}

test('while the uplink refuses our program, new vNICs wait, and others stay as they are', (t) => {
  const adapterTroubles = new Map([['nic0', { reason: 'attach_refused' as const, message: 'foreign', failures: 1, notBeforeMs: 0 }]]);
  const fresh = planFor({ desired: wanted, observed: untouched(), adapterTroubles });
  t.deepEqual([words(fresh), reasons(fresh)], [[], ['g1 attach_refused']]);
  t.deepEqual(words(planFor({ desired: wanted, observed: onVf(), adapterTroubles })), []);
});

test('nothing is planned for a vNIC that something is being done for, and nothing is swept meanwhile', (t) => {
  const observed: Observed = { ...onSoftware(), txPorts: new Set([2, 3, 78]) };
  const tenants = tenantsAt(onSoftware(), onlySoftware);
  t.deepEqual(words(planFor({ desired: wanted, observed, tenants, busy: new Set(tenants.map((tenant) => tenant.key)) })), []);
});

test('the uplink is attached to once, and redirected to while it is up', (t) => {
  const kinds = (observed: Observed): unknown => planAdapter(adapter, desired(), observed)?.actions.map((action) => action.kind) ?? null;
  t.deepEqual(kinds({ ...untouched(), programs: new Map(), txPorts: new Set() }), ['attach-program', 'write-tx-port']);
  t.is(kinds(untouched()), null);
  t.deepEqual(kinds(withLinks(untouched(), link('pf0', 2, { up: false }))), ['write-tx-port']);
  t.is(kinds(withoutLinks(untouched(), 'pf0')), null);
});

test('a guest that moved after its links were seen without carrier has not lost its VF; one that stays without has', (t) => {
  const plugging = tenantsAt(onVf(), wanted).map((tenant): Tenant => {
    const { stage } = tenant.state;
    if (stage.phase !== 'accelerated') throw new Error(`${stage.phase}`);
    return { ...tenant, state: { ...tenant.state, stage: { phase: 'plugging', step: 'waiting', vf: stage.vf, deadlineMs: 9999 } } };
  });
  const observed = withLinks(onVf(), link('vfp0', 4, { ...VF_IN_USE, carrier: false }));
  const first = planFor({ observed, desired: wanted, tenants: plugging });
  t.deepEqual([phases(first.tenants), words(first)], [['g1 accelerated'], []]);
  const second = planFor({ observed, desired: wanted, tenants: first.tenants });
  t.deepEqual(phases(second.tenants), ['g1 draining/releasing']);
});

test('only vNICs whose VF port went bad are rescued', (t) => {
  const tenants = tenantsAt(onVf(), wanted);
  const rescued = (observed: Observed): number => planRescue(tenants, observed.links, DEFAULT_TIMING).length;
  t.is(rescued(onVf()), 0);
  t.is(rescued(withoutLinks(onVf(), 'vfp0')), 1);
  t.is(rescued(withLinks(onVf(), link('vfp0', 4, { up: false }))), 1);
  t.is(rescued(withLinks(onVf(), link('vfp0', 4, { up: true, carrier: false }))), 1);
  t.is(rescued(withLinks(onVf(), link('vfp0', 44, { up: true }))), 1);
});
