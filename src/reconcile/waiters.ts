/** Promises that wait for something to have become true, looked at again whenever anything happened. */
import type { Clock } from './clock.js';

export class Waiters {
  readonly #clock: Clock;
  readonly #checks = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something happened. */
  wake(): void {
    for (const check of [...this.#checks]) check();
  }

  /** True as soon as `isTrue` says so; false when the time is over first. */
  until(isTrue: () => boolean, timeoutMs: number): Promise<boolean> {
    if (isTrue()) return Promise.resolve(true);
    if (timeoutMs <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        this.#checks.delete(check);
        cancel();
        resolve(result);
      };
      const check = (): void => {
        if (isTrue()) end(true);
      };
      const cancel = this.#clock.after(timeoutMs, () => end(isTrue()));
      this.#checks.add(check);
    });
  }
}
