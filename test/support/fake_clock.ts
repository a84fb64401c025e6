/**
 * A clock that a test moves. Does not prove anything about real timers, which are late and coalesce.
 */
import { setImmediate as immediate } from 'node:timers/promises';
import type { Clock } from '../../src/reconcile/clock.js';

export class FakeClock implements Clock {
  #nowMs = 1000;
  #serial = 0;
  readonly #timers = new Map<number, { readonly atMs: number; readonly callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const serial = this.#serial++;
    this.#timers.set(serial, { atMs: this.#nowMs + delayMs, callback });
    return () => void this.#timers.delete(serial);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve));
  }

  /** Time passes, and nobody gets to run: timers that fall due are late. */
  stall(byMs: number): void {
    this.#nowMs += byMs;
  }

  /** Moves time on, timer by timer; between two of them everything that is ready runs. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    let firedMs = this.#nowMs;
    let fired = 0;
    for (;;) {
      if (this.#nowMs > firedMs) [firedMs, fired] = [this.#nowMs, 0];
      if (fired++ > 5000) throw new Error('time stands still: somebody asks to be called at once, again and again');
      await immediate();
      const [next] = [...this.#timers].sort(([a, x], [b, y]) => x.atMs - y.atMs || a - b);
      if (next === undefined || next[1].atMs > untilMs) break;
      this.#timers.delete(next[0]);
      this.#nowMs = Math.max(this.#nowMs, next[1].atMs);
      next[1].callback();
    }
    this.#nowMs = untilMs;
  }

  /** The promise's result, time moving on until it has one. */
  async run<T>(promise: Promise<T>, limitMs = 120_000): Promise<T> {
    let settled = false;
    const end = (): void => void (settled = true);
    promise.then(end, end);
    for (let spentMs = 0; !settled; spentMs += 5) {
      if (spentMs > limitMs) throw new Error(`not done after ${limitMs} ms`);
      await this.advance(5);
    }
    return promise;
  }
}
