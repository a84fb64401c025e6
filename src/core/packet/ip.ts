/**
 * IPv4 (RFC 791) and IPv6 (RFC 8200) down to the L4 ports: what a frame is hashed over and checked by. Reads the first buffer only,
 * and believes no length that leads out of it.
 */
import { ContractLimit } from '../../../maps/generated/contract.js';
import { u16, u32 } from './bytes.js';
import { type Ethernet, EtherType } from './ethernet.js';

export const Protocol = {
  hopByHop: 0, icmp: 1, igmp: 2, tcp: 6, udp: 17, routing: 43, fragment: 44, esp: 50, icmpv6: 58, none: 59, destination: 60, sctp: 132,
} as const;

/** Protocols that have ports; numbered as in the flow hash and in enum hash_type. */
export const L4 = { none: 0, tcp: 1, udp: 2, sctp: 3 } as const;
export type L4 = (typeof L4)[keyof typeof L4];

const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const EXTENSION_UNIT = 8;
const FRAGMENT_MASK = 0x3fff; // "more fragments" and the offset

export interface Packet {
  /** 0: no IP header, or one that cannot be read. */
  readonly family: 0 | 4 | 6;
  /** Of the source address; the destination address follows it. */
  readonly addressesAt: number;
  /** Of an IPv4 fragment: whatever its position, there is no L4 header to look at. */
  readonly fragment: boolean;
  /** What follows the headers that were stepped over. */
  readonly protocol: number;
  /** There are more extension headers than are followed, or one is cut short: `protocol` names it. */
  readonly unresolved: boolean;
  /** A routing header that is not at its end: the destination is not the last one. */
  readonly routed: boolean;
  /** Where `protocol` begins; may lie beyond what can be read. */
  readonly at: number;
  /** Length of what `protocol` is, by the IP header, modulo 2^16. */
  readonly upperLength: number;
  /** Whose header is there and whole; else none. */
  readonly l4: L4;
}

const NOT_IP: Packet = {
  family: 0, addressesAt: 0, fragment: false, protocol: 0, unresolved: false, routed: false, at: 0, upperLength: 0, l4: L4.none,
};

/** Bytes of the header that must be there: RFC 9293, RFC 768, RFC 9260. */
function l4At(protocol: number, room: number): L4 {
  switch (protocol) {
    case Protocol.tcp: return room >= 20 ? L4.tcp : L4.none;
    case Protocol.udp: return room >= 8 ? L4.udp : L4.none;
    case Protocol.sctp: return room >= 12 ? L4.sctp : L4.none;
    default: return L4.none;
  }
}

function parseIpv4({ bytes, end, at }: Ethernet): Packet {
  if (at + IPV4_BYTES > end) return NOT_IP;
  const first = bytes[at] ?? 0;
  const headerBytes = (first & 0x0f) * 4;
  if (first >> 4 !== 4 || headerBytes < IPV4_BYTES) return NOT_IP;
  const protocol = bytes[at + 9] ?? 0;
  const fragment = (u16(bytes, at + 6) & FRAGMENT_MASK) !== 0;
  const upper = at + headerBytes;
  return {
    family: 4, addressesAt: at + 12, fragment, protocol, unresolved: false, routed: false, at: upper,
    upperLength: (u16(bytes, at + 2) - headerBytes) & 0xffff,
    l4: fragment ? L4.none : l4At(protocol, end - upper),
  };
}

/** Headers that are stepped over wherever they stand. The fragment header is none: behind it is a part of something. */
function isExtension(protocol: number): boolean {
  return protocol === Protocol.hopByHop || protocol === Protocol.destination || protocol === Protocol.routing;
}

function parseIpv6({ bytes, end, at }: Ethernet): Packet {
  if (at + IPV6_BYTES > end || (bytes[at] ?? 0) >> 4 !== 6) return NOT_IP;
  let protocol = bytes[at + 6] ?? 0;
  let upper = at + IPV6_BYTES;
  let routed = false;
  for (let i = 0; i < ContractLimit.MAX_EXTENSIONS && isExtension(protocol) && upper + EXTENSION_UNIT <= end; i++) {
    if (protocol === Protocol.routing && bytes[upper + 3] !== 0) routed = true; // segments left, RFC 8200 section 4.4
    protocol = bytes[upper] ?? 0;
    upper += ((bytes[upper + 1] ?? 0) + 1) * EXTENSION_UNIT;
  }
  return {
    family: 6, addressesAt: at + 8, fragment: false, protocol, unresolved: isExtension(protocol), routed, at: upper,
    upperLength: (u16(bytes, at + 4) - (upper - at - IPV6_BYTES)) & 0xffff,
    l4: l4At(protocol, end - upper),
  };
}

export function parsePacket(ethernet: Ethernet): Packet {
  if (ethernet.type === EtherType.ipv4) return parseIpv4(ethernet);
  if (ethernet.type === EtherType.ipv6) return parseIpv6(ethernet);
  return NOT_IP;
}

/** Bytes of one address. */
export function addressBytes(packet: Packet): number {
  return packet.family === 6 ? 16 : 4;
}

/** Of a TCP, UDP or SCTP header. */
export function sourcePort(bytes: Uint8Array, packet: Packet): number {
  return u16(bytes, packet.at);
}

export function destinationPort(bytes: Uint8Array, packet: Packet): number {
  return u16(bytes, packet.at + 2);
}

/** The checksum field; of SCTP all four bytes. */
export function checksumField(bytes: Uint8Array, packet: Packet): number {
  switch (packet.l4) {
    case L4.tcp: return u16(bytes, packet.at + 16);
    case L4.udp: return u16(bytes, packet.at + 6);
    default: return u32(bytes, packet.at + 8);
  }
}
