/** What was announced to switches. */
import type { MonitorEvent } from '../../control/protocol.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';
import { VnicCounter } from '../vnic_counter.js';

export interface AnnouncementCollector extends Collector {
  /** To be told of every event. */
  heard(event: MonitorEvent): void;
}

export function announcementCollector(readings: Readings, vnicNames: () => Iterable<string>): AnnouncementCollector {
  const announcements = new VnicCounter(readings, 'unipath_announcements_total', 'Announcements of a vNIC to switches.', [{}]);
  return {
    name: 'announcements',
    collect: () => announcements.collect(vnicNames()),
    heard({ kind, vnic, fields }) {
      if (vnic !== null && kind === 'action' && fields['action'] === 'announce') announcements.increase(vnic, {}, 1);
    },
  };
}
