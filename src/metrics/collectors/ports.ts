/** What the ports of each vNIC have taken for its guest, as their devices count. */
import type { VnicPorts } from '../../control/controller.js';
import type { MonitorEvent } from '../../control/protocol.js';
import type { VnicPath } from '../../core/model.js';
import { type Collector, VNICS_A_TURN } from '../collector.js';
import { Kept } from '../kept.js';
import { PortCounts, type PortStatistics } from '../port_counts.js';
import type { Readings } from '../readings.js';
import { chunksOf } from '../turns.js';

export interface PortSource {
  statistics(): Promise<PortStatistics>;
  vnicPorts(): Iterable<VnicPorts>;
}

export interface PortCollector extends Collector {
  /** To be told of every event: where a port becomes another vNIC's, it is read. */
  heard(event: MonitorEvent): void;
}

const WHERE = "Of a VF behind the adapter's own switch there is none: only the adapter counts there.";

export function portCollector(readings: Readings, source: PortSource): PortCollector {
  const frames = readings.counter('unipath_port_delivered_frames_total', `Frames for the guest that the port of a path took, whoever sent them and by whatever way. ${WHERE}`, ['vnic', 'path']);
  const bytes = readings.counter('unipath_port_delivered_bytes_total', `Bytes for the guest that the port of a path took, as its device counts: veth leaves the Ethernet header out. ${WHERE}`, ['vnic', 'path']);
  const dropped = readings.counter('unipath_port_dropped_frames_total', `Frames for the guest that the port of a path dropped, mostly because its queue was full. ${WHERE}`, ['vnic', 'path']);
  const counts = new PortCounts();
  const cells = new Kept((vnic) => {
    const ofPath = (path: VnicPath) => {
      const labels = { vnic, path };
      return { frames: frames.cell(labels), bytes: bytes.cell(labels), dropped: dropped.cell(labels) };
    };
    return { software: ofPath('software'), accelerated: ofPath('accelerated') };
  });
  let last: Promise<void> = Promise.resolve();
  const read = (): Promise<void> => {
    const reading = last.then(async () => {
      const now = await source.statistics();
      counts.read(source.vnicPorts(), now);
    });
    last = reading.catch(() => undefined);
    return reading;
  };
  return {
    name: 'ports',
    async prepare() {
      for (const family of [frames, bytes, dropped]) family.clear();
      await read();
    },
    *collect() {
      for (const chunk of chunksOf(counts.all(), VNICS_A_TURN)) {
        for (const [vnic, paths] of chunk) {
          for (const [path, count] of paths) {
            const cell = cells.of(vnic)[path];
            cell.frames.set(count.frames);
            cell.bytes.set(count.bytes);
            cell.dropped.set(count.dropped);
          }
        }
        yield;
      }
      cells.letGo();
    },
    heard({ kind, vnic }) {
      // One that fails is made up for by the next scrape, which tells.
      if (vnic !== null && (kind === 'phase' || kind === 'vf')) read().catch(() => undefined);
    },
  };
}
