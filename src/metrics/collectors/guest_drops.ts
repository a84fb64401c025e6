/** Frames of guests that were dropped, by the path on which they were sent. */
import type { VnicPath } from '../../core/model.js';
import type { GuestDropTally } from '../../dataplane/port.js';
import { type Collector, VNICS_A_TURN } from '../collector.js';
import { Kept } from '../kept.js';
import type { Cell, Readings } from '../readings.js';
import { chunksOf } from '../turns.js';

const PATHS: readonly VnicPath[] = ['software', 'accelerated'];
/** For which bpf/guest.bpf.c drops. Each from zero, so that the first one is seen as a rise. */
const REASONS = [
  'drop_spoofed_mac', 'drop_spoofed_vlan', 'drop_spoofed_arp', 'drop_spoofed_nd', 'drop_spoofed_ip', 'drop_control', 'drop_rate',
] as const;

export interface GuestDropSource {
  guestDrops(): readonly GuestDropTally[];
  /** Id -> name; rows without a name belong to a vNIC that is on its way out. */
  vnicIds(): ReadonlyMap<number, string>;
}

export function guestDropCollector(readings: Readings, source: GuestDropSource): Collector {
  const drops = readings.counter(
    'unipath_vnic_transmit_drops_total',
    'Frames that the guest sent and that were dropped, by the path on which it did and why; each is in unipath_vnic_frames_total, too.',
    ['vnic', 'path', 'reason'],
  );
  const cells = new Kept((vnic) => {
    const all = PATHS.flatMap((path) => REASONS.map((reason) => [`${path} ${reason}`, drops.cell({ vnic, path, reason })] as const));
    return new Map<string, Cell>(all);
  });
  return {
    name: 'guest_drops',
    *collect() {
      drops.clear();
      for (const vnics of chunksOf(source.vnicIds().values(), VNICS_A_TURN)) {
        for (const vnic of vnics) for (const cell of cells.of(vnic).values()) cell.set(0);
        yield;
      }
      const names = source.vnicIds();
      for (const { vnic: id, path, reason, packets } of source.guestDrops()) {
        const vnic = names.get(id);
        if (vnic !== undefined) cells.of(vnic).get(`${path} ${reason}`)?.set(packets);
      }
      cells.letGo();
    },
  };
}
