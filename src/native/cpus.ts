/** Which CPUs the kernel knows. */
import { readFileSync } from 'node:fs';

/** `"0-3,8"` -> `[0, 1, 2, 3, 8]`. @throws on anything else */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) throw new Error(`not a list of CPUs: "${text.trim()}"`);
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
  }
  return cpus;
}

function readCpuList(name: string): number[] {
  return parseCpuList(readFileSync(`/sys/devices/system/cpu/${name}`, 'utf8'));
}

let possible: number | null = null;

/** Number of CPUs that could ever be there: per-CPU maps have one value for each. Fixed at boot. */
export function possibleCpus(): number {
  possible ??= Math.max(...readCpuList('possible')) + 1;
  return possible;
}

/** CPUs that run now, by number. May have gaps and may change. */
export function onlineCpus(): number[] {
  return readCpuList('online');
}
