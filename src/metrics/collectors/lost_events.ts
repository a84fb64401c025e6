/** Events of the packet programs that never reached the control plane. */
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

export function lostEventCollector(readings: Readings, count: () => bigint): Collector {
  const lost = readings.counter(
    'unipath_events_lost_total',
    'What packet programs had to tell unipathd and found no room for: it did not run, or did not read in time. It looks at the host all the same.',
    [],
  );
  return {
    name: 'lost_events',
    collect() {
      lost.clear();
      lost.set({}, count());
    },
  };
}
