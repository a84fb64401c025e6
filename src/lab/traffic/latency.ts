/** A latency histogram small enough to keep one per thousand datagrams: eight buckets per doubling from 1 us, so within 9 %. */

const BUCKETS_PER_DOUBLING = 8;
/** 2^24 us is 16 s; what is later is counted as that. */
const BUCKETS = 24 * BUCKETS_PER_DOUBLING;

export interface LatencySummary {
  readonly samples: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);

  add(latencyNs: number): void {
    const bucket = latencyNs <= 1000 ? 0 : Math.floor(Math.log2(latencyNs / 1000) * BUCKETS_PER_DOUBLING);
    const index = Math.min(bucket, BUCKETS - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  addAll(other: LatencyHistogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i] = (this.#counts[i] ?? 0) + (other.#counts[i] ?? 0);
  }

  /** Percentiles are upper bounds of their bucket; zeros when there are no samples. */
  summary(): LatencySummary {
    const samples = this.#counts.reduce((sum, count) => sum + count, 0);
    const at = (share: number): number => {
      const rank = Math.max(1, Math.ceil(samples * share));
      let below = 0;
      for (let i = 0; i < BUCKETS; i++) {
        below += this.#counts[i] ?? 0;
        if (below >= rank) return Math.round(2 ** ((i + 1) / BUCKETS_PER_DOUBLING) * 10) / 10;
      }
      return 0;
    };
    return { samples, p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99), maxUs: at(1) };
  }
}
