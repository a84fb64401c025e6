/**
 * The Toeplitz hash of receive-side scaling, as NICs compute it. `toeplitzHash` follows the definition bit by bit and is
 * the oracle; the tables are what the packet programs use, because one look-up per byte is what a packet can afford.
 */
import { RSS_INPUT_SIZE, RSS_KEY_SIZE } from './limits.js';

const WINDOW_BYTES = 4;

/** The 32 bits of the key that start at bit `position`, bit 0 being the highest bit of the first byte. */
function keyWindow(key: Uint8Array, position: number): number {
  let window = 0;
  for (let bit = position; bit < position + 32; bit++) {
    const byte = key[bit >> 3] ?? 0;
    window = (window << 1) | ((byte >> (7 - (bit & 7))) & 1);
  }
  return window >>> 0;
}

/**
 * Hash of `input`, an unsigned 32-bit number: for every bit that is set in the input, XOR the 32 key bits that start there.
 * @throws RangeError when the key has fewer than input.length + 4 bytes.
 */
export function toeplitzHash(key: Uint8Array, input: Uint8Array): number {
  if (key.length < input.length + WINDOW_BYTES) {
    throw new RangeError(`an RSS key of ${key.length} bytes hashes at most ${key.length - WINDOW_BYTES} bytes, not ${input.length}`);
  }
  let hash = 0;
  for (let bit = 0; bit < input.length * 8; bit++) {
    const byte = input[bit >> 3] ?? 0;
    if ((byte >> (7 - (bit & 7))) & 1) hash ^= keyWindow(key, bit);
  }
  return hash >>> 0;
}

/**
 * RSS_INPUT_SIZE rows of 256 words, row-major; the hash is the XOR of tables[i * 256 + input[i]] over the input's bytes.
 * @throws RangeError unless the key has RSS_KEY_SIZE bytes.
 */
export function buildToeplitzTables(key: Uint8Array): Uint32Array {
  if (key.length !== RSS_KEY_SIZE) throw new RangeError(`an RSS key has ${RSS_KEY_SIZE} bytes, not ${key.length}`);
  const tables = new Uint32Array(RSS_INPUT_SIZE * 256);
  for (let position = 0; position < RSS_INPUT_SIZE; position++) {
    const row = tables.subarray(position * 256, (position + 1) * 256);
    for (let bit = 0; bit < 8; bit++) row[0x80 >> bit] = keyWindow(key, position * 8 + bit);
    // A byte is the XOR of its bits, and so is its table entry; the lower byte values are filled already.
    for (let value = 1; value < 256; value++) {
      const lowest = value & -value;
      if (value !== lowest) row[value] = ((row[lowest] ?? 0) ^ (row[value ^ lowest] ?? 0)) >>> 0;
    }
  }
  return tables;
}

/**
 * Hash by the tables of `buildToeplitzTables`. Input in pieces: the XOR of their hashes.
 * @param position of the piece in the whole input
 * @throws RangeError when the input is longer than the tables are
 */
export function toeplitzHashByTables(tables: Uint32Array, input: Uint8Array, position = 0): number {
  if ((position + input.length) * 256 > tables.length) throw new RangeError(`${position + input.length} bytes are more than the tables cover`);
  let hash = 0;
  for (let i = 0; i < input.length; i++) hash ^= tables[(position + i) * 256 + (input[i] ?? 0)] ?? 0;
  return hash >>> 0;
}

function checkAddresses(source: Uint8Array, destination: Uint8Array): void {
  if (source.length !== destination.length || (source.length !== 4 && source.length !== 16)) {
    throw new RangeError(
      `source and destination must be two IPv4 or two IPv6 addresses, got ${source.length} and ${destination.length} bytes`,
    );
  }
}

/** Hash input of fragments and of what is neither TCP nor UDP. Addresses in network order: 4 bytes each, or 16 bytes each. */
export function rssInput2Tuple(source: Uint8Array, destination: Uint8Array): Uint8Array {
  checkAddresses(source, destination);
  const input = new Uint8Array(source.length * 2);
  input.set(source, 0);
  input.set(destination, source.length);
  return input;
}

/** Hash input of TCP and UDP. Addresses in network order, ports as numbers. */
export function rssInput4Tuple(source: Uint8Array, destination: Uint8Array, sourcePort: number, destinationPort: number): Uint8Array {
  checkAddresses(source, destination);
  const input = new Uint8Array(source.length * 2 + 4);
  input.set(source, 0);
  input.set(destination, source.length);
  const ports = new DataView(input.buffer, source.length * 2);
  ports.setUint16(0, sourcePort);
  ports.setUint16(2, destinationPort);
  return input;
}
