/** What the control socket says and takes about learnt flows; see protocol.ts for the routes. */

/** Slot, tag, queue, milliseconds since the guest last sent it. */
export type FlowEntry = readonly [slot: number, tag: number, queue: number, ageMs: number];

export interface FlowsReply {
  readonly schema: number;
  readonly vnic: string;
  /** Key of the flow hash, 16 hexadecimal digits; null: the vNIC is not in the maps, so nothing is learnt. */
  readonly seed: string | null;
  /** Of its table; a power of two. */
  readonly slots: number;
  readonly flows: readonly FlowEntry[];
}

export interface FlowsRequest {
  readonly seed: string;
  readonly slots: number;
  readonly flows: readonly FlowEntry[];
}

export interface FlowsTaken {
  readonly schema: number;
  readonly vnic: string;
  /** So many have a place here. */
  readonly taken: number;
  /** The guest has not arrived yet; they are put in their places as soon as it has. */
  readonly waits: boolean;
}
