/** From counters before and after to how the frames of a step were steered. Pure. */
import type { CountersReply, QueueStatus, VnicStatus } from '../../control/protocol.js';
import type { GuestSteering, PortSpread } from '../results.js';

type VnicCounters = CountersReply['vnics'][number];

/** Why frames toward a guest go by the bridge. */
const BRIDGE_REASONS = ['pass_software', 'pass_no_target', 'pass_oversize', 'pass_partial_checksum'];

/** Queues that the port does not have are left out. */
function spread(port: 'tap' | 'vf', { queues, unreachable }: QueueStatus, before: readonly number[], after: readonly number[]): PortSpread {
  return { port, frames: Array.from({ length: queues }, (_, queue) => (after[queue] ?? 0) - (before[queue] ?? 0)), unreachable };
}

/** @param before null: the vNIC was not there, so it counts from 0 */
export function steeringOf(status: VnicStatus, before: VnicCounters | null, after: VnicCounters): GuestSteering {
  const packets = (reason: string): number => (after.reasons[reason]?.packets ?? 0) - (before?.reasons[reason]?.packets ?? 0);
  const ports = [spread('tap', status.tap_queues, before?.tap_queues ?? [], after.tap_queues)];
  if (status.vf_queues !== null) ports.push(spread('vf', status.vf_queues, before?.vf_queues ?? [], after.vf_queues));
  return {
    guest: status.name,
    ports,
    rfs: packets('redirect_rfs'),
    rss: packets('redirect_rss'),
    single: packets('redirect_single'),
    bridge: BRIDGE_REASONS.reduce((sum, reason) => sum + packets(reason), 0),
  };
}
