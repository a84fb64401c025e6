/** When to send: says how many units are due so that the rate is steady over minutes although timers are not. */

/** A sender that was not let run for longer than this does not make up for it: a burst of seconds would test only buffers. */
const CATCH_UP_MS = 20;

export class Pacer {
  readonly #perSecond: number;
  #startNs: number;
  #taken = 0;
  #skipped = 0;

  /** @param perSecond units a second, > 0; nowNs: CLOCK_MONOTONIC, nanoseconds */
  constructor(perSecond: number, nowNs: number) {
    if (!(perSecond > 0)) throw new RangeError(`a rate of ${perSecond} a second cannot be paced`);
    this.#perSecond = perSecond;
    this.#startNs = nowNs;
  }

  /** Units given up because the process was not let run. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Units due now; the caller sends them. */
  take(nowNs: number): number {
    const due = Math.floor(((nowNs - this.#startNs) * this.#perSecond) / 1e9) - this.#taken;
    const bound = Math.max(1, Math.ceil((this.#perSecond * CATCH_UP_MS) / 1000));
    if (due > bound) {
      this.#skipped += due - bound;
      this.#taken += due;
      return bound;
    }
    this.#taken += Math.max(0, due);
    return Math.max(0, due);
  }
}
