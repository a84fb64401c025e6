/**
 * On which NUMA node of the host a machine runs, where it is bound to one. Pure.
 * Sources: query-memdev in QEMU's qapi/machine.json (HostMemPolicy); "Cpus_allowed_list" of /proc/PID/status (proc_pid_status(5)).
 */
import { z } from 'zod';

const MEMDEVS = z.array(z.object({ 'host-nodes': z.array(z.int()), policy: z.string() }));

const only = (nodes: Iterable<number>): number | null => {
  const [first, ...others] = new Set(nodes);
  return first === undefined || others.length > 0 ? null : first;
};

/** The one node that all its memory comes from (policy `bind` or `preferred`); null: none, several, or QEMU does not say. */
export function nodeOfMemory(memdevs: unknown): number | null {
  const parsed = MEMDEVS.safeParse(memdevs);
  if (!parsed.success || parsed.data.some(({ policy }) => policy !== 'bind' && policy !== 'preferred')) return null;
  return only(parsed.data.flatMap((memdev) => memdev['host-nodes']));
}

/**
 * The one node on whose CPUs alone its CPUs may run; null: none.
 * @param allowed for each of the machine's CPUs, those of the host that it may run on
 * @param nodes of the host, with their CPUs
 */
export function nodeOfCpus(allowed: readonly (readonly number[])[], nodes: ReadonlyMap<number, readonly number[]>): number | null {
  if (nodes.size < 2) return null;
  const nodeOf = (cpu: number): number => [...nodes].find(([, cpus]) => cpus.includes(cpu))?.[0] ?? -1;
  const node = only(allowed.flatMap((cpus) => cpus.map(nodeOf)));
  return node === -1 ? null : node;
}
