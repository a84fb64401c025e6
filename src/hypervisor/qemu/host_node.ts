/** Looks on which NUMA node of this host a machine runs: by what QEMU says of its memory, else by where its CPUs may run. */
import { allowedCpus, numaNodes } from '../../host/numa.js';
import type { GuestCpu } from './machine.js';
import { nodeOfCpus, nodeOfMemory } from './numa.js';

/**
 * Null: on no node alone, or it cannot be told. QEMU says its threads as its own kernel numbers them: in another PID namespace they are not
 * there, or not of one process.
 * @param memdevs answer to query-memdev
 */
export function hostNodeOf(memdevs: unknown, cpus: readonly GuestCpu[]): number | null {
  const node = nodeOfMemory(memdevs);
  const nodes = node === null ? numaNodes() : new Map<number, readonly number[]>();
  const allowed = nodes.size < 2 ? null : allowedCpus(cpus.map(({ threadId }) => threadId));
  return node ?? (allowed === null ? null : nodeOfCpus(allowed, nodes));
}
