/**
 * What became of every number of one stream, exactly and over the whole run: a bitmap in chunks, a full chunk without its bits.
 * Numbers start at 0. A question about numbers from..to-1 is a question about one step of a run, whatever else was in flight.
 */
import { type Gap, Gaps } from './gaps.js';
import { LatencyHistogram, type LatencySummary } from './latency.js';

const CHUNK = 1024;

interface Chunk {
  /** One bit per number that arrived; null once all did. */
  seen: Uint32Array | null;
  arrived: number;
  readonly latency: LatencyHistogram;
}

export interface Account {
  /** Numbers asked about: what the sender sent. */
  readonly sent: number;
  /** Of those, how many arrived at least once. */
  readonly received: number;
  /** Of those, how many never arrived. */
  readonly lost: number;
  /** Arrivals after the first. */
  readonly duplicated: number;
  /** First arrivals after a higher number had arrived. */
  readonly reordered: number;
  /** First arrivals whose bytes were wrong; they are received, not lost. */
  readonly corrupt: number;
  readonly longestGap: Gap | null;
  /** Rounded outward to whole thousands of numbers. */
  readonly latency: LatencySummary;
}

function popCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** How many bits from..to-1 are set. */
function countBits(bits: Uint32Array, from: number, to: number): number {
  let count = 0;
  for (let word = from >> 5; word << 5 < to; word++) {
    let value = bits[word] ?? 0;
    const start = word << 5;
    if (from > start) value &= -1 << (from - start);
    if (to < start + 32) value &= ~(-1 << (to - start));
    count += popCount(value);
  }
  return count;
}

const countWithin = (sequences: readonly number[], from: number, to: number): number =>
  sequences.reduce((count, sequence) => count + (sequence >= from && sequence < to ? 1 : 0), 0);

export class Arrivals {
  readonly #chunks = new Map<number, Chunk>();
  /** The numbers themselves, so that a step can be told from the next; there are few, or the run has failed anyway. */
  readonly #duplicated: number[] = [];
  readonly #reordered: number[] = [];
  readonly #corrupt: number[] = [];
  readonly #gaps = new Gaps();
  #received = 0;
  #highest = -1;
  #lastNs = -1;

  /** Numbers that arrived at least once. */
  get received(): number {
    return this.#received;
  }

  /** The highest number that arrived; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** CLOCK_MONOTONIC of the last arrival in nanoseconds; -1 before the first. */
  get lastNs(): number {
    return this.#lastNs;
  }

  add(sequence: number, arrivedNs: number, sentNs: number, corrupt = false): void {
    if (this.#lastNs >= 0) this.#gaps.add({ sequence, startNs: this.#lastNs, lengthNs: arrivedNs - this.#lastNs });
    this.#lastNs = arrivedNs;
    const chunk = this.#chunk(Math.floor(sequence / CHUNK));
    if (!this.#mark(chunk, sequence % CHUNK)) {
      this.#duplicated.push(sequence);
      return;
    }
    this.#received++;
    chunk.latency.add(arrivedNs - sentNs);
    if (corrupt) this.#corrupt.push(sequence);
    if (sequence > this.#highest) this.#highest = sequence;
    else this.#reordered.push(sequence);
  }

  /** What became of the numbers from..to-1. */
  account(from: number, to: number): Account {
    let received = 0;
    const latency = new LatencyHistogram();
    for (let index = Math.floor(from / CHUNK); index * CHUNK < to; index++) {
      const chunk = this.#chunks.get(index);
      if (chunk === undefined) continue;
      const low = Math.max(0, from - index * CHUNK);
      const high = Math.min(CHUNK, to - index * CHUNK);
      received += chunk.seen === null ? high - low : countBits(chunk.seen, low, high);
      latency.addAll(chunk.latency);
    }
    const sent = Math.max(0, to - from);
    return {
      sent,
      received,
      lost: sent - received,
      duplicated: countWithin(this.#duplicated, from, to),
      reordered: countWithin(this.#reordered, from, to),
      corrupt: countWithin(this.#corrupt, from, to),
      longestGap: this.#gaps.longest(from, to),
      latency: latency.summary(),
    };
  }

  /** The first `limit` runs of numbers within from..to-1 that never arrived, as [first, last]. */
  missing(from: number, to: number, limit: number): [first: number, last: number][] {
    const runs: [number, number][] = [];
    for (let sequence = from; sequence < to; sequence++) {
      const chunk = this.#chunks.get(Math.floor(sequence / CHUNK));
      const bit = sequence % CHUNK;
      if (chunk !== undefined && (chunk.seen === null || (chunk.seen[bit >> 5] ?? 0) & (1 << (bit & 31)))) continue;
      const last = runs.at(-1);
      if (last !== undefined && last[1] === sequence - 1) last[1] = sequence;
      else if (runs.length === limit) break;
      else runs.push([sequence, sequence]);
    }
    return runs;
  }

  #chunk(index: number): Chunk {
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) {
      chunk = { seen: new Uint32Array(CHUNK / 32), arrived: 0, latency: new LatencyHistogram() };
      this.#chunks.set(index, chunk);
    }
    return chunk;
  }

  /** False when the bit was set before. */
  #mark(chunk: Chunk, bit: number): boolean {
    if (chunk.seen === null) return false;
    const word = chunk.seen[bit >> 5] ?? 0;
    const mask = 1 << (bit & 31);
    if (word & mask) return false;
    chunk.seen[bit >> 5] = word | mask;
    chunk.arrived++;
    if (chunk.arrived === CHUNK) chunk.seen = null;
    return true;
  }
}

/** All streams of a step as one line: counts added, the longest gap of any, the worst percentiles of any. */
export function sumAccounts(accounts: readonly Account[]): Account {
  const total = (pick: (account: Account) => number): number => accounts.reduce((sum, account) => sum + pick(account), 0);
  const worst = (pick: (latency: LatencySummary) => number): number => Math.max(0, ...accounts.map((account) => pick(account.latency)));
  return {
    sent: total((a) => a.sent),
    received: total((a) => a.received),
    lost: total((a) => a.lost),
    duplicated: total((a) => a.duplicated),
    reordered: total((a) => a.reordered),
    corrupt: total((a) => a.corrupt),
    longestGap: accounts.reduce<Gap | null>(
      (longest, { longestGap: gap }) => (gap !== null && (longest === null || gap.lengthNs > longest.lengthNs) ? gap : longest),
      null,
    ),
    latency: {
      samples: total((a) => a.latency.samples),
      p50Us: worst((l) => l.p50Us),
      p90Us: worst((l) => l.p90Us),
      p99Us: worst((l) => l.p99Us),
      maxUs: worst((l) => l.maxUs),
    },
  };
}
