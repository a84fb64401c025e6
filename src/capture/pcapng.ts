/**
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, times in ns. Pure: every function returns the bytes of one
 * block, and what is written is a section header, then the others in any order, an interface before its packets.
 */

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
const LENGTH_UNKNOWN = 0xffff_ffff_ffff_ffffn;
/** if_tsresol: 10^-9 s. */
const NANOSECONDS = 9;
/** epb_flags: the frame was received. */
const INBOUND = 1;
/** epb_verdict: the type of what follows is Linux_eBPF_XDP. */
const XDP_VERDICT = 2;

interface Option {
  readonly code: number;
  readonly value: Buffer;
}

const text = (code: number, value: string): Option => ({ code, value: Buffer.from(value) });

function u32(code: number, value: number): Option {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value >>> 0);
  return { code, value: buffer };
}

function u64(code: number, value: bigint): Option {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return { code, value: buffer };
}

/** Two words, the upper one first, whatever the byte order of each. */
function timeWords(timeNs: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeUInt32LE(Number(timeNs >> 32n), 0);
  buffer.writeUInt32LE(Number(timeNs & 0xffff_ffffn), 4);
  return buffer;
}

function padded(bytes: Buffer): Buffer {
  const rest = -bytes.length & 3;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(rest)]);
}

function options(all: readonly Option[]): Buffer {
  if (all.length === 0) return Buffer.alloc(0);
  const parts = all.flatMap(({ code, value }) => {
    if (value.length > 0xffff) throw new RangeError(`option ${code} has ${value.length} bytes; 65535 is the most`);
    const head = Buffer.alloc(4);
    head.writeUInt16LE(code, 0);
    head.writeUInt16LE(value.length, 2);
    return [head, padded(value)];
  });
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

function block(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = body.length + 12;
  const out = Buffer.alloc(length);
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(length, 4);
  body.copy(out, 8);
  out.writeUInt32LE(length, length - 4);
  return out;
}

export interface SectionFacts {
  readonly hardware: string;
  readonly os: string;
  readonly application: string;
}

export function sectionHeader({ hardware, os, application }: SectionFacts): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  fixed.writeUInt16LE(1, 4);
  fixed.writeBigUInt64LE(LENGTH_UNKNOWN, 8);
  return block(SECTION_HEADER, fixed, options([text(2, hardware), text(3, os), text(4, application)]));
}

export interface InterfaceFacts {
  readonly name: string;
  readonly description?: string;
  readonly snaplen: number;
}

/** The first one that is written is interface 0 of its section, and so on. */
export function interfaceDescription({ name, description, snaplen }: InterfaceFacts): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(LINKTYPE_ETHERNET, 0);
  fixed.writeUInt32LE(snaplen, 4);
  return block(
    INTERFACE_DESCRIPTION,
    fixed,
    options([text(2, name), ...(description === undefined ? [] : [text(3, description)]), { code: 9, value: Buffer.of(NANOSECONDS) }]),
  );
}

export interface PacketFacts {
  /** Number of its interface. */
  readonly interface: number;
  /** Since 1970. */
  readonly timeNs: bigint;
  readonly bytes: Buffer;
  /** Bytes that it had. */
  readonly length: number;
  readonly comment?: string;
  readonly packetId?: bigint;
  readonly queue?: number;
  /** enum xdp_action */
  readonly xdpVerdict?: number;
}

export function enhancedPacket(packet: PacketFacts): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(packet.interface);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(packet.bytes.length, 0);
  lengths.writeUInt32LE(packet.length, 4);
  const facts: Option[] = [u32(2, INBOUND)];
  if (packet.comment !== undefined) facts.unshift(text(1, packet.comment));
  if (packet.packetId !== undefined) facts.push(u64(5, packet.packetId));
  if (packet.queue !== undefined) facts.push(u32(6, packet.queue));
  if (packet.xdpVerdict !== undefined) {
    const verdict = Buffer.alloc(9);
    verdict.writeUInt8(XDP_VERDICT, 0);
    verdict.writeBigUInt64LE(BigInt(packet.xdpVerdict), 1);
    facts.push({ code: 7, value: verdict });
  }
  return block(ENHANCED_PACKET, number, timeWords(packet.timeNs), lengths, padded(packet.bytes), options(facts));
}

export interface StatisticsFacts {
  readonly interface: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Packets written. */
  readonly delivered: bigint;
  readonly comment?: string;
}

export function interfaceStatistics({ interface: number, startNs, endNs, delivered, comment }: StatisticsFacts): Buffer {
  const fixed = Buffer.alloc(4);
  fixed.writeUInt32LE(number);
  return block(
    INTERFACE_STATISTICS,
    fixed,
    timeWords(endNs),
    options([
      ...(comment === undefined ? [] : [text(1, comment)]),
      { code: 2, value: timeWords(startNs) },
      { code: 3, value: timeWords(endNs) },
      u64(8, delivered),
    ]),
  );
}
