/** How full the maps are that can be full. */
import type { MapUsage } from '../../dataplane/port.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

export function mapCollector(readings: Readings, usage: () => readonly MapUsage[]): Collector {
  const entries = readings.gauge('unipath_bpf_map_entries', 'Entries in use, of maps that can be full.', ['map']);
  const maxEntries = readings.gauge('unipath_bpf_map_max_entries', 'Entries that the map has room for.', ['map']);
  return {
    name: 'maps',
    collect() {
      for (const family of [entries, maxEntries]) family.clear();
      for (const { map, ...counts } of usage()) {
        entries.set({ map }, counts.entries);
        maxEntries.set({ map }, counts.maxEntries);
      }
    },
  };
}
