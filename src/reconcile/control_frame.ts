/** The control frame that asks a guest's plug-in to stop using its VF; layout in maps/control_frame.h. */
import type { MacAddress } from '../core/model.js';

const CONTROL_ETHERTYPE = 0x88b5;
const CONTROL_MAGIC = 0x554e4950;
const CONTROL_DRAIN = 1;
/** Locally administered; nobody answers to it. */
const SOURCE: readonly number[] = [0x02, 0, 0, 0, 0, 0x01];
const HEADER_LENGTH = 14;
const FRAME_LENGTH = HEADER_LENGTH + 48;

/** 62 bytes, to the vNIC's MAC address. The answer repeats `sequence`. */
export function drainFrame(mac: MacAddress, sequence: number): Buffer {
  const frame = Buffer.alloc(FRAME_LENGTH);
  frame.set(mac.split(':').map((octet) => Number.parseInt(octet, 16)), 0);
  frame.set(SOURCE, 6);
  frame.writeUInt16BE(CONTROL_ETHERTYPE, 12);
  frame.writeUInt32BE(CONTROL_MAGIC, HEADER_LENGTH);
  frame.writeUInt32BE(sequence, HEADER_LENGTH + 4);
  frame.writeUInt8(CONTROL_DRAIN, HEADER_LENGTH + 8);
  return frame;
}
