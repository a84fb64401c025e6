/** What the data plane has counted. */
import { getSystemErrorName } from 'node:util';
import type { VnicPath } from '../../core/model.js';
import { verdictOf } from '../../core/verdict.js';
import type { RedirectErrorTally, Tally, VnicTally } from '../../dataplane/port.js';
import { type Collector, VNICS_A_TURN } from '../collector.js';
import { Kept } from '../kept.js';
import type { Cell, Family, Labels, Readings } from '../readings.js';
import { chunksOf } from '../turns.js';

/** Where the numbers come from. */
export interface TrafficSource {
  /** Of these rows, now. */
  tallies(ids: readonly number[]): readonly VnicTally[];
  redirectErrors(): readonly RedirectErrorTally[];
  /** Id -> name; rows without a name belong to a vNIC that is on its way out. */
  vnicIds(): ReadonlyMap<number, string>;
}

/** Each from zero, so that the first one is seen as a rise. */
const ERROR_KINDS: readonly RedirectErrorTally['kind'][] = ['redirect', 'devmap', 'cpumap', 'exception'];

/** Row 0 counts the frames of no known vNIC. */
const NO_VNIC = 0;

function errnoName(errno: number): string {
  if (errno === 0) return 'none';
  try {
    return getSystemErrorName(-errno);
  } catch {
    return String(errno);
  }
}

export function trafficCollector(readings: Readings, source: TrafficSource): Collector {
  const count = (name: string, help: string, labels: readonly string[]) => readings.counter(`unipath_${name}`, help, labels);
  const reasonLabels = ['vnic', 'verdict', 'reason'];
  const frames = count('vnic_frames_total', 'Frames of a vNIC by what was decided and why.', reasonLabels);
  const bytes = count('vnic_bytes_total', 'Bytes of a vNIC by what was decided and why.', reasonLabels);
  const sentFrames = count('vnic_transmit_frames_total', 'Frames that the guest sent, by the path on which it did.', ['vnic', 'path']);
  const sentBytes = count('vnic_transmit_bytes_total', 'Bytes that the guest sent, by the path on which it did.', ['vnic', 'path']);
  const queues = count('vnic_queue_frames_total', 'Frames redirected to a queue of the guest, by path and queue.', [
    'vnic',
    'path',
    'queue',
  ]);
  const handovers = count('vnic_cpu_handovers_total', 'Frames redirected through another CPU to reach their queue.', ['vnic']);
  const learnt = count('vnic_flows_learnt_total', 'Flows learnt from what the guest sends.', ['vnic']);
  const moved = count('vnic_flows_moved_total', 'Known flows that the guest moved to another queue.', ['vnic']);
  const replaced = count('vnic_flows_replaced_total', 'Flows learnt in the place of one that had been quiet.', ['vnic']);
  const expired = count('vnic_flows_expired_total', 'Frames of flows whose queue was learnt too long ago to be used.', ['vnic']);
  const changes = count('vnic_path_changes_total', 'Changes of path that the guest made by transmitting.', ['vnic']);
  const unknownFrames = count('unknown_frames_total', 'Frames of no known vNIC by what was decided and why.', ['verdict', 'reason']);
  const unknownBytes = count('unknown_bytes_total', 'Bytes of no known vNIC by what was decided and why.', ['verdict', 'reason']);
  const errors = count('redirect_errors_total', 'Frames lost after they were redirected, by place and error; none: the kernel gives none.', ['kind', 'error']);
  const single: readonly (readonly [Family, (row: VnicTally) => number])[] = [
    [handovers, (row) => row.cpuHandovers],
    [learnt, (row) => row.flowsLearnt],
    [moved, (row) => row.flowsMoved],
    [replaced, (row) => row.flowsReplaced],
    [expired, (row) => row.flowsExpired],
    [changes, (row) => row.pathChanges],
  ];
  const perVnic = [frames, bytes, sentFrames, sentBytes, queues, ...single.map(([family]) => family)];

  /** The series of each reason, made when it is first seen. */
  const byReason = (labels: Labels, packets: Family, octets: Family): ((all: VnicTally['reasons']) => void) => {
    const cells = new Map<string, { readonly packets: Cell; readonly octets: Cell }>();
    return (all) => {
      for (const reason in all) {
        let cell = cells.get(reason);
        if (cell === undefined) {
          const named = { ...labels, verdict: verdictOf(reason), reason };
          cells.set(reason, (cell = { packets: packets.cell(named), octets: octets.cell(named) }));
        }
        cell.packets.set(all[reason]?.packets ?? 0);
        cell.octets.set(all[reason]?.bytes ?? 0);
      }
    };
  };

  const byPath = (vnic: string, path: VnicPath): ((sent: Tally, perQueue: readonly number[]) => void) => {
    const [packets, octets] = [sentFrames.cell({ vnic, path }), sentBytes.cell({ vnic, path })];
    const cells: Cell[] = [];
    return (sent, perQueue) => {
      packets.set(sent.packets);
      octets.set(sent.bytes);
      for (let queue = 0; queue < perQueue.length; queue++) {
        // There are 64 rows whatever the port has: those never used say nothing, and would be most of the scrape.
        if (perQueue[queue] === 0) continue;
        (cells[queue] ??= queues.cell({ vnic, path, queue: String(queue) })).set(perQueue[queue] ?? 0);
      }
    };
  };

  /** Everything of one vNIC. */
  const filler = (vnic: string): ((row: VnicTally) => void) => {
    const reasons = byReason({ vnic }, frames, bytes);
    const [software, accelerated] = [byPath(vnic, 'software'), byPath(vnic, 'accelerated')];
    const others = single.map(([family, read]) => ({ cell: family.cell({ vnic }), read }));
    return (row) => {
      reasons(row.reasons);
      software(row.fromTap, row.tapQueues);
      accelerated(row.fromVf, row.vfQueues);
      for (const { cell, read } of others) cell.set(read(row));
    };
  };
  const fillers = new Kept(filler);
  const fillUnknown = byReason({}, unknownFrames, unknownBytes);

  return {
    name: 'traffic',
    *collect() {
      for (const family of [...perVnic, unknownFrames, unknownBytes, errors]) family.clear();
      for (const ids of chunksOf([NO_VNIC, ...source.vnicIds().keys()], VNICS_A_TURN)) {
        // A row may have changed its owner since the turn before: whose it is, is asked when it is read.
        const names = source.vnicIds();
        for (const row of source.tallies(ids)) {
          if (row.id === NO_VNIC) fillUnknown(row.reasons);
          const vnic = names.get(row.id);
          if (vnic !== undefined) fillers.of(vnic)(row);
        }
        yield;
      }
      fillers.letGo();
      for (const kind of ERROR_KINDS) errors.set({ kind, error: 'none' }, 0);
      // By kind and error only: interfaces come and go, and their numbers mean nothing after a while.
      for (const { kind, errno, packets } of source.redirectErrors()) errors.set({ kind, error: errnoName(errno) }, packets);
    },
  };
}
