/** Packets of a pcap or pcapng file, either byte order. Pure. Ethernet only: there is nothing to explain about others. */

export interface FilePacket {
  /** From 1, as Wireshark counts. */
  readonly number: number;
  readonly bytes: Buffer;
  /** That it had; more than `bytes` when it was cut. */
  readonly length: number;
  /** As the file names it; null where it does not. */
  readonly interface: string | null;
}

/** No capture file, or one that ends in the middle of something. */
export class CaptureFileError extends Error {
  override readonly name = 'CaptureFileError';
}

const LINKTYPE_ETHERNET = 1;
/** Microseconds and nanoseconds, as the first word reads in the writer's own byte order. */
const PCAP_MAGICS = new Set([0xa1b2c3d4, 0xa1b23c4d]);
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const IF_NAME = 2;

class Words {
  constructor(
    readonly bytes: Buffer,
    readonly little: boolean,
  ) {}

  u16(at: number): number {
    return this.little ? this.bytes.readUInt16LE(at) : this.bytes.readUInt16BE(at);
  }

  u32(at: number): number {
    return this.little ? this.bytes.readUInt32LE(at) : this.bytes.readUInt32BE(at);
  }
}

/** @throws CaptureFileError */
export function readPackets(file: Buffer): FilePacket[] {
  if (file.length < 24) throw new CaptureFileError('it is too short to be a pcap or pcapng file');
  if (file.readUInt32LE(0) === SECTION_HEADER) return readPcapng(file);
  for (const little of [true, false]) if (PCAP_MAGICS.has(new Words(file, little).u32(0))) return readPcap(new Words(file, little));
  throw new CaptureFileError('it is neither a pcap nor a pcapng file');
}

function checkLinktype(linktype: number): void {
  if (linktype !== LINKTYPE_ETHERNET) throw new CaptureFileError(`its link type is ${linktype}, not Ethernet`);
}

function cutShort(number: number): CaptureFileError {
  return new CaptureFileError(`it ends within packet ${number}`);
}

function readPcap(words: Words): FilePacket[] {
  const { bytes } = words;
  checkLinktype(words.u32(20) & 0xffff);
  const packets: FilePacket[] = [];
  for (let at = 24; at < bytes.length;) {
    const number = packets.length + 1;
    if (at + 16 > bytes.length) throw cutShort(number);
    const captured = words.u32(at + 8);
    if (at + 16 + captured > bytes.length) throw cutShort(number);
    packets.push({ number, bytes: bytes.subarray(at + 16, at + 16 + captured), length: words.u32(at + 12), interface: null });
    at += 16 + captured;
  }
  return packets;
}

interface FileInterface {
  readonly linktype: number;
  readonly name: string | null;
}

function readPcapng(file: Buffer): FilePacket[] {
  const packets: FilePacket[] = [];
  let words = new Words(file, true);
  let interfaces: FileInterface[] = [];
  for (let at = 0; at < file.length;) {
    const number = packets.length + 1;
    if (at + 12 > file.length) throw cutShort(number);
    if (file.readUInt32LE(at) === SECTION_HEADER) {
      const little = file.readUInt32LE(at + 8) === BYTE_ORDER_MAGIC;
      if (!little && file.readUInt32BE(at + 8) !== BYTE_ORDER_MAGIC) throw new CaptureFileError('a section of it has no byte order');
      words = new Words(file, little);
      interfaces = [];
    }
    const length = words.u32(at + 4);
    if (length < 12 || length % 4 !== 0 || at + length > file.length) throw cutShort(number);
    const block = { at: at + 8, end: at + length - 4 };
    const packet = readBlock(words, words.u32(at), block, interfaces, number);
    if (packet !== null) packets.push(packet);
    at += length;
  }
  return packets;
}

interface Block {
  readonly at: number;
  readonly end: number;
}

function readBlock(words: Words, type: number, { at, end }: Block, interfaces: FileInterface[], number: number): FilePacket | null {
  switch (type) {
    case 1:
      if (at + 8 > end) throw cutShort(number);
      interfaces.push({ linktype: words.u16(at), name: nameOf(words, at + 8, end) });
      return null;
    case 3: // simple packet: of the first interface
      if (at + 4 > end) throw cutShort(number);
      return packetOf(words, interfaces[0], at + 4, Math.min(words.u32(at), end - at - 4), words.u32(at), end, number);
    case 6: // enhanced packet
      if (at + 20 > end) throw cutShort(number);
      return packetOf(words, interfaces[words.u32(at)], at + 20, words.u32(at + 12), words.u32(at + 16), end, number);
    default:
      return null;
  }
}

function packetOf(
  { bytes }: Words,
  on: FileInterface | undefined,
  at: number,
  captured: number,
  length: number,
  end: number,
  number: number,
): FilePacket {
  if (on === undefined) throw new CaptureFileError(`packet ${number} is of an interface that was not described`);
  checkLinktype(on.linktype);
  if (at + captured > end) throw cutShort(number);
  return { number, bytes: bytes.subarray(at, at + captured), length, interface: on.name };
}

function nameOf(words: Words, from: number, end: number): string | null {
  for (let at = from; at + 4 <= end;) {
    const [code, length] = [words.u16(at), words.u16(at + 2)];
    if (code === 0) return null;
    if (code === IF_NAME) return words.bytes.toString('utf8', at + 4, Math.min(end, at + 4 + length));
    at += 4 + ((length + 3) & ~3);
  }
  return null;
}
