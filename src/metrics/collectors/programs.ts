/** Where the packet programs run, and for how long. */
import type { Attachment, ProgramRuns } from '../../dataplane/port.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

const CONDITION = 'counted by the kernel only while sysctl kernel.bpf_stats_enabled is 1.';

const ATTACHED = ['steer_uplink', 'steer_uplink_hw', 'steer_guest'] as const;
const MODES = ['native', 'generic'] as const;

export interface ProgramSource {
  programRuns(): readonly ProgramRuns[];
  attachments(): readonly Attachment[];
}

export function programCollector(readings: Readings, source: ProgramSource): Collector {
  const attached = readings.gauge('unipath_bpf_program_interfaces', 'Interfaces on which a packet program runs, by the mode of XDP that it has there.', [
    'program',
    'xdp_mode',
  ]);
  const runs = readings.counter('unipath_bpf_program_runs_total', `Runs of a packet program; ${CONDITION}`, ['program']);
  const seconds = readings.counter('unipath_bpf_program_run_seconds_total', `Time in a packet program; ${CONDITION}`, ['program']);
  return {
    name: 'programs',
    collect() {
      for (const family of [attached, runs, seconds]) family.clear();
      const attachments = source.attachments();
      for (const program of ATTACHED) {
        for (const mode of MODES) attached.set({ program, xdp_mode: mode }, attachments.filter((each) => each.program === program && each.mode === mode).length);
      }
      for (const { program, count, nanoseconds } of source.programRuns()) {
        runs.set({ program }, count);
        seconds.set({ program }, Number(nanoseconds) / 1e9);
      }
    },
  };
}
