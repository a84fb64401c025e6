/** How long a vNIC takes to change its path, as its phases tell. */
import { Histogram, type Registry } from 'prom-client';
import type { MonitorEvent } from '../../control/protocol.js';

const PATHS = ['software', 'accelerated'] as const;
const OUTCOMES = ['completed', 'failed'] as const;
/** A plug-in guest changes in milliseconds; a machine has to find its driver and wait for a link. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The path that a phase leads to, and the phases in which it has come about. Every other phase after it is a failure. */
const SWITCHES: Readonly<Record<string, { readonly path: (typeof PATHS)[number]; readonly arrived: ReadonlySet<string> }>> = {
  plugging: { path: 'accelerated', arrived: new Set(['accelerated']) },
  draining: { path: 'software', arrived: new Set(['software', 'absent']) },
};

/** Returns what is to be told of every event. */
export function switchDurations(registry: Registry): (event: MonitorEvent) => void {
  const seconds = new Histogram({
    name: 'unipath_vnic_switch_duration_seconds',
    help:
      'From the beginning of a change to this path until it was done or given up: accelerated until the guest is heard on its VF, ' +
      'software until the VF is back in the pool.',
    labelNames: ['path', 'outcome'],
    buckets: SECONDS,
    registers: [registry],
  });
  for (const path of PATHS) for (const outcome of OUTCOMES) seconds.zero({ path, outcome });
  const begun = new Map<string, { readonly phase: string; readonly atMs: number }>();
  return ({ kind, vnic, fields, monotonic_ms: nowMs }) => {
    if (vnic === null || kind !== 'phase') return;
    const phase = String(fields['phase']);
    const earlier = begun.get(vnic);
    begun.delete(vnic);
    const change = SWITCHES[earlier?.phase ?? ''];
    if (earlier !== undefined && change !== undefined) {
      const outcome = change.arrived.has(phase) ? 'completed' : 'failed';
      seconds.observe({ path: change.path, outcome }, (nowMs - earlier.atMs) / 1000);
    }
    if (phase in SWITCHES) begun.set(vnic, { phase, atMs: nowMs });
  };
}
