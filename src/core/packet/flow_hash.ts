/**
 * The flow hash of RFS: 64 bits, private to one vNIC, the same for both directions of a flow once the guest's is turned round.
 * Every part of the tuple is mixed with the seed, has an odd factor of its own, and the products are added; the end brings high
 * bits down. Computed in halves of 32 bits, because a BigInt costs more than all the rest of a frame.
 */
import { u32le } from './bytes.js';
import type { Packet } from './ip.js';

/** 64 bits as two unsigned halves. */
export interface Word64 {
  readonly low: number;
  readonly high: number;
}

export function word64(value: bigint): Word64 {
  return { low: Number(value & 0xffff_ffffn), high: Number((value >> 32n) & 0xffff_ffffn) };
}

const PORTS_FACTOR = word64(0x9e37_79b9_7f4a_7c15n);
/** By word of an address: of IPv4 the first only. */
const ADDRESS_FACTORS = [
  0xff51_afd7_ed55_8ccdn, 0xbf58_476d_1ce4_e5b9n, 0x94d0_49bb_1331_11ebn, 0xd6e8_feb8_6659_fd93n,
].map(word64);
const LAST_FACTOR = word64(0xc4ce_b9fe_1a85_ec53n);

/** The upper half of the 64-bit product of two 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16); // below 2^32
  const carried = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + (middle >>> 16) + (carried >>> 16)) >>> 0;
}

class Accumulator {
  low = 0;
  high = 0;

  /** Adds `{low, high} * factor`, modulo 2^64. */
  addProduct(low: number, high: number, factor: Word64): void {
    const productLow = Math.imul(low, factor.low) >>> 0;
    const productHigh = multiplyHigh(low >>> 0, factor.low) + Math.imul(low, factor.high) + Math.imul(high, factor.low);
    const sum = this.low + productLow;
    this.low = sum >>> 0;
    this.high = (this.high + productHigh + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
  }
}

let seedOfLast = 0n;
let seedHalves = word64(0n);

/** @param reverse the guest has sent it: source and destination change places */
export function flowHash(bytes: Uint8Array, packet: Packet, seed: bigint, reverse: boolean): Word64 {
  if (seed !== seedOfLast) [seedOfLast, seedHalves] = [seed, word64(seed)];
  const mixed = new Accumulator();
  const ports = u32le(bytes, packet.at);
  const turned = reverse ? ((ports << 16) | (ports >>> 16)) >>> 0 : ports;
  mixed.addProduct(seedHalves.low ^ turned, seedHalves.high ^ packet.l4, PORTS_FACTOR);
  const words = packet.family === 6 ? 4 : 1;
  const source = packet.addressesAt;
  const destination = source + 4 * words;
  const [from, to] = reverse ? [destination, source] : [source, destination];
  for (let i = 0; i < words; i++) {
    mixed.addProduct(seedHalves.low ^ u32le(bytes, from + 4 * i), seedHalves.high ^ u32le(bytes, to + 4 * i), ADDRESS_FACTORS[i]!);
  }
  const ended = new Accumulator();
  ended.addProduct(mixed.low ^ mixed.high, mixed.high, LAST_FACTOR);
  const { low, high } = ended;
  return { low: (low ^ ((low >>> 29) | (high << 3))) >>> 0, high: (high ^ (high >>> 29)) >>> 0 };
}
