/**
 * The numbered datagram: a header that says which flow, which number and when, then bytes that follow from the header.
 * The sink makes the same bytes again and compares all of them, so nothing about a datagram has to be remembered.
 */

const MAGIC = 0x554e4454;
/** Smallest datagram: the header alone. */
export const HEADER_BYTES = 32;
export const MAX_DATAGRAM_BYTES = 65_507;

/** Which numbering a datagram belongs to: the flow itself, the sink's answers, or the two halves of a probe. */
export const STREAMS = { forward: 0, echo: 1, probe: 2, probeAnswer: 3 } as const;
export type Stream = (typeof STREAMS)[keyof typeof STREAMS];

/** Times are CLOCK_MONOTONIC in nanoseconds; a double holds them exactly for the first 104 days after boot. */
export interface DatagramHeader {
  flow: number;
  stream: number;
  sequence: number;
  sentNs: number;
  /** Bytes of the whole datagram, header included. */
  length: number;
}

/** `foreign`: not ours at all. `bad-header`: ours, but flow and number cannot be trusted. `bad-payload`: they can. */
export type DatagramCheck = 'good' | 'foreign' | 'bad-header' | 'bad-payload';

const TWO_32 = 0x1_0000_0000;
const words = new Uint32Array(Math.ceil(MAX_DATAGRAM_BYTES / 4));
const wordBytes = Buffer.from(words.buffer);

function mix(hash: number, value: number): number {
  const product = Math.imul(hash ^ value, 0x85ebca6b);
  return Math.imul(product ^ (product >>> 13), 0xc2b2ae35) ^ (product >>> 16);
}

/** Covers every field of the header and seeds the payload; never 0, where the generator would stand still. */
function headerSum(flow: number, stream: number, length: number, sequence: number, sentNs: number): number {
  let sum = mix(MAGIC, flow);
  sum = mix(sum, (stream << 16) ^ length);
  sum = mix(sum, sequence >>> 0);
  sum = mix(sum, Math.floor(sequence / TWO_32));
  sum = mix(sum, sentNs >>> 0);
  sum = mix(sum, Math.floor(sentNs / TWO_32));
  sum ^= sum >>> 15;
  return sum >>> 0 || 1;
}

/** Fills the scratch words with `bytes` of xorshift32 output. */
function makePayload(seed: number, bytes: number): void {
  let state = seed | 0;
  const count = (bytes + 3) >> 2;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
}

/** A new buffer of `header.length` bytes (>= HEADER_BYTES): the sender may still hold the last one when the socket is busy. */
export function encodeDatagram(header: Readonly<DatagramHeader>): Buffer {
  const { flow, stream, sequence, sentNs, length } = header;
  if (length < HEADER_BYTES || length > MAX_DATAGRAM_BYTES) throw new RangeError(`a datagram of ${length} bytes cannot be made`);
  const datagram = Buffer.allocUnsafe(length);
  const sum = headerSum(flow, stream, length, sequence, sentNs);
  datagram.writeUInt32LE(MAGIC, 0);
  datagram.writeUInt32LE(flow, 4);
  datagram.writeUInt32LE(sequence % TWO_32, 8);
  datagram.writeUInt32LE(Math.floor(sequence / TWO_32), 12);
  datagram.writeUInt32LE(sentNs % TWO_32, 16);
  datagram.writeUInt32LE(Math.floor(sentNs / TWO_32), 20);
  datagram.writeUInt16LE(length, 24);
  datagram.writeUInt16LE(stream, 26);
  datagram.writeUInt32LE(sum, 28);
  makePayload(sum, length - HEADER_BYTES);
  wordBytes.copy(datagram, HEADER_BYTES, 0, length - HEADER_BYTES);
  return datagram;
}

/** Fills `header` in every case but `foreign`. */
export function checkDatagram(datagram: Buffer, header: DatagramHeader): DatagramCheck {
  if (datagram.length < HEADER_BYTES || datagram.readUInt32LE(0) !== MAGIC) return 'foreign';
  header.flow = datagram.readUInt32LE(4);
  header.sequence = datagram.readUInt32LE(8) + datagram.readUInt32LE(12) * TWO_32;
  header.sentNs = datagram.readUInt32LE(16) + datagram.readUInt32LE(20) * TWO_32;
  header.length = datagram.readUInt16LE(24);
  header.stream = datagram.readUInt16LE(26);
  const sum = datagram.readUInt32LE(28);
  if (sum !== headerSum(header.flow, header.stream, header.length, header.sequence, header.sentNs)) return 'bad-header';
  if (datagram.length !== header.length) return 'bad-payload';
  const bytes = header.length - HEADER_BYTES;
  makePayload(sum, bytes);
  return wordBytes.compare(datagram, HEADER_BYTES, header.length, 0, bytes) === 0 ? 'good' : 'bad-payload';
}
