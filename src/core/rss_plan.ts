/**
 * Which RSS key shall be in force, and how to get there: the new key goes into a row that nobody names, then every steering that it is for
 * names that row. So a frame is hashed with the one key or the other, never with half of each. Pure.
 */
import type { Action, Sequence } from './actions.js';
import { RSS_KEY_SIZE, RSS_ROWS } from './limits.js';
import type { HostRssWish, NicKey, Observed, PortRole, RssSpec, SteeringRow } from './model.js';

/** A key as the operator or the configuration names it: these words, or its hexadecimal digits. */
export const KEY_WORDS = ['random', 'nic'] as const;

/** Lower case, without the colons that ethtool puts between the bytes. @throws RangeError */
export function parseRssKey(text: string): string {
  const digits = text.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]*$/.test(digits) || digits.length !== RSS_KEY_SIZE * 2) {
    throw new RangeError(`must be ${KEY_WORDS.map((word) => `"${word}"`).join(', ')} or ${RSS_KEY_SIZE * 2} hexadecimal digits; ` +
      `these are ${text.length} characters`);
  }
  if (/^0*$/.test(digits)) throw new RangeError('a key of zeros would put every flow on one queue');
  return digits;
}

/** The key of a NIC as ours: its first RSS_KEY_SIZE bytes, all that our longest input uses. `key` null: it has none that can be read. */
export function nicKeyOf(device: string, key: Uint8Array | null): NicKey {
  const advice = `give rss.key RSS_KEY_SIZE bytes yourself, or "random"`.replace('RSS_KEY_SIZE', String(RSS_KEY_SIZE));
  if (key === null) return { problem: `${device} has no RSS key that could be read (\`ethtool -x ${device}\`); ${advice}` };
  if (key.length < RSS_KEY_SIZE) return { problem: `the RSS key of ${device} has ${key.length} bytes, and ${RSS_KEY_SIZE} are needed; ${advice}` };
  const digits = Buffer.from(key.subarray(0, RSS_KEY_SIZE)).toString('hex');
  return /^0*$/.test(digits) ? { problem: `the RSS key of ${device} is all zero; ${advice}` } : { key: digits };
}

export interface KeyChoice {
  readonly key: string;
  readonly byOperator: boolean;
  readonly isRandom: boolean;
}

/** The key that the configuration asks for, the operator's word aside; null: the one in force, which is as good. */
export function configuredKey(spec: RssSpec, { wish, keys, nicKey }: Observed['rss'], random: () => string): KeyChoice | null {
  const inForce = keys[wish.keyRow];
  const choose = (key: string, isRandom: boolean): KeyChoice | null =>
    key === inForce && !wish.keyByOperator && wish.keyIsRandom === isRandom ? null : { key, byOperator: false, isRandom };
  if (spec.key === 'random') return wish.keyIsRandom && !wish.keyByOperator ? null : choose(random(), true);
  if (spec.key !== 'nic') return choose(spec.key, false);
  return nicKey !== null && 'key' in nicKey ? choose(nicKey.key, false) : null;
}

/** Where a key is, or may be written to. */
export interface KeyRow {
  readonly row: number;
  /** Is it there already? */
  readonly written: boolean;
}

/** @param claimed rows that somebody is about to name. Null: all rows are in use. */
export function rowForKey(key: string, { rss, stored }: Observed, claimed: readonly number[]): KeyRow | null {
  const named = new Set([rss.wish.keyRow, ...claimed]);
  for (const { rssWish, tapSteering, vfSteering } of stored) {
    for (const row of [rssWish.keyRow, tapSteering?.rssRow, vfSteering?.rssRow]) if (row !== null && row !== undefined) named.add(row);
  }
  const rows = Array.from({ length: RSS_ROWS }, (_, row) => row);
  const there = rows.find((row) => named.has(row) && rss.keys[row] === key);
  if (there !== undefined) return { row: there, written: true };
  const free = rows.find((row) => !named.has(row));
  return free === undefined ? null : { row: free, written: false };
}

export function writeKey({ row, written }: KeyRow, key: string, { rss }: Observed): Action[] {
  return written ? [] : [{ kind: 'write-rss-key', row, key, before: rss.keys[row] ?? '' }];
}

/**
 * The host's key. `wish` is what is kept along with it, `claimed` as for rowForKey(). Null: nothing to do, or not now, because all rows are
 * in use.
 */
export function planKeyChange(choice: KeyChoice, wish: HostRssWish, observed: Observed, claimed: readonly number[] = []): Sequence | null {
  const { rss, stored } = observed;
  const kept: HostRssWish = { ...wish, keyByOperator: choice.byOperator, keyIsRandom: choice.isRandom };
  // The same key from somebody else: only who gave it is new.
  if (rss.keys[rss.wish.keyRow] === choice.key) return { purpose: 'rss', actions: [writeWish(kept, rss.wish)], onFailure: 'undo' };
  const found = rowForKey(choice.key, observed, claimed);
  if (found === null) return null;
  const { row } = found;
  const steerings = stored
    .filter(({ rssWish }) => rssWish.keyRow === null)
    .flatMap(({ id, tapSteering, vfSteering }) =>
      ([['tap', tapSteering], ['vf', vfSteering]] as const).flatMap(([role, before]) => (before === null ? [] : [{ vnic: id, role, before }])),
    );
  const follow = ({ vnic, role, before }: { vnic: number; role: PortRole; before: SteeringRow }): Action => ({
    kind: 'write-steering',
    vnic,
    role,
    // Until the next look knows that the NIC has this key, too.
    row: { ...before, rssRow: row, nicHash: false },
    before,
  });
  const actions: Action[] = [
    ...writeKey(found, choice.key, observed),
    writeWish({ ...kept, keyRow: row }, rss.wish),
    ...steerings.map(follow),
  ];
  return { purpose: 'rss', actions, onFailure: 'stop' };
}

function writeWish(wish: HostRssWish, before: HostRssWish): Action {
  return { kind: 'write-host-rss-wish', wish, before };
}

/** What is to be done about the key without the operator's asking. */
export function planRss(spec: RssSpec, observed: Observed, random: () => string, claimed: readonly number[] = []): Sequence | null {
  const { wish } = observed.rss;
  if (wish.keyByOperator) return null;
  const choice = configuredKey(spec, observed.rss, random);
  return choice === null ? null : planKeyChange(choice, wish, observed, claimed);
}
