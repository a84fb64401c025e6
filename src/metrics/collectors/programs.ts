/** How long the packet programs run. */
import type { Registry } from 'prom-client';
import type { ProgramRuns } from '../../dataplane/port.js';
import { type Collector, counter } from '../collector.js';

const CONDITION = 'counted by the kernel only while sysctl kernel.bpf_stats_enabled is 1.';

export function programCollector(registry: Registry, programRuns: () => readonly ProgramRuns[]): Collector {
  const runs = counter(registry, 'unipath_bpf_program_runs_total', `Runs of a packet program; ${CONDITION}`, ['program']);
  const seconds = counter(registry, 'unipath_bpf_program_run_seconds_total', `Time in a packet program; ${CONDITION}`, ['program']);
  return {
    name: 'programs',
    collect() {
      for (const family of [runs, seconds]) family.clear();
      for (const { program, count, nanoseconds } of programRuns()) {
        runs.set({ program }, count);
        seconds.set({ program }, Number(nanoseconds) / 1e9);
      }
    },
  };
}
