/** NUMA nodes of this host, and the CPUs on which a thread may run. */
import { readdirSync, readFileSync } from 'node:fs';
import { parseCpuList } from '../native/cpus.js';

const NODES = '/sys/devices/system/node';

/** CPUs of each node; empty on a kernel without NUMA. A node without CPUs has none. */
export function numaNodes(): ReadonlyMap<number, readonly number[]> {
  try {
    const numbers = readdirSync(NODES).flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? []).map(Number);
    return new Map(numbers.map((node) => [node, cpusIn(readFileSync(`${NODES}/node${node}/cpulist`, 'utf8'))]));
  } catch {
    return new Map();
  }
}

/** On which CPUs each of these threads may run; null: one of them is not there, or they are not of one process. */
export function allowedCpus(threads: readonly number[]): readonly (readonly number[])[] | null {
  const processes = new Set<string>();
  try {
    const allowed = threads.map((thread) => {
      const status = readFileSync(`/proc/${thread}/status`, 'utf8');
      processes.add(/^Tgid:\s*(\d+)$/m.exec(status)?.[1] ?? '');
      return cpusIn(/^Cpus_allowed_list:\s*(\S*)$/m.exec(status)?.[1] ?? '');
    });
    return processes.size === 1 ? allowed : null;
  } catch {
    return null;
  }
}

const cpusIn = (list: string): number[] => (list.trim() === '' ? [] : parseCpuList(list));
