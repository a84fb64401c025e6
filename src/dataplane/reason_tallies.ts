/** What the programs decided, of all vNICs together. */
import { hostMaps } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import { RawMap } from '../native/map.js';
import type { Tally } from './port.js';
import type { Site } from './site.js';
import { toVnicTally } from './tallies.js';

export interface ReasonTally extends Tally {
  readonly reason: string;
}

/** Row of the frames of no known vNIC. */
const NO_VNIC = 0;

/** In the order of enum reason. */
export function readReasonTallies(site: Site): readonly ReasonTally[] {
  const counters = RawMap.fromPin(site.pins.map(hostMaps.counters.name), { readOnly: true });
  try {
    const nothing = Buffer.alloc(counters.entrySize);
    const rows = [NO_VNIC, ...site.vnics.map(({ id }) => id)].map((id) => toVnicTally(id, counters.get(encode(u32, id)) ?? nothing).reasons);
    return Object.keys(rows[0] ?? {}).map((reason) => ({
      reason,
      packets: rows.reduce((sum, row) => sum + (row[reason]?.packets ?? 0), 0),
      bytes: rows.reduce((sum, row) => sum + (row[reason]?.bytes ?? 0), 0),
    }));
  } finally {
    counters.close();
  }
}
