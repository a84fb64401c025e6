/** The data plane's counters as the API shows them. Pure. */
import type { RedirectErrorTally, Tally, VnicTally } from '../dataplane/port.js';
import type { CountersReply, TallyJson } from './protocol.js';

/** Row 0 counts the frames of no known vNIC. */
const NO_VNIC = 0;

/** Counters beyond 2^53 lose their last digits in JSON: after 9 PB, or 140 years at 2 million frames per second. */
function tally({ packets, bytes }: Tally): TallyJson {
  return { packets: Number(packets), bytes: Number(bytes) };
}

function reasons(all: Readonly<Record<string, Tally>>): Record<string, TallyJson> {
  return Object.fromEntries(Object.entries(all).map(([reason, counted]) => [reason, tally(counted)]));
}

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
      reasons: reasons(row.reasons),
      tap_queues: row.tapQueues.map(Number),
      vf_queues: row.vfQueues.map(Number),
      from_tap: tally(row.fromTap),
      from_vf: tally(row.fromVf),
      cpu_handovers: Number(row.cpuHandovers),
      flows_learnt: Number(row.flowsLearnt),
      flows_moved: Number(row.flowsMoved),
      flows_replaced: Number(row.flowsReplaced),
      flows_expired: Number(row.flowsExpired),
      path_changes: Number(row.pathChanges),
    };
  });
  return {
    vnics,
    unknown: reasons(tallies.find(({ id }) => id === NO_VNIC)?.reasons ?? {}),
    redirect_errors: redirectErrors.map((error) => ({ ...error, packets: Number(error.packets) })),
  };
}
