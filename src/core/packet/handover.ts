/** What is put before a frame that another CPU shall send: the key of the vNIC it is for (struct handover). */
import { handoverCodec } from '../../../maps/generated/contract.js';

export const HANDOVER_BYTES = handoverCodec.size;

export function pushHandover(frame: Uint8Array, key: bigint): Uint8Array {
  const handed = new Uint8Array(HANDOVER_BYTES + frame.length);
  new DataView(handed.buffer).setBigUint64(0, key, true);
  handed.set(frame, HANDOVER_BYTES);
  return handed;
}

export function readHandover(frame: Uint8Array): bigint {
  return new DataView(frame.buffer, frame.byteOffset).getBigUint64(0, true);
}
