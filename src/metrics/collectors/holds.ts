/** Frames that were kept back while guests changed their path, and what was announced to switches: counted as it happens. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { MonitorEvent } from '../../control/protocol.js';

const RESULTS = ['delivered', 'stale', 'lost'] as const;
/** From what nobody notices to what a connection may not survive. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Returns what is to be told of every event. */
export function holdCounters(registry: Registry): (event: MonitorEvent) => void {
  const frames = new Counter({
    name: 'unipath_hold_frames_total',
    help: 'Frames that were kept back while the guest changed to this path, by what became of them.',
    labelNames: ['vnic', 'path', 'result'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'unipath_hold_duration_seconds',
    help: 'How long the first frame that was kept back waited, by the path that the guest changed to.',
    labelNames: ['path'],
    buckets: SECONDS,
    registers: [registry],
  });
  const announcements = new Counter({
    name: 'unipath_announcements_total',
    help: 'Announcements of a vNIC to switches.',
    labelNames: ['vnic'],
    registers: [registry],
  });
  return ({ kind, vnic, fields }) => {
    if (vnic === null) return;
    if (kind === 'action' && fields['action'] === 'announce') announcements.inc({ vnic });
    if (kind !== 'hold') return;
    const path = String(fields['path']);
    for (const result of RESULTS) frames.inc({ vnic, path, result }, Number(fields[result] ?? 0));
    if (Number(fields['delivered']) > 0) seconds.observe({ path }, Number(fields['waited_ms']) / 1000);
  };
}
