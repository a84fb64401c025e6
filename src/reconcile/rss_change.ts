/** A command about RSS, as wishes: what it asks for, checked against what is there. Pure. */
import type { RssRequest } from '../control/rss_protocol.js';
import { hashTypesOf } from '../core/hash_types.js';
import { NO_RSS_WISH, type HostRssWish, type NicKey, type RssWish, type VnicRssWish } from '../core/model.js';
import { trimWeights, weightsProblem } from '../core/reta.js';
import { type KeyChoice, parseRssKey } from '../core/rss_plan.js';
import { RssRefusedError } from './errors.js';

const refused = (what: string, error: unknown): RssRefusedError => new RssRefusedError(`${what}: ${(error as Error).message}`);

/** What wishes of vNICs and that of the host have in common. @throws RssRefusedError */
function commonAfter(before: RssWish, request: RssRequest, maxQueues: number): RssWish {
  const start = request.reset === true ? NO_RSS_WISH : { hashTypes: before.hashTypes, weights: before.weights };
  const { hash_types, weights } = request;
  if (weights !== undefined && weights.length > 0) {
    const problem = weightsProblem(weights, maxQueues);
    if (problem !== null) throw new RssRefusedError(`weights: ${problem}`);
  }
  let hashTypes = start.hashTypes;
  if (hash_types !== undefined) {
    if (hash_types.length === 0) throw new RssRefusedError('types: name at least one');
    try {
      hashTypes = hashTypesOf(hash_types);
    } catch (error) {
      throw refused('types', error);
    }
  }
  return { hashTypes, weights: weights === undefined ? start.weights : trimWeights(weights) };
}

/** The wish of a vNIC; which key it names is decided with the key itself. @throws RssRefusedError */
export function wishAfter(before: VnicRssWish, request: RssRequest, maxQueues: number): VnicRssWish {
  return { ...commonAfter(before, request, maxQueues), keyRow: request.reset === true ? null : before.keyRow };
}

/** The host's wish; which key it names is decided with the key itself. @throws RssRefusedError */
export function hostWishAfter(before: HostRssWish, request: RssRequest, maxQueues: number): HostRssWish {
  const keyByOperator = before.keyByOperator && request.reset !== true;
  return { ...before, ...commonAfter(before, request, maxQueues), keyByOperator };
}

/** The key that is asked for; null: none. `nicKey` is needed for "nic" only. @throws RssRefusedError */
export function keyAfter(request: RssRequest, nicKey: NicKey | null, random: () => string): KeyChoice | null {
  const { key } = request;
  if (key === undefined) return null;
  if (key === 'random') return { key: random(), byOperator: true, isRandom: true };
  if (key !== 'nic') {
    try {
      return { key: parseRssKey(key), byOperator: true, isRandom: false };
    } catch (error) {
      throw refused('key', error);
    }
  }
  if (nicKey === null) throw new RssRefusedError('key: there is no adapter whose uplink could have one');
  if ('problem' in nicKey) throw new RssRefusedError(`key: ${nicKey.problem}`);
  return { key: nicKey.key, byOperator: true, isRandom: false };
}
