/** TCP as a sender leaves it whose device cuts it up: one frame for several, and what must arrive of it. */
import { internetChecksum } from '../../../src/core/checksum.js';
import { frame } from '../../support/packet_builder.js';
import type { Station } from './bed.js';
import type { Unfinished } from './raw_port.js';

const ETHERNET_HEADER = 14;
const TAG = 4;
const TCP_HEADER = 20;
const TCP_PORT = 6000;

/** Bytes of payload: of each segment, and of all. */
export interface Burst {
  readonly segment: number;
  readonly payload: number;
}

const payloadByte = (at: number): number => (at * 7 + (at >> 8)) & 0xff;

/** Payload bytes of an untagged TCP segment that is right in every byte; null for another or a damaged one. */
export function rightPayload(bytes: Buffer, family: 4 | 6): number | null {
  return rightSegment(bytes, family)?.length ?? null;
}

/** The same, and where its payload belongs. */
export function rightSegment(bytes: Buffer, family: 4 | 6): { readonly at: number; readonly length: number } | null {
  const l3 = family === 4 ? 20 : 40;
  const l4 = bytes.subarray(ETHERNET_HEADER + l3);
  if (bytes.length < ETHERNET_HEADER + l3 + TCP_HEADER || bytes.readUInt16BE(ETHERNET_HEADER + l3 + 2) !== TCP_PORT) return null;
  const ipHeader = bytes.subarray(ETHERNET_HEADER, ETHERNET_HEADER + l3);
  const addresses = family === 4 ? ipHeader.subarray(12, 20) : ipHeader.subarray(8, 40);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(l4.length, 0);
  pseudo.writeUInt32BE(6, 4);
  const segment = Buffer.concat([addresses, pseudo, l4]);
  if (internetChecksum(segment) !== 0 || (family === 4 && internetChecksum(ipHeader) !== 0)) return null;
  const at = l4.readUInt32BE(4) - 1;
  const payload = l4.subarray(TCP_HEADER);
  return payload.every((byte, i) => byte === payloadByte(at + i)) ? { at, length: payload.length } : null;
}

export function unfinishedTcp(source: Station, target: Station, family: 4 | 6, burst: Burst, vlan = 0): { bytes: Buffer; left: Unfinished } {
  const { segment, payload } = burst;
  const [from, there] = family === 4 ? [source.ipv4, target.ipv4] : [source.ipv6, target.ipv6];
  const content = Buffer.from(Array.from({ length: payload }, (_, i) => payloadByte(i)));
  const ethernet = frame().ethernet({ from: source.mac, to: target.mac });
  const bytes = (vlan === 0 ? ethernet : ethernet.vlan(vlan)).ip(from, there).partialChecksum().tcp(5000, TCP_PORT)
    .payload(content).build();
  const checksumStart = ETHERNET_HEADER + (vlan === 0 ? 0 : TAG) + (family === 4 ? 20 : 40);
  const kind = family === 4 ? 'tcp4' : 'tcp6';
  return { bytes, left: { checksumStart, checksumOffset: 16, segment, headerBytes: checksumStart + TCP_HEADER, kind } };
}
