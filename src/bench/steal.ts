/** CPU time that the hypervisor gave to others, from /proc/stat. */
import { readFileSync } from 'node:fs';

export interface CpuTimes {
  /** In clock ticks since boot. */
  readonly total: number;
  readonly steal: number;
}

/** @throws Error when there is no such CPU */
export function parseCpuTimes(text: string, cpu: number): CpuTimes {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`cpu${cpu} `));
  if (line === undefined) throw new Error(`CPU ${cpu} is not in /proc/stat`);
  // user nice system idle iowait irq softirq steal; guest times are part of user time already.
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return { total: ticks.reduce((sum, value) => sum + value, 0), steal: ticks[7] ?? 0 };
}

export function readCpuTimes(cpu: number): CpuTimes {
  return parseCpuTimes(readFileSync('/proc/stat', 'utf8'), cpu);
}

/** Share of the time between two looks, 0..1. */
export function stealShare(before: CpuTimes, after: CpuTimes): number {
  const total = after.total - before.total;
  return total <= 0 ? 0 : (after.steal - before.steal) / total;
}
