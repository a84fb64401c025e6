/** The headers that packet_builder.ts strings together: how each is written before what it carries. */
import ipaddr from 'ipaddr.js';
import { internetChecksum, onesSum } from '../../src/core/checksum.js';

export const EtherType = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, serviceVlan: 0x88a8, ipv6: 0x86dd, control: 0x88b5 } as const;
export const IpProtocol = {
  hopByHop: 0, icmp: 1, igmp: 2, tcp: 6, udp: 17, routing: 43, fragment: 44, icmpv6: 58, destination: 60, sctp: 132,
} as const;
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const CONTROL_MAGIC = 0x554e4950;

/** Offset in bytes, a multiple of 8; `more`: fragments follow. */
export interface Fragment {
  readonly offset: number;
  readonly more: boolean;
}

export interface Ipv4Fields {
  readonly from: string;
  readonly to: string;
  /** A multiple of 4 bytes, at most 40. */
  readonly options?: Uint8Array;
  readonly fragment?: Fragment;
  /** Of a payload that is no header of this builder. */
  readonly protocol?: number;
  /** Fields written as they are, right or wrong. */
  readonly version?: number;
  readonly headerWords?: number;
}

export interface Ipv6Fields {
  readonly from: string;
  readonly to: string;
  readonly fragment?: Fragment;
  readonly protocol?: number;
  readonly version?: number;
}

export interface ControlFields {
  readonly command: number;
  readonly sequence?: number;
  readonly magic?: number;
}

/** What an inner header needs to know of the outer ones: the pseudo-header without length and protocol. */
export interface Surroundings {
  readonly addresses: Uint8Array | null;
}

/** One header. `wrap` puts it before what it carries; the codes are how the outer header names it. */
export interface Layer {
  readonly etherType?: number;
  readonly ipProtocol?: number;
  readonly addresses?: Uint8Array;
  wrap(inner: Buffer, next: Layer | undefined, around: Surroundings): Buffer;
}

export function macBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll(':', ''), 'hex');
  if (bytes.length !== 6) throw new RangeError(`"${text}" is not a MAC address`);
  return bytes;
}

/** 4 or 16 bytes, network order. */
export function addressBytes(text: string): Buffer {
  return Buffer.from(ipaddr.parse(text).toByteArray());
}

function addressPair(fields: { from: string; to: string }, size: 4 | 16): Buffer {
  const pair = Buffer.concat([addressBytes(fields.from), addressBytes(fields.to)]);
  if (pair.length !== 2 * size) throw new RangeError(`${fields.from} -> ${fields.to} are not two addresses of ${size} bytes`);
  return pair;
}

/** Pseudo-header of RFC 9293 section 3.1 and RFC 8200 section 8.1; both sum to the same with 32-bit fields. */
function pseudoHeader(around: Surroundings, length: number, protocol: number): Buffer {
  if (around.addresses === null) throw new Error('TCP, UDP and ICMPv6 need an IP header around them');
  const rest = Buffer.alloc(8);
  rest.writeUInt32BE(length, 0);
  rest.writeUInt32BE(protocol, 4);
  return Buffer.concat([around.addresses, rest]);
}

/** `full`: right. `partial`: the pseudo-header sum, as a sender leaves it whose device is to finish it. A number: as it is. */
export type ChecksumKind = 'full' | 'partial' | 'none' | number;

/** Writes the L4 checksum into a whole segment whose field is still 0. */
function setChecksum(segment: Buffer, at: number, protocol: number, around: Surroundings, kind: ChecksumKind): Buffer {
  const pseudo = pseudoHeader(around, segment.length, protocol);
  let value: number;
  if (typeof kind === 'number') value = kind;
  else if (kind === 'none') value = 0;
  else if (kind === 'partial') value = onesSum(pseudo);
  else value = internetChecksum(pseudo, segment);
  // RFC 768: 0 means "no checksum", so a UDP sum of 0 is sent as ones.
  if (kind === 'full' && protocol === IpProtocol.udp && value === 0) value = 0xffff;
  segment.writeUInt16BE(value, at);
  return segment;
}

export function ethernetLayer(from: string, to: string, type: number | undefined): Layer {
  return {
    wrap: (inner, next) => {
      const header = Buffer.alloc(14);
      macBytes(to).copy(header, 0);
      macBytes(from).copy(header, 6);
      header.writeUInt16BE(type ?? next?.etherType ?? 0, 12);
      return Buffer.concat([header, inner]);
    },
  };
}

export function tagLayer(etherType: number, id: number, priority: number): Layer {
  return {
    etherType,
    wrap: (inner, next) => {
      const tag = Buffer.alloc(4);
      tag.writeUInt16BE((priority << 13) | id, 0);
      tag.writeUInt16BE(next?.etherType ?? 0, 2);
      return Buffer.concat([tag, inner]);
    },
  };
}

export function ipv4Layer(fields: Ipv4Fields): Layer {
  const options = fields.options ?? Buffer.alloc(0);
  if (options.length % 4 !== 0 || options.length > 40) throw new RangeError(`IPv4 options of ${options.length} bytes`);
  const addresses = addressPair(fields, 4);
  return {
    etherType: EtherType.ipv4,
    addresses,
    wrap: (inner, next) => {
      const header = Buffer.alloc(20 + options.length);
      header.writeUInt8(((fields.version ?? 4) << 4) | (fields.headerWords ?? header.length / 4), 0);
      header.writeUInt16BE(header.length + inner.length, 2);
      if (fields.fragment !== undefined) {
        header.writeUInt16BE(0x4711, 4);
        header.writeUInt16BE((fields.fragment.more ? 0x2000 : 0) | (fields.fragment.offset / 8), 6);
      }
      header.writeUInt8(64, 8);
      header.writeUInt8(fields.protocol ?? next?.ipProtocol ?? 0, 9);
      addresses.copy(header, 12);
      header.set(options, 20);
      header.writeUInt16BE(internetChecksum(header), 10);
      return Buffer.concat([header, inner]);
    },
  };
}

export function ipv6Layer(fields: Ipv6Fields): Layer {
  const addresses = addressPair(fields, 16);
  return {
    etherType: EtherType.ipv6,
    addresses,
    wrap: (inner, next) => {
      const protocol = fields.protocol ?? next?.ipProtocol ?? 59 /* no next header */;
      const extension = fields.fragment === undefined ? Buffer.alloc(0) : fragmentHeader(fields.fragment, protocol);
      const header = Buffer.alloc(40);
      header.writeUInt8((fields.version ?? 6) << 4, 0);
      header.writeUInt16BE(extension.length + inner.length, 4);
      header.writeUInt8(fields.fragment === undefined ? protocol : IpProtocol.fragment, 6);
      header.writeUInt8(64, 7);
      addresses.copy(header, 8);
      return Buffer.concat([header, extension, inner]);
    },
  };
}

function fragmentHeader(fragment: Fragment, protocol: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(protocol, 0);
  header.writeUInt16BE(fragment.offset | (fragment.more ? 1 : 0), 2);
  header.writeUInt32BE(0x4711, 4);
  return header;
}

/** An IPv6 extension header that does nothing: PadN to `length` bytes, a multiple of 8. Of a routing header the type, and how many hops are left. */
export function extensionLayer(ipProtocol: number, length: number, segmentsLeft = 0): Layer {
  return {
    ipProtocol,
    wrap: (inner, next) => {
      const header = Buffer.alloc(length);
      header.writeUInt8(next?.ipProtocol ?? 59, 0);
      header.writeUInt8(length / 8 - 1, 1);
      header.writeUInt8(1 /* PadN */, 2);
      header.writeUInt8(ipProtocol === IpProtocol.routing ? segmentsLeft : Math.min(length - 4, 255), 3);
      return Buffer.concat([header, inner]);
    },
  };
}

export function tcpLayer(from: number, to: number, flags: number, checksum: ChecksumKind): Layer {
  return {
    ipProtocol: IpProtocol.tcp,
    wrap: (inner, _next, around) => {
      const header = Buffer.alloc(20);
      header.writeUInt16BE(from, 0);
      header.writeUInt16BE(to, 2);
      header.writeUInt32BE(1, 4);
      header.writeUInt8(5 << 4, 12);
      header.writeUInt8(flags, 13);
      header.writeUInt16BE(0xffff, 14);
      return setChecksum(Buffer.concat([header, inner]), 16, IpProtocol.tcp, around, checksum);
    },
  };
}

export function udpLayer(from: number, to: number, checksum: ChecksumKind): Layer {
  return {
    ipProtocol: IpProtocol.udp,
    wrap: (inner, _next, around) => {
      const header = Buffer.alloc(8);
      header.writeUInt16BE(from, 0);
      header.writeUInt16BE(to, 2);
      header.writeUInt16BE(8 + inner.length, 4);
      return setChecksum(Buffer.concat([header, inner]), 6, IpProtocol.udp, around, checksum);
    },
  };
}

/** SCTP common header; the CRC is not computed: `checksum` is any value that is not zero, unless it shall be. */
export function sctpLayer(from: number, to: number, checksum: number): Layer {
  return {
    ipProtocol: IpProtocol.sctp,
    wrap: (inner) => {
      const header = Buffer.alloc(12);
      header.writeUInt16BE(from, 0);
      header.writeUInt16BE(to, 2);
      header.writeUInt32BE(0x1234, 4);
      header.writeUInt32LE(checksum, 8);
      return Buffer.concat([header, inner]);
    },
  };
}

/** Neighbour solicitation (135) or advertisement (136), without options. */
export function ndLayer(type: 135 | 136, target: string): Layer {
  return {
    ipProtocol: IpProtocol.icmpv6,
    wrap: (inner, _next, around) => {
      const message = Buffer.concat([Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]), addressBytes(target), inner]);
      return setChecksum(message, 2, IpProtocol.icmpv6, around, 'full');
    },
  };
}

export function echoLayer(): Layer {
  return {
    ipProtocol: IpProtocol.icmp,
    wrap: (inner) => {
      const message = Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 1, 0, 1]), inner]);
      message.writeUInt16BE(internetChecksum(message), 2);
      return message;
    },
  };
}

export function echoV6Layer(): Layer {
  return {
    ipProtocol: IpProtocol.icmpv6,
    wrap: (inner, _next, around) =>
      setChecksum(Buffer.concat([Buffer.from([128, 0, 0, 0, 0, 1, 0, 1]), inner]), 2, IpProtocol.icmpv6, around, 'full'),
  };
}

export function arpLayer(senderMac: string, sender: string, target: string): Layer {
  return {
    etherType: EtherType.arp,
    wrap: (inner) => {
      const ethernetIpv4Request = Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]);
      return Buffer.concat([ethernetIpv4Request, macBytes(senderMac), addressBytes(sender), Buffer.alloc(6), addressBytes(target), inner]);
    },
  };
}

/** struct control_frame of maps/control_frame.h, 48 bytes. */
export function controlLayer(fields: ControlFields): Layer {
  return {
    etherType: EtherType.control,
    wrap: (inner) => {
      const body = Buffer.alloc(48);
      body.writeUInt32BE(fields.magic ?? CONTROL_MAGIC, 0);
      body.writeUInt32BE(fields.sequence ?? 0, 4);
      body.writeUInt8(fields.command, 8);
      return Buffer.concat([body, inner]);
    },
  };
}

