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

/** How flows are spread over a port; null when it has no queue. A port with more queues than can be told apart is not spread over. */
export function planSteering(queues: number, cpus: readonly number[], salt = 0): SteeringRow | null {
  if (queues < 1) return null;
  const told = queues > MAX_QUEUES ? 1 : queues;
  const queueCpus = planQueueCpus(told, cpus, salt);
  return { queues: told, queueCpus, reta: buildReta(queueCpus), hashTypes: DEFAULT_HASH_TYPES, rssRow: 0 };
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
    a.reta.length === b.reta.length &&
    a.reta.every((queue, index) => queue === b.reta[index]) &&
    [...new Set(a.reta)].every((queue) => a.queueCpus[queue] === b.queueCpus[queue])
  );
}
