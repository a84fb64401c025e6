/** The indirection table: low bits of the flow hash -> queue. */
import { RETA_SIZE } from './limits.js';

/** Largest weight of a queue. */
export const MAX_WEIGHT = 255;

/** Why these weights cannot be: `weights` has one per queue, and queues beyond its end have weight 0. null: they can. */
export function weightsProblem(weights: readonly number[], maxQueues: number): string | null {
  if (weights.length === 0) return 'name at least one weight';
  if (weights.length > maxQueues) return `${weights.length} weights are more than the ${maxQueues} queues that there are`;
  const bad = weights.find((weight) => !Number.isInteger(weight) || weight < 0 || weight > MAX_WEIGHT);
  if (bad !== undefined) return `${bad} is no weight: whole numbers in 0..${MAX_WEIGHT}`;
  return weights.every((weight) => weight === 0) ? 'all weights are 0: no queue would get anything' : null;
}

/** Weights without the zeros at their end, as they read back from the maps. */
export function trimWeights(weights: readonly number[]): number[] {
  return weights.slice(0, weights.findLastIndex((weight) => weight > 0) + 1);
}

/** Buckets of each queue. */
export function retaShares(reta: readonly number[], queues: number): number[] {
  const shares = new Array<number>(queues).fill(0);
  for (const queue of reta) shares[queue] = (shares[queue] ?? 0) + 1;
  return shares;
}

/** Buckets in a row that lead to the same queue, both ends included. */
export interface RetaRange {
  readonly first: number;
  readonly last: number;
  readonly queue: number;
}

export function retaRanges(reta: readonly number[]): RetaRange[] {
  const ranges: RetaRange[] = [];
  for (const [bucket, queue] of reta.entries()) {
    const open = ranges.at(-1);
    if (open?.queue === queue) ranges[ranges.length - 1] = { ...open, last: bucket };
    else ranges.push({ first: bucket, last: bucket, queue });
  }
  return ranges;
}

/**
 * How much each queue counts: its weight, if a CPU reaches it. Equal where no weights are asked for (`[]`), and where those asked
 * for leave nothing to the queues that can be reached: a flow must go somewhere.
 */
function effectiveWeights(queueCpus: readonly (number | null)[], weights: readonly number[]): number[] {
  const equal = queueCpus.map((cpu) => (cpu === null ? 0 : 1));
  if (weights.length === 0) return equal;
  const asked = queueCpus.map((cpu, queue) => (cpu === null ? 0 : (weights[queue] ?? 0)));
  return asked.some((weight) => weight > 0) ? asked : equal;
}

/**
 * RETA_SIZE buckets in proportion to the weights, by the method of largest remainders. Where remainders are equal, who has one to
 * keep keeps it, then the lower queue: so that nothing moves without need.
 */
function apportion(weights: readonly number[], now: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const targets = weights.map((weight) => Math.floor((RETA_SIZE * weight) / sum));
  const left = RETA_SIZE - targets.reduce((total, target) => total + target, 0);
  const remainder = (queue: number): number => (RETA_SIZE * (weights[queue] ?? 0)) % sum;
  const order = [...weights.keys()].filter((queue) => (weights[queue] ?? 0) > 0);
  const hasMore = (queue: number): number => Number((now[queue] ?? 0) > (targets[queue] ?? 0));
  order.sort((a, b) => remainder(b) - remainder(a) || hasMore(b) - hasMore(a) || a - b);
  for (const queue of order.slice(0, left)) targets[queue] = (targets[queue] ?? 0) + 1;
  return targets;
}

/** Hands out places one by one, so that those of each queue lie spread evenly among the others' (smooth weighted round-robin). */
function* takeTurns(counts: readonly number[]): Generator<number, void, undefined> {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const credits = counts.map(() => 0);
  for (let turn = 0; turn < total; turn++) {
    let best = -1;
    for (const [queue, count] of counts.entries()) {
      const credit = (credits[queue] ?? 0) + count;
      credits[queue] = credit;
      if (count > 0 && (best < 0 || credit > (credits[best] ?? 0))) best = queue;
    }
    credits[best] = (credits[best] ?? 0) - total;
    yield best;
  }
}

/**
 * An indirection table that spreads flows over the queues that a CPU reaches, in proportion to `weights` (one per queue, 0 beyond
 * their end; `[]`: equal shares). Of `before` as many buckets as possible stay as they are, since each that moves takes the flows
 * in it along; without it the queues take turns. All zero when no queue can be reached.
 */
export function buildReta(queueCpus: readonly (number | null)[], weights: readonly number[] = [], before: readonly number[] | null = null): number[] {
  const effective = effectiveWeights(queueCpus, weights);
  if (effective.every((weight) => weight === 0)) return new Array<number>(RETA_SIZE).fill(0);
  const old = before !== null && before.length === RETA_SIZE ? before : [];
  const missing = apportion(effective, retaShares(old, queueCpus.length));
  const kept = Array.from({ length: RETA_SIZE }, (_, bucket): number | null => {
    const queue = old[bucket];
    const open = queue === undefined ? 0 : (missing[queue] ?? 0);
    if (queue === undefined || open === 0) return null;
    missing[queue] = open - 1;
    return queue;
  });
  const turns = takeTurns(missing);
  return kept.map((queue) => queue ?? turns.next().value ?? 0);
}
