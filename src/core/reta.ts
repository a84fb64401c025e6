/** The indirection table: low bits of the flow hash -> queue. */
import { RETA_SIZE } from './limits.js';

/** Equal shares of RETA_SIZE entries for every queue that has a CPU; all zero when none has. */
export function buildReta(queueCpus: readonly (number | null)[]): number[] {
  const reachable = queueCpus.flatMap((cpu, queue) => (cpu === null ? [] : [queue]));
  return Array.from({ length: RETA_SIZE }, (_, bucket) => reachable[bucket % reachable.length] ?? 0);
}
