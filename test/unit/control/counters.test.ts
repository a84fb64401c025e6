import test from 'ava';
import { countersOf } from '../../../src/control/counters.js';
import type { VnicTally } from '../../../src/dataplane/port.js';

const row = (id: number, packets: number): VnicTally => ({
  id,
  reasons: { redirect_rss: { packets, bytes: packets * 60 } },
  tapQueues: [packets, 0],
  vfQueues: [],
  fromTap: { packets: 1, bytes: 60 },
  fromVf: { packets: 0, bytes: 0 },
  cpuHandovers: 2,
  flowsLearnt: 3,
  flowsMoved: 4,
  flowsReplaced: 6,
  flowsExpired: 7,
  pathChanges: 5,
});

test('rows become named vNICs; row 0 is the unknown; rows without a name are left out', (t) => {
  const redirectErrors = [{ kind: 'devmap' as const, ifindex: 7, errno: 100, packets: 9n }];
  const counters = countersOf([row(0, 11), row(1, 5), row(2, 6)], redirectErrors, new Map([[1, 'g1']]));
  t.deepEqual(counters, {
    vnics: [
      {
        name: 'g1',
        reasons: { redirect_rss: { packets: 5, bytes: 300 } },
        tap_queues: [5, 0],
        vf_queues: [],
        from_tap: { packets: 1, bytes: 60 },
        from_vf: { packets: 0, bytes: 0 },
        cpu_handovers: 2,
        flows_learnt: 3,
        flows_moved: 4,
        flows_replaced: 6,
        flows_expired: 7,
        path_changes: 5,
      },
    ],
    unknown: { redirect_rss: { packets: 11, bytes: 660 } },
    redirect_errors: [{ kind: 'devmap', ifindex: 7, errno: 100, packets: 9 }],
  });
  t.notThrows(() => JSON.stringify(counters));
});
