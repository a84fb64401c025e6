/** What the data plane has counted. */
import { getSystemErrorName } from 'node:util';
import type { Registry } from 'prom-client';
import type { RedirectErrorTally, Tally, VnicTally } from '../../dataplane/port.js';
import { type Collector, counter } from '../collector.js';

/** Where the numbers come from. */
export interface TrafficSource {
  tallies(): readonly VnicTally[];
  redirectErrors(): readonly RedirectErrorTally[];
  /** Id -> name; rows without a name belong to a vNIC that is on its way out. */
  vnicIds(): ReadonlyMap<number, string>;
}

/** Each from zero, so that the first one is seen as a rise. */
const ERROR_KINDS: readonly RedirectErrorTally['kind'][] = ['redirect', 'devmap', 'cpumap', 'exception'];

/** Row 0 counts the frames of no known vNIC. */
const NO_VNIC = 0;

/** "redirect_rss" -> "redirect": a reason names its verdict first; a control frame is consumed, which is a drop. */
export function verdictOf(reason: string): string {
  const [verdict = ''] = reason.split('_');
  return verdict === 'control' ? 'drop' : verdict;
}

function errnoName(errno: number): string {
  if (errno === 0) return 'none';
  try {
    return getSystemErrorName(-errno);
  } catch {
    return String(errno);
  }
}

export function trafficCollector(registry: Registry, source: TrafficSource): Collector {
  const count = (name: string, help: string, labels: readonly string[]) => counter(registry, `unipath_${name}`, help, labels);
  const byReason = ['vnic', 'verdict', 'reason'];
  const frames = count('vnic_frames_total', 'Frames of a vNIC by what was decided and why.', byReason);
  const bytes = count('vnic_bytes_total', 'Bytes of a vNIC by what was decided and why.', byReason);
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
  const perVnic = [frames, bytes, sentFrames, sentBytes, queues, handovers, learnt, moved, replaced, expired, changes];

  const reasons = (
    labels: Readonly<Record<string, string>>,
    all: Readonly<Record<string, Tally>>,
    packets: typeof frames,
    octets: typeof bytes,
  ) => {
    for (const [reason, tally] of Object.entries(all)) {
      const named = { ...labels, verdict: verdictOf(reason), reason };
      packets.set(named, tally.packets);
      octets.set(named, tally.bytes);
    }
  };

  const addVnic = (vnic: string, row: VnicTally): void => {
    reasons({ vnic }, row.reasons, frames, bytes);
    for (const [path, tally, perQueue] of [
      ['software', row.fromTap, row.tapQueues],
      ['accelerated', row.fromVf, row.vfQueues],
    ] as const) {
      sentFrames.set({ vnic, path }, tally.packets);
      sentBytes.set({ vnic, path }, tally.bytes);
      // There are 64 rows whatever the port has: those never used say nothing, and would be most of the scrape.
      for (const [queue, packets] of perQueue.entries()) if (packets > 0n) queues.set({ vnic, path, queue: String(queue) }, packets);
    }
    handovers.set({ vnic }, row.cpuHandovers);
    learnt.set({ vnic }, row.flowsLearnt);
    moved.set({ vnic }, row.flowsMoved);
    replaced.set({ vnic }, row.flowsReplaced);
    expired.set({ vnic }, row.flowsExpired);
    changes.set({ vnic }, row.pathChanges);
  };

  return {
    name: 'traffic',
    collect() {
      for (const family of [...perVnic, unknownFrames, unknownBytes, errors]) family.clear();
      const names = source.vnicIds();
      for (const row of source.tallies()) {
        const vnic = names.get(row.id);
        if (row.id === NO_VNIC) reasons({}, row.reasons, unknownFrames, unknownBytes);
        else if (vnic !== undefined) addVnic(vnic, row);
      }
      for (const kind of ERROR_KINDS) errors.set({ kind, error: 'none' }, 0);
      // By kind and error only: interfaces come and go, and their numbers mean nothing after a while.
      for (const { kind, errno, packets } of source.redirectErrors()) errors.set({ kind, error: errnoName(errno) }, packets);
    },
  };
}
