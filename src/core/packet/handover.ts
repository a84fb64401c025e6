/** What is put before a frame that another CPU shall send: the key of the vNIC it is for (struct handover). */
import { HandoverBit, handoverCodec } from '../../../maps/generated/contract.js';

export const HANDOVER_BYTES = handoverCodec.size;

export interface Handover {
  readonly key: bigint;
  /** Its VLAN tag was changed. */
  readonly retagged: boolean;
  /** It was made for the uplink. */
  readonly wire: boolean;
}

const RETAGGED = 1n << BigInt(HandoverBit.RETAGGED_SHIFT);
const WIRE = 1n << BigInt(HandoverBit.WIRE_SHIFT);

export function pushHandover(frame: Uint8Array, { key, retagged, wire }: Handover): Uint8Array {
  const handed = new Uint8Array(HANDOVER_BYTES + frame.length);
  new DataView(handed.buffer).setBigUint64(0, key | (retagged ? RETAGGED : 0n) | (wire ? WIRE : 0n), true);
  handed.set(frame, HANDOVER_BYTES);
  return handed;
}

export function readHandover(frame: Uint8Array): Handover {
  const word = new DataView(frame.buffer, frame.byteOffset).getBigUint64(0, true);
  return { key: word & ~(RETAGGED | WIRE), retagged: (word & RETAGGED) !== 0n, wire: (word & WIRE) !== 0n };
}
