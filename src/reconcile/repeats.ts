/** What is said again and again is said ever more seldom: after a minute, then two, four, ... at last once an hour. */
import type { Clock } from './clock.js';

const FIRST_MS = 60_000;
const LONGEST_MS = 3_600_000;
/** Of more different ones than this the oldest is forgotten. */
const MAX_REMEMBERED = 1000;

interface Said {
  readonly atMs: number;
  /** This long it is not said again. */
  readonly quietMs: number;
  suppressed: number;
}

export class Repeats {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #said = new Map<string, Said>();

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  /** How often it went unsaid since it was said last; null: it is not to be said now. */
  of(what: string): number | null {
    const nowMs = this.#clock.nowMs();
    const said = this.#said.get(what);
    if (said !== undefined && nowMs - said.atMs < said.quietMs) {
      said.suppressed++;
      return null;
    }
    // What was not heard of all the time that it would have been quiet is news again.
    const goesOn = said !== undefined && said.suppressed > 0;
    const quietMs = goesOn ? Math.min(2 * said.quietMs, LONGEST_MS) : FIRST_MS;
    this.#said.delete(what);
    const [oldest] = this.#said.keys();
    if (this.#said.size >= MAX_REMEMBERED && oldest !== undefined) this.#said.delete(oldest);
    this.#said.set(what, { atMs: nowMs, quietMs, suppressed: 0 });
    return said?.suppressed ?? 0;
  }
}
