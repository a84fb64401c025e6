/** How late the control plane hears of what the packet programs tell. */
import { Histogram, type Registry } from 'prom-client';
import type { DataPlaneEvent } from '../../dataplane/port.js';

const KINDS: Readonly<Record<DataPlaneEvent['kind'], string>> = { 'path-changed': 'path_changed', heard: 'heard', control: 'control' };

/** Returns what is to be told of every event. `nowNs`: CLOCK_MONOTONIC, which is the programs' clock, too. */
export function eventDelays(registry: Registry, nowNs: () => bigint): (event: DataPlaneEvent) => void {
  const seconds = new Histogram({
    name: 'unipath_event_delay_seconds',
    help: 'From a packet program that tells of something, with its map already changed, until unipathd has read it.',
    labelNames: ['kind'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers: [registry],
  });
  for (const kind of Object.values(KINDS)) seconds.zero({ kind });
  return ({ kind, timeNs }) => seconds.observe({ kind: KINDS[kind] }, Number(nowNs() - timeNs) / 1e9);
}
