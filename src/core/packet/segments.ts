/** Cutting an aggregated frame into those that it stands for, for a port whose device does not (net/ipv4/tcp_offload.c does the same). */
import { internetChecksum } from '../checksum.js';
import { putU16, u16, u32 } from './bytes.js';
import { type Ethernet, parseEthernet } from './ethernet.js';
import { L4, type Packet, parsePacket } from './ip.js';
import type { UnfinishedFrame } from './offload.js';
import { pseudoHeaderSum } from './partial_checksum.js';

const FLAGS_AT = 13;
const FIN_AND_PSH = 0x09;
const CWR = 0x80;

function writeIp(frame: Uint8Array, { at }: Ethernet, { family, at: l4At }: Packet, index: number): void {
  if (family === 6) {
    putU16(frame, at + 4, frame.length - at - 40);
    return;
  }
  putU16(frame, at + 2, frame.length - at);
  putU16(frame, at + 4, u16(frame, at + 4) + index);
  putU16(frame, at + 10, 0);
  putU16(frame, at + 10, internetChecksum(frame.subarray(at, l4At)));
}

function writeTcp(frame: Uint8Array, at: number, offset: number, first: boolean, last: boolean): void {
  const sequence = (u32(frame, at + 4) + offset) >>> 0;
  putU16(frame, at + 4, sequence >>> 16);
  putU16(frame, at + 6, sequence & 0xffff);
  if (!last) frame[at + FLAGS_AT] = (frame[at + FLAGS_AT] ?? 0) & ~FIN_AND_PSH;
  if (!first) frame[at + FLAGS_AT] = (frame[at + FLAGS_AT] ?? 0) & ~CWR;
}

/** In order; of each the checksum is still to be finished. The frame itself when it is no aggregate. */
export function segmentsOf(frame: Uint8Array, { segment, checksumStart, checksumOffset }: UnfinishedFrame): Uint8Array[] {
  if (segment === null) return [frame];
  const { headerBytes, payloadBytes } = segment;
  const segments: Uint8Array[] = [];
  for (let offset = 0; headerBytes + offset < frame.length; offset += payloadBytes) {
    const payload = frame.subarray(headerBytes + offset, headerBytes + offset + payloadBytes);
    const cut = new Uint8Array(headerBytes + payload.length);
    cut.set(frame.subarray(0, headerBytes));
    cut.set(payload, headerBytes);
    const ethernet = parseEthernet(cut, cut.length);
    if (ethernet === null) return [frame];
    const packet = parsePacket(ethernet);
    writeIp(cut, ethernet, packet, segments.length);
    if (packet.l4 === L4.tcp) writeTcp(cut, checksumStart, offset, offset === 0, headerBytes + offset + payloadBytes >= frame.length);
    else putU16(cut, checksumStart + 4, cut.length - checksumStart);
    putU16(cut, checksumStart + checksumOffset, pseudoHeaderSum(cut, parsePacket(ethernet)));
    segments.push(cut);
  }
  return segments;
}
