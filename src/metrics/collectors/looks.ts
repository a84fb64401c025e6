/** How long the control plane takes to bring everything into step. */
import { Histogram, type Registry } from 'prom-client';
import type { LookReport } from '../../control/controller.js';

const OUTCOMES = ['completed', 'failed'] as const;

/** Returns what is to be told of every look at the host. */
export function lookDurations(registry: Registry): (look: LookReport) => void {
  const looks = new Histogram({
    name: 'unipath_reconcile_duration_seconds',
    help: 'Time of one look at the host and of the planning after it, by how it ended.',
    labelNames: ['outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  const settling = new Histogram({
    name: 'unipath_reconcile_settle_duration_seconds',
    help: 'From an event or a command that asks for a look at the host until maps, links and guests are in step and nothing is left to do.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  for (const outcome of OUTCOMES) looks.zero({ outcome });
  return ({ failed, durationMs, settledMs }) => {
    looks.observe({ outcome: failed ? 'failed' : 'completed' }, durationMs / 1000);
    if (settledMs !== null) settling.observe(settledMs / 1000);
  };
}
