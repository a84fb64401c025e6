/** Settings of the object that a run goes through in turn: clocks that are about to wrap, slices of flows, the knobs. */
import type { Knobs } from '../core/packet/model.js';

export interface Variant extends Knobs {
  /** The programs' clock stands still here. */
  readonly tick: number;
}

export const VARIANTS: readonly Variant[] = [
  // The low 16 bits have just wrapped: a record written before has a large `seen`.
  { tick: 0x0001_0003, flowsPerVnic: 16, uplinkPartialChecksum: true },
  { tick: 0x0012_8000, flowsPerVnic: 64, uplinkPartialChecksum: false },
  // All 32 bits wrap soon, or have just done so.
  { tick: 0xffff_fffe, flowsPerVnic: 16, uplinkPartialChecksum: true },
  { tick: 5, flowsPerVnic: 4, uplinkPartialChecksum: true },
];

export function variantOf(episode: number): Variant {
  return VARIANTS[episode % VARIANTS.length]!;
}
