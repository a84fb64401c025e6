/** The data plane's counters as the API shows them. Pure. */
import type { RedirectErrorTally, VnicTally } from '../dataplane/port.js';
import type { CountersReply } from './protocol.js';

/** Row 0 counts the frames of no known vNIC. */
const NO_VNIC = 0;

/** @param names id -> name; rows of ids without a name belong to a vNIC that is on its way out and are left out */
export function countersOf(
  tallies: readonly VnicTally[],
  redirectErrors: readonly RedirectErrorTally[],
  names: ReadonlyMap<number, string>,
): Omit<CountersReply, 'schema'> {
  const vnics = tallies.flatMap((row) => {
    const name = names.get(row.id);
    if (name === undefined) return [];
    return {
      name,
      reasons: row.reasons,
      tap_queues: row.tapQueues,
      vf_queues: row.vfQueues,
      from_tap: row.fromTap,
      from_vf: row.fromVf,
      cpu_handovers: row.cpuHandovers,
      flows_learnt: row.flowsLearnt,
      flows_moved: row.flowsMoved,
      flows_replaced: row.flowsReplaced,
      flows_expired: row.flowsExpired,
      path_changes: row.pathChanges,
    };
  });
  return {
    vnics,
    unknown: tallies.find(({ id }) => id === NO_VNIC)?.reasons ?? {},
    redirect_errors: redirectErrors.map((error) => ({ ...error, packets: Number(error.packets) })),
  };
}
