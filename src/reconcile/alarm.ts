/** One timer that is set again and again, and never loses what it was set for. */
import type { Clock } from './clock.js';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: (armedAtMs: number) => void;
  #pending: { readonly cancel: () => void; readonly forMs: number } | null = null;

  /** `ring` is told when the alarm was set that now rang. */
  constructor(clock: Clock, ring: (armedAtMs: number) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** For the earliest of these times; null is none. One that is due already, and only late, is left to ring first. */
  set(times: readonly (number | null)[]): void {
    const nowMs = this.#clock.nowMs();
    if (this.#pending !== null && this.#pending.forMs <= nowMs) return;
    this.cancel();
    const forMs = Math.min(...times.filter((time) => time !== null));
    if (!Number.isFinite(forMs)) return;
    const cancel = this.#clock.after(Math.max(0, forMs - nowMs), () => {
      this.#pending = null;
      this.#ring(nowMs);
    });
    this.#pending = { cancel, forMs };
  }

  cancel(): void {
    this.#pending?.cancel();
    this.#pending = null;
  }
}
