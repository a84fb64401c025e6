/** RSS: which fields of a frame are hashed (the table in maps/hash_types.h), and their Toeplitz hash. */
import type { HashType } from '../../../maps/generated/contract.js';
import { buildToeplitzTables, toeplitzHashByTables } from '../toeplitz.js';
import { addressBytes, L4, type Packet } from './ip.js';

/** Bit of the addresses alone, by family; the bits of TCP, UDP and SCTP follow it in the order of `L4`. */
const FAMILY_BIT = { 4: 0, 6: 4 } as const;

export type HashedFields = 'addresses and ports' | 'addresses' | 'nothing';

/** @param types bits of enum hash_type */
export function hashedFields(packet: Packet, types: HashType): HashedFields {
  if (packet.family === 0) return 'nothing';
  const isSet = (l4: L4): boolean => ((types >> (FAMILY_BIT[packet.family as 4 | 6] + l4)) & 1) !== 0;
  if (packet.l4 !== L4.none && isSet(packet.l4)) return 'addresses and ports';
  return isSet(L4.none) ? 'addresses' : 'nothing';
}

const tablesOf = new WeakMap<Uint8Array, Uint32Array>();

function tablesFor(key: Uint8Array): Uint32Array {
  let tables = tablesOf.get(key);
  if (tables === undefined) tablesOf.set(key, (tables = buildToeplitzTables(key)));
  return tables;
}

/** Source, destination and then the ports, as they stand in the frame. What is not hashed has hash 0. */
export function rssHash(bytes: Uint8Array, packet: Packet, types: HashType, key: Uint8Array): number {
  const fields = hashedFields(packet, types);
  if (fields === 'nothing') return 0;
  const tables = tablesFor(key);
  const addresses = 2 * addressBytes(packet);
  const piece = (at: number, length: number): Uint8Array => bytes.subarray(at, at + length);
  const hash = toeplitzHashByTables(tables, piece(packet.addressesAt, addresses));
  if (fields === 'addresses') return hash;
  return (hash ^ toeplitzHashByTables(tables, piece(packet.at, 4), addresses)) >>> 0;
}
