/** Frames that were kept back while guests changed their path. */
import { Histogram, type Registry } from 'prom-client';
import type { MonitorEvent } from '../../control/protocol.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';
import { VnicCounter } from '../vnic_counter.js';

const RESULTS = ['delivered', 'stale', 'lost'] as const;
const PATHS = ['software', 'accelerated'] as const;
/** From what nobody notices to what a connection may not survive. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** From none to as many as one pause has room for, and more. */
const LOST = [0, 1, 10, 100, 1000, 10_000];

export interface HoldCollector extends Collector {
  /** To be told of every event. */
  heard(event: MonitorEvent): void;
}

export function holdCollector(readings: Readings, registry: Registry, vnicNames: () => Iterable<string>): HoldCollector {
  const frames = new VnicCounter(
    readings,
    'unipath_hold_frames_total',
    'Frames that were kept back while the guest changed to this path, by what became of them: lost and stale ones never arrived.',
    PATHS.flatMap((path) => RESULTS.map((result) => ({ path, result }))),
  );
  const seconds = new Histogram({
    name: 'unipath_hold_duration_seconds',
    help: 'How long the first frame that was kept back waited, by the path that the guest changed to.',
    labelNames: ['path'],
    buckets: SECONDS,
    registers: [registry],
  });
  const losses = new Histogram({
    name: 'unipath_hold_lost_frames',
    help: 'Frames, of those that were kept back in one change to this path, that never arrived: stale and lost ones.',
    labelNames: ['path'],
    buckets: LOST,
    registers: [registry],
  });
  for (const histogram of [seconds, losses]) for (const path of PATHS) histogram.zero({ path });
  return {
    name: 'holds',
    collect: () => frames.collect(vnicNames()),
    heard({ kind, vnic, fields }) {
      if (kind !== 'hold' || vnic === null) return;
      const path = String(fields['path']);
      for (const result of RESULTS) frames.increase(vnic, { path, result }, Number(fields[result] ?? 0));
      losses.observe({ path }, Number(fields['stale'] ?? 0) + Number(fields['lost'] ?? 0));
      if (Number(fields['delivered']) > 0) seconds.observe({ path }, Number(fields['waited_ms']) / 1000);
    },
  };
}
