/** Whose word counts about how flows are spread: the operator's for the vNIC, the operator's for all, the configuration's. Pure. */
import { DEFAULT_HASH_TYPES } from './limits.js';
import type { HostRssWish, RssSpec, RssWish, VnicRssWish, VnicSpec } from './model.js';
import type { Spread } from './queue_plan.js';

export type SettingSource = 'default' | 'configuration' | 'operator';

/** A setting and who made it. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: SettingSource;
}

function sameList(a: readonly number[] | null, b: readonly number[] | null): boolean {
  return a === null || b === null ? a === b : a.length === b.length && a.every((value, i) => value === b[i]);
}

export function sameWish(a: VnicRssWish, b: VnicRssWish): boolean {
  return a.hashTypes === b.hashTypes && a.keyRow === b.keyRow && sameList(a.weights, b.weights);
}

export function hashTypesFor(own: RssWish, host: RssWish, spec: RssSpec): Sourced<number> {
  const wished = own.hashTypes ?? host.hashTypes;
  if (wished !== null) return { value: wished, source: 'operator' };
  return { value: spec.hashTypes, source: spec.hashTypes === DEFAULT_HASH_TYPES ? 'default' : 'configuration' };
}

export function weightsFor(own: RssWish, host: RssWish, { weights }: Pick<VnicSpec, 'weights'>): Sourced<readonly number[]> {
  const wished = own.weights ?? host.weights;
  if (wished !== null) return { value: wished, source: 'operator' };
  return { value: weights, source: weights.length === 0 ? 'default' : 'configuration' };
}

/** How the flows of a vNIC shall be spread, whoever hashes. */
export function spreadFor(own: VnicRssWish, host: HostRssWish, spec: RssSpec, vnic: Pick<VnicSpec, 'weights'>): Omit<Spread, 'nicHash'> {
  return {
    hashTypes: hashTypesFor(own, host, spec).value,
    weights: weightsFor(own, host, vnic).value,
    rssRow: own.keyRow ?? host.keyRow,
  };
}
