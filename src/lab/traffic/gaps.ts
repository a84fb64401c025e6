/** The pauses between arrivals, each under the number of the datagram that ended it, so that a pause belongs to a step of a run. */

export interface Gap {
  /** Number of the datagram that ended the pause. */
  readonly sequence: number;
  /** CLOCK_MONOTONIC, nanoseconds: the arrival before the pause. */
  readonly startNs: number;
  readonly lengthNs: number;
}

/** Shorter pauses are the timer's business, not the network's. */
const FLOOR_NS = 2_000_000;
const LIMIT = 4096;

export class Gaps {
  #gaps: Gap[] = [];
  #floorNs = FLOOR_NS;

  add(gap: Gap): void {
    if (gap.lengthNs < this.#floorNs) return;
    this.#gaps.push(gap);
    if (this.#gaps.length <= LIMIT) return;
    // Bounded over hours: forget the shorter half, and anything as short from now on.
    const lengths = this.#gaps.map((g) => g.lengthNs).sort((a, b) => a - b);
    this.#floorNs = (lengths[LIMIT >> 1] ?? FLOOR_NS) + 1;
    this.#gaps = this.#gaps.filter((g) => g.lengthNs >= this.#floorNs);
  }

  /** The longest pause ended by a datagram numbered from..to-1; null when none was longer than the floor. */
  longest(from: number, to: number): Gap | null {
    let longest: Gap | null = null;
    for (const gap of this.#gaps) {
      if (gap.sequence >= from && gap.sequence < to && (longest === null || gap.lengthNs > longest.lengthNs)) longest = gap;
    }
    return longest;
  }
}
