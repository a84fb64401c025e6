/** A frame made of a flow's fields, with finished checksums: what `flow explain` asks about. Pure. */
import ipaddr from 'ipaddr.js';
import { internetChecksum } from '../core/checksum.js';
import { macBytes } from '../core/model.js';

export interface FrameFields {
  readonly from: string;
  readonly to: string;
  /** Outer tag; null = none. */
  readonly vlan: number | null;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** Where the protocol has them. */
  readonly ports: { readonly source: number; readonly destination: number } | null;
  /** Of the whole frame; null = as long as its headers and a few bytes. */
  readonly length: number | null;
}

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;
const SCTP = 132;
const PAYLOAD = 8;
/** Of protocols with ports: TCP, UDP and SCTP headers. */
const HEADER_BYTES: Readonly<Record<number, number>> = { [ICMP]: 8, [TCP]: 20, [UDP]: 8, [ICMPV6]: 8, [SCTP]: 12 };

function pseudoHeader(source: Buffer, destination: Buffer, protocol: number, length: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt32BE(protocol, 4);
  return Buffer.concat([source, destination, tail]);
}

/** L4 header and payload, `length` bytes. */
function upper(fields: FrameFields, source: Buffer, destination: Buffer, length: number): Buffer {
  const { protocol, ports } = fields;
  const bytes = Buffer.alloc(length);
  if (ports !== null) {
    bytes.writeUInt16BE(ports.source, 0);
    bytes.writeUInt16BE(ports.destination, 2);
  }
  const finish = (at: number, covered: Buffer): void => {
    const checksum = internetChecksum(covered, bytes);
    bytes.writeUInt16BE(checksum === 0 && protocol === UDP ? 0xffff : checksum, at);
  };
  const pseudo = pseudoHeader(source, destination, protocol, length);
  if (protocol === TCP) {
    bytes.writeUInt8(0x50, 12);
    bytes.writeUInt8(0x10, 13);
    finish(16, pseudo);
  } else if (protocol === UDP) {
    bytes.writeUInt16BE(length, 4);
    finish(6, pseudo);
  } else if (protocol === ICMP || protocol === ICMPV6) {
    bytes.writeUInt8(protocol === ICMP ? 8 : 128, 0);
    finish(2, protocol === ICMP ? Buffer.alloc(0) : pseudo);
  } else if (protocol === SCTP) {
    // Any sum but zero, which says that the device shall make it.
    bytes.writeUInt32BE(1, 8);
  }
  return bytes;
}

/** @throws RangeError when `length` is less than its headers, or the addresses are of two families */
export function makeFrame(fields: FrameFields): Buffer {
  const [source, destination] = [fields.source, fields.destination].map((text) => Buffer.from(ipaddr.parse(text).toByteArray())) as [
    Buffer,
    Buffer,
  ];
  if (source.length !== destination.length) throw new RangeError(`${fields.source} and ${fields.destination} are not of the same family`);
  const ipHeader = source.length === 4 ? 20 : 40;
  const ethernet = fields.vlan === null ? 14 : 18;
  const least = ethernet + ipHeader + (HEADER_BYTES[fields.protocol] ?? 0);
  const length = fields.length ?? least + PAYLOAD;
  if (length < least) throw new RangeError(`${length} bytes are too few: the headers alone have ${least}`);
  const content = upper(fields, source, destination, length - ethernet - ipHeader);
  const type = Buffer.alloc(2);
  type.writeUInt16BE(source.length === 4 ? 0x0800 : 0x86dd);
  const tag = Buffer.alloc(fields.vlan === null ? 0 : 4);
  if (fields.vlan !== null) {
    tag.writeUInt16BE(0x8100, 0);
    tag.writeUInt16BE(fields.vlan, 2);
  }
  const head =
    source.length === 4
      ? ipv4(fields.protocol, source, destination, content.length)
      : ipv6(fields.protocol, source, destination, content.length);
  return Buffer.concat([macBytes(fields.to), macBytes(fields.from), tag, type, head, content]);
}

function ipv4(protocol: number, source: Buffer, destination: Buffer, payload: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(Math.min(0xffff, 20 + payload), 2);
  header.writeUInt16BE(0x4000, 6);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  source.copy(header, 12);
  destination.copy(header, 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return header;
}

function ipv6(protocol: number, source: Buffer, destination: Buffer, payload: number): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(Math.min(0xffff, payload), 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(64, 7);
  source.copy(header, 8);
  destination.copy(header, 24);
  return header;
}
