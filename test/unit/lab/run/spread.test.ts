import test from 'ava';
import type { CountersReply, VnicStatus } from '../../../../src/control/protocol.js';
import { steeringOf } from '../../../../src/lab/run/spread.js';

type Counters = CountersReply['vnics'][number];

const status: VnicStatus = {
  name: 'g1',
  id: 1,
  mac: '52:54:00:77:00:01',
  vlan: 0,
  vlans: [0],
  access: false,
  addresses: null,
  cut_through: { setting: 'auto', in_force: false, why: '' },
  hash_types: [],
  adapter: 'nic0',
  tap: 'tap-g1',
  want: 'accelerated',
  want_source: 'operator',
  path: 'accelerated',
  phase: 'accelerated',
  reason: 'none',
  reason_text: '',
  vf: 'vfp0',
  vf_redirect: 'xdp',
  max_rate: null,
  terms: { quota: null, priority: 0, numa_node: null },
  reservation: null,
  generation: 1,
  tap_queues: { queues: 2, unreachable: [], shares: [50, 50] },
  vf_queues: { queues: 4, unreachable: [2, 3], shares: [50, 50, 0, 0] },
};

const counters = (change: Partial<Counters>): Counters => ({
  name: 'g1',
  reasons: {},
  tap_queues: [],
  vf_queues: [],
  from_tap: { packets: 0, bytes: 0 },
  from_vf: { packets: 0, bytes: 0 },
  cpu_handovers: 0,
  flows_learnt: 0,
  flows_moved: 0,
  flows_replaced: 0,
  flows_expired: 0,
  path_changes: 0,
  ...change,
});

const packets = (count: number) => ({ packets: count, bytes: count * 100 });

test('what a step steered is the difference of its counters', (t) => {
  const before = counters({ reasons: { redirect_rfs: packets(10), pass_software: packets(7) }, vf_queues: [5, 5, 0, 0] });
  const after = counters({
    reasons: { redirect_rfs: packets(110), redirect_rss: packets(3), pass_software: packets(9), pass_unknown_mac: packets(50) },
    vf_queues: [65, 48, 0, 0],
  });
  t.deepEqual(steeringOf(status, before, after), {
    guest: 'g1',
    ports: [
      { port: 'tap', frames: [0, 0], unreachable: [] },
      { port: 'vf', frames: [60, 43, 0, 0], unreachable: [2, 3] },
    ],
    rfs: 100,
    rss: 3,
    single: 0,
    bridge: 2,
  });
});

test('a vNIC that was not there before counts from 0, and one without a VF has no VF port', (t) => {
  const steering = steeringOf(
    { ...status, vf_queues: null },
    null,
    counters({ reasons: { redirect_single: packets(4) }, tap_queues: [4, 0] }),
  );
  t.deepEqual(steering.ports, [{ port: 'tap', frames: [4, 0], unreachable: [] }]);
  t.is(steering.single, 4);
});
