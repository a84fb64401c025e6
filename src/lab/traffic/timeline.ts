/** Arrivals per 100 ms of CLOCK_MONOTONIC, for drawing. */

export const BIN_MS = 100;

export interface TimelineData {
  readonly binMs: number;
  /** CLOCK_MONOTONIC in milliseconds at the start of the first bin; a multiple of binMs. */
  readonly startMs: number;
  readonly packets: readonly number[];
  readonly bytes: readonly number[];
}

export class Timeline {
  #firstBin = -1;
  readonly #packets: number[] = [];
  readonly #bytes: number[] = [];

  add(nowNs: number, bytes: number): void {
    const bin = Math.floor(nowNs / (BIN_MS * 1_000_000));
    if (this.#firstBin < 0) this.#firstBin = bin;
    const index = Math.max(0, bin - this.#firstBin);
    while (this.#packets.length <= index) {
      this.#packets.push(0);
      this.#bytes.push(0);
    }
    this.#packets[index] = (this.#packets[index] ?? 0) + 1;
    this.#bytes[index] = (this.#bytes[index] ?? 0) + bytes;
  }

  data(): TimelineData {
    return { binMs: BIN_MS, startMs: Math.max(0, this.#firstBin) * BIN_MS, packets: [...this.#packets], bytes: [...this.#bytes] };
  }
}

/** One timeline that holds the arrivals of all. */
export function sumTimelines(timelines: readonly TimelineData[]): TimelineData {
  const used = timelines.filter((t) => t.packets.length > 0);
  const startMs = Math.min(...used.map((t) => t.startMs));
  if (!Number.isFinite(startMs)) return { binMs: BIN_MS, startMs: 0, packets: [], bytes: [] };
  const length = Math.max(...used.map((t) => (t.startMs - startMs) / BIN_MS + t.packets.length));
  const packets = new Array<number>(length).fill(0);
  const bytes = new Array<number>(length).fill(0);
  for (const timeline of used) {
    const shift = (timeline.startMs - startMs) / BIN_MS;
    timeline.packets.forEach((count, i) => {
      packets[shift + i] = (packets[shift + i] ?? 0) + count;
      bytes[shift + i] = (bytes[shift + i] ?? 0) + (timeline.bytes[i] ?? 0);
    });
  }
  return { binMs: BIN_MS, startMs, packets, bytes };
}
