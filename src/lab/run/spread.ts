/** From counters before and after to how the frames of a step were steered. Pure. */
import type { CountersReply, VnicStatus } from '../../control/protocol.js';
import type { QueueSpread, SteeringCounts } from '../results.js';

type VnicCounters = CountersReply['vnics'][number];

/** A vNIC that was not there before counts from 0. Queues that the port does not have are left out. */
function difference(before: readonly number[] | undefined, after: readonly number[], queues: number): number[] {
  return Array.from({ length: queues }, (_, queue) => (after[queue] ?? 0) - (before?.[queue] ?? 0));
}

export function spreadOf(status: VnicStatus, before: VnicCounters | null, after: VnicCounters): QueueSpread[] {
  const spread: QueueSpread[] = [
    {
      guest: status.name,
      port: 'tap',
      frames: difference(before?.tap_queues, after.tap_queues, status.tap_queues.queues),
      unreachable: status.tap_queues.unreachable,
    },
  ];
  if (status.vf_queues !== null) {
    spread.push({
      guest: status.name,
      port: 'vf',
      frames: difference(before?.vf_queues, after.vf_queues, status.vf_queues.queues),
      unreachable: status.vf_queues.unreachable,
    });
  }
  return spread;
}

export function steeringOf(before: VnicCounters | null, after: VnicCounters): SteeringCounts {
  const packets = (reason: string): number => (after.reasons[reason]?.packets ?? 0) - (before?.reasons[reason]?.packets ?? 0);
  return {
    rfs: packets('redirect_rfs'),
    rss: packets('redirect_rss'),
    single: packets('redirect_single'),
    bridge: packets('pass_software') + packets('pass_no_target') + packets('pass_oversize') + packets('pass_partial_checksum'),
  };
}

export function addSteering(a: SteeringCounts, b: SteeringCounts): SteeringCounts {
  return { rfs: a.rfs + b.rfs, rss: a.rss + b.rss, single: a.single + b.single, bridge: a.bridge + b.bridge };
}
