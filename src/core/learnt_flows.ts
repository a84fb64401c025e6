/** Flows that were learnt of a guest, as they go from one host to another: tags and queues, no addresses. Pure. */

export interface LearntFlow {
  /** In the table of its vNIC. */
  readonly slot: number;
  /** Tells the flows of one slot apart: upper half of the flow hash. */
  readonly tag: number;
  /** On which the guest sends it. */
  readonly queue: number;
  /** Milliseconds since the guest last sent it. */
  readonly ageMs: number;
}

export interface LearntFlows {
  /** Key of the flow hash, 64 bits: slot and tag mean nothing without it. */
  readonly seed: bigint;
  /** Of the table that they were in; a power of two. */
  readonly slots: number;
  readonly flows: readonly LearntFlow[];
}

/**
 * The same flows in a table of so many slots, each in the slot where the packet programs look for it. Where two meet, the one that was used
 * last stays. @throws RangeError for a larger table: the bits that would choose the slot there are not known any more
 */
export function fitFlows({ slots: from, flows }: LearntFlows, slots: number): LearntFlow[] {
  if (slots > from) throw new RangeError(`a table of ${slots} flows cannot take those of one of ${from}: where they belong in it is not known`);
  const bySlot = new Map<number, LearntFlow>();
  for (const flow of flows) {
    const slot = flow.slot & (slots - 1);
    const other = bySlot.get(slot);
    if (other === undefined || flow.ageMs < other.ageMs) bySlot.set(slot, { ...flow, slot });
  }
  return [...bySlot.values()];
}
