/** Live migrations, as hypervisors tell of them. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { MonitorEvent } from '../../control/protocol.js';

const DIRECTIONS = ['outgoing', 'incoming'] as const;
/** With these MigrationStatus of QEMU a migration is over (qapi/migration.json). */
const OUTCOMES: readonly string[] = ['completed', 'failed', 'cancelled'];
/** Phases that every migration has. */
const PHASES = ['setup', 'active'] as const;
const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Returns what is to be told of every event. */
export function migrationCounts(registry: Registry): (event: MonitorEvent) => void {
  const migrations = new Counter({
    name: 'unipath_migrations_total',
    help: 'Live migrations of virtual machines from here (outgoing) and to here (incoming), by how they ended.',
    labelNames: ['direction', 'outcome'],
    registers: [registry],
  });
  const phases = new Histogram({
    name: 'unipath_migration_phase_duration_seconds',
    help: "Time that a live migration spent in a phase; the names are those of QEMU's MigrationStatus.",
    labelNames: ['direction', 'phase'],
    buckets: SECONDS,
    registers: [registry],
  });
  for (const direction of DIRECTIONS) {
    for (const outcome of OUTCOMES) migrations.inc({ direction, outcome }, 0);
    for (const phase of PHASES) phases.zero({ direction, phase });
  }
  const running = new Map<string, { readonly phase: string; readonly atMs: number }>();
  return ({ kind, fields, monotonic_ms: atMs }) => {
    if (kind !== 'guest' || fields['migration'] === undefined) return;
    const [vm, direction, phase] = [fields['vm'], fields['direction'], fields['migration']].map(String) as [string, string, string];
    const key = `${direction} ${vm}`;
    const earlier = running.get(key);
    // What an earlier one left that never ended says nothing of this one.
    if (earlier !== undefined && phase !== 'setup') phases.observe({ direction, phase: earlier.phase }, (atMs - earlier.atMs) / 1000);
    if (!OUTCOMES.includes(phase)) {
      running.set(key, { phase, atMs });
      return;
    }
    running.delete(key);
    migrations.inc({ direction, outcome: phase });
  };
}
