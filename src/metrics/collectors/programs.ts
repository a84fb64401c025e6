/** How long the packet programs run. */
import type { ProgramRuns } from '../../dataplane/port.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

const CONDITION = 'counted by the kernel only while sysctl kernel.bpf_stats_enabled is 1.';

export function programCollector(readings: Readings, programRuns: () => readonly ProgramRuns[]): Collector {
  const runs = readings.counter('unipath_bpf_program_runs_total', `Runs of a packet program; ${CONDITION}`, ['program']);
  const seconds = readings.counter('unipath_bpf_program_run_seconds_total', `Time in a packet program; ${CONDITION}`, ['program']);
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
