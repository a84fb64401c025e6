/**
 * Queue = CPU: a device takes the transmit queue of a redirected frame from the CPU that sends it (CPU number modulo
 * queues), so a queue is reached only through a CPU congruent to it.
 */
import { DEFAULT_HASH_TYPES, MAX_CPUS, MAX_QUEUES } from './limits.js';
import type { SteeringRow } from './model.js';
import { buildReta } from './reta.js';

/**
 * For each of `queues` queues a CPU that reaches it, or null when no usable CPU does. Two queues never share a CPU;
 * `salt` (a vNIC's id) lets different ports use different CPUs of the congruent ones.
 */
export function planQueueCpus(queues: number, cpus: readonly number[], salt = 0): (number | null)[] {
  const usable = cpus.filter((cpu) => cpu < MAX_CPUS);
  return Array.from({ length: queues }, (_, queue) => {
    const congruent = usable.filter((cpu) => cpu % queues === queue);
    return congruent[salt % congruent.length] ?? null;
  });
}

/** How flows shall be spread, whatever the port. */
export interface Spread {
  /** Share of each queue, 0 for those beyond its end; empty = equal shares. */
  readonly weights: readonly number[];
  /** Bits of enum hash_type. */
  readonly hashTypes: number;
  /** Row of the RSS key in force. */
  readonly rssRow: number;
  /** The uplink's NIC has that key, too. */
  readonly nicHash: boolean;
}

export const DEFAULT_SPREAD: Spread = { weights: [], hashTypes: DEFAULT_HASH_TYPES, rssRow: 0, nicHash: false };

/**
 * How flows are spread over a port; null when it has no queue. A port with more queues than can be told apart is not spread over.
 * `before` is how they are spread now: as few of them move as possible.
 */
export function planSteering(
  queues: number,
  cpus: readonly number[],
  salt = 0,
  spread: Spread = DEFAULT_SPREAD,
  before: SteeringRow | null = null,
): SteeringRow | null {
  if (queues < 1) return null;
  const told = queues > MAX_QUEUES ? 1 : queues;
  const queueCpus = planQueueCpus(told, cpus, salt);
  const { weights, hashTypes, rssRow, nicHash } = spread;
  return { queues: told, queueCpus, reta: buildReta(queueCpus, weights, before?.reta), hashTypes, rssRow, nicHash };
}

/** Queues that no CPU reaches: no flow is steered to them. */
export function unreachableQueues(row: SteeringRow): number[] {
  return row.queueCpus.flatMap((cpu, queue) => (cpu === null ? [queue] : []));
}

/** Do both rows steer alike? What stands for an unreachable queue does not matter: nothing leads there. */
export function sameSteering(a: SteeringRow | null, b: SteeringRow | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.queues === b.queues &&
    a.hashTypes === b.hashTypes &&
    a.rssRow === b.rssRow &&
    a.nicHash === b.nicHash &&
    a.reta.length === b.reta.length &&
    a.reta.every((queue, index) => queue === b.reta[index]) &&
    [...new Set(a.reta)].every((queue) => a.queueCpus[queue] === b.queueCpus[queue])
  );
}
