/** Names of what a new configuration adds, removes and changes. Pure. */
import type { Desired } from '../core/model.js';

export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

function byName(desired: Desired): Map<string, string> {
  const named = new Map<string, string>();
  named.set('rss', JSON.stringify(desired.rss));
  if (desired.discover !== null) named.set('discover', JSON.stringify(desired.discover));
  for (const adapter of desired.adapters) named.set(`adapter ${adapter.name}`, JSON.stringify(adapter));
  for (const vnic of desired.vnics) named.set(`vnic ${vnic.name}`, JSON.stringify(vnic));
  return named;
}

export function differenceOf(before: Desired, after: Desired): Difference {
  const [old, now] = [byName(before), byName(after)];
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed: [...now].filter(([name, text]) => old.has(name) && old.get(name) !== text).map(([name]) => name),
  };
}
