/** Rows of map `rss_wishes`: what the operator set of how flows are spread. */
import { ContractLimit, type HashType, type RssWish as Row, RssWishFlag } from '../../maps/generated/contract.js';
import { trimWeights } from '../core/reta.js';
import type { HostRssWish, RssWish, VnicRssWish } from './port.js';

const { MAX_QUEUES, RSS_ROWS } = ContractLimit;

export const unusedWish: Row = { flags: 0, hashTypes: 0 as HashType, rssRow: 0, weights: Buffer.alloc(MAX_QUEUES) };

/** What rows of vNICs and that of the host have in common. @throws RangeError for what the row cannot hold */
function toCommonRow({ hashTypes, weights }: RssWish): Row {
  if (hashTypes !== null && (!Number.isInteger(hashTypes) || hashTypes < 0 || hashTypes > 0xff)) {
    throw new RangeError(`${hashTypes} is not a set of hash types`);
  }
  if (weights !== null && weights.length > MAX_QUEUES) throw new RangeError(`${weights.length} weights; a port has at most ${MAX_QUEUES} queues`);
  const bad = weights?.find((weight) => !Number.isInteger(weight) || weight < 0 || weight > 0xff);
  if (bad !== undefined) throw new RangeError(`${bad} is no weight of a queue`);
  return {
    flags: (hashTypes === null ? 0 : RssWishFlag.HASH_TYPES) | (weights === null ? 0 : RssWishFlag.WEIGHTS),
    hashTypes: (hashTypes ?? 0) as HashType,
    rssRow: 0,
    weights: Buffer.from(Array.from({ length: MAX_QUEUES }, (_, queue) => weights?.[queue] ?? 0)),
  };
}

function fromCommonRow({ flags, hashTypes, weights }: Row): RssWish {
  return {
    hashTypes: (flags & RssWishFlag.HASH_TYPES) === 0 ? null : hashTypes,
    weights: (flags & RssWishFlag.WEIGHTS) === 0 ? null : trimWeights([...weights]),
  };
}

function checkRow(row: number): void {
  if (!Number.isInteger(row) || row < 0 || row >= RSS_ROWS) throw new RangeError(`there is no row ${row} of RSS keys`);
}

/** @throws RangeError for what the row cannot hold */
export function toWishRow(wish: VnicRssWish): Row {
  const row = toCommonRow(wish);
  if (wish.keyRow === null) return row;
  checkRow(wish.keyRow);
  return { ...row, flags: row.flags | RssWishFlag.KEY, rssRow: wish.keyRow };
}

export function fromWishRow(row: Row): VnicRssWish {
  return { ...fromCommonRow(row), keyRow: (row.flags & RssWishFlag.KEY) === 0 ? null : row.rssRow };
}

/** @throws RangeError for what the row cannot hold */
export function toHostWishRow(wish: HostRssWish): Row {
  const { keyRow, keyByOperator, keyIsRandom } = wish;
  checkRow(keyRow);
  const row = toCommonRow(wish);
  const flags = row.flags | (keyByOperator ? RssWishFlag.KEY : 0) | (keyIsRandom ? RssWishFlag.RANDOM : 0);
  return { ...row, flags, rssRow: keyRow };
}

export function fromHostWishRow(row: Row): HostRssWish {
  const keyByOperator = (row.flags & RssWishFlag.KEY) !== 0;
  return { ...fromCommonRow(row), keyRow: row.rssRow, keyByOperator, keyIsRandom: (row.flags & RssWishFlag.RANDOM) !== 0 };
}
