/** The row of map `rss`: a key and its Toeplitz tables. */
import { randomBytes } from 'node:crypto';
import { ContractLimit, type Rss } from '../../maps/generated/contract.js';
import { buildToeplitzTables } from '../core/toeplitz.js';

/** @throws RangeError unless the key has RSS_KEY_SIZE bytes */
export function rssRow(key: Uint8Array): Rss {
  const flat = buildToeplitzTables(key);
  const row = (position: number) => Array.from(flat.subarray(position * 256, (position + 1) * 256));
  return { key, tables: Array.from({ length: ContractLimit.RSS_INPUT_SIZE }, (_, position) => row(position)) };
}

export function randomRssKey(): Buffer {
  return randomBytes(ContractLimit.RSS_KEY_SIZE);
}
