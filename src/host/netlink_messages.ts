/** Netlink framing: message headers, (nested) attributes, host byte order. Pure. */
import { endianness } from 'node:os';

const LITTLE = endianness() === 'LE';
export const readU16 = (buf: Buffer, at: number): number => (LITTLE ? buf.readUInt16LE(at) : buf.readUInt16BE(at));
export const readU32 = (buf: Buffer, at: number): number => (LITTLE ? buf.readUInt32LE(at) : buf.readUInt32BE(at));
/** Beyond 2^53 the last digits are lost. */
export const readU64 = (buf: Buffer, at: number): number => Number(LITTLE ? buf.readBigUInt64LE(at) : buf.readBigUInt64BE(at));
const writeU16 = (buf: Buffer, value: number, at: number): number => (LITTLE ? buf.writeUInt16LE(value, at) : buf.writeUInt16BE(value, at));
const writeU32 = (buf: Buffer, value: number, at: number): number => (LITTLE ? buf.writeUInt32LE(value, at) : buf.writeUInt32BE(value, at));

const HEADER_SIZE = 16;
const ATTRIBUTE_HEADER_SIZE = 4;
const align4 = (length: number): number => (length + 3) & ~3;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const NLA_F_NESTED = 0x8000;
const NLM_F_REQUEST = 0x1;
const NLM_F_DUMP = 0x300;
/** The list changed while it was being read: it may lack or repeat entries. */
export const NLM_F_DUMP_INTR = 0x10;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Splits a datagram. @throws RangeError when a length does not fit. */
export function* splitMessages(datagram: Buffer): Generator<NetlinkMessage> {
  let offset = 0;
  while (offset + HEADER_SIZE <= datagram.length) {
    const length = readU32(datagram, offset);
    if (length < HEADER_SIZE || offset + length > datagram.length) throw new RangeError(`netlink message of ${length} bytes at ${offset}`);
    yield {
      type: readU16(datagram, offset + 4),
      flags: readU16(datagram, offset + 6),
      sequence: readU32(datagram, offset + 8),
      payload: datagram.subarray(offset + HEADER_SIZE, offset + length),
    };
    offset += align4(length);
  }
}

/** Attributes in their order, the nested flag removed; a list repeats a type. @throws RangeError when a length does not fit. */
export function listAttributes(buf: Buffer): readonly (readonly [type: number, value: Buffer])[] {
  const list: (readonly [number, Buffer])[] = [];
  let offset = 0;
  while (offset + ATTRIBUTE_HEADER_SIZE <= buf.length) {
    const length = readU16(buf, offset);
    if (length < ATTRIBUTE_HEADER_SIZE || offset + length > buf.length)
      throw new RangeError(`netlink attribute of ${length} bytes at ${offset}`);
    list.push([readU16(buf, offset + 2) & 0x3fff, buf.subarray(offset + ATTRIBUTE_HEADER_SIZE, offset + length)]);
    offset += align4(length);
  }
  return list;
}

/** Attributes by type, the nested flag removed. A repeated type keeps its last. @throws RangeError when a length does not fit. */
export function readAttributes(buf: Buffer): ReadonlyMap<number, Buffer> {
  return new Map(listAttributes(buf));
}

/** Error number of an NLMSG_ERROR or NLMSG_DONE: 0 or a positive errno. */
export function messageErrno(message: NetlinkMessage): number {
  return message.payload.length >= 4 ? -(readU32(message.payload, 0) | 0) : 0;
}

/** One attribute, padded. */
export function writeAttribute(type: number, value: Buffer): Buffer {
  const attribute = Buffer.alloc(align4(ATTRIBUTE_HEADER_SIZE + value.length));
  writeU16(attribute, ATTRIBUTE_HEADER_SIZE + value.length, 0);
  writeU16(attribute, type, 2);
  value.copy(attribute, ATTRIBUTE_HEADER_SIZE);
  return attribute;
}

/** One that holds attributes. The flag is what newer families insist on. */
export function writeNested(type: number, ...attributes: readonly Buffer[]): Buffer {
  return writeAttribute(type | NLA_F_NESTED, Buffer.concat(attributes));
}

export function bytesOfU32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeU32(bytes, value, 0);
  return bytes;
}

/** A request; with `dump` for everything there is of its kind. */
export function writeRequest(type: number, sequence: number, payload: Buffer, dump: boolean): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  writeU32(header, HEADER_SIZE + payload.length, 0);
  writeU16(header, type, 4);
  writeU16(header, NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0), 6);
  writeU32(header, sequence, 8);
  return Buffer.concat([header, payload]);
}

/** Text up to its first NUL. */
export function readText(buf: Buffer | undefined): string | null {
  return buf === undefined ? null : buf.toString('utf8').replace(/\0.*$/s, '');
}

/** null when the attribute is absent. */
export function readNumber(buf: Buffer | undefined): number | null {
  return buf === undefined || buf.length < 4 ? null : readU32(buf, 0);
}
