/** Asks guests, every few milliseconds, whether they hear on a port; the packet programs tell when they answer. */
import type { Clock } from './clock.js';

const INTERVAL_MS = 5;

export interface Asked {
  /** ifindexes */
  readonly ports: readonly number[];
  readonly frames: readonly Buffer[];
}

export class Asking {
  readonly #clock: Clock;
  readonly #send: (ifindex: number, frame: Buffer) => void;
  readonly #asked = new Map<string, Asked>();
  #cancel: (() => void) | null = null;

  /** @param send may throw: the port may be gone, or take nothing now */
  constructor(clock: Clock, send: (ifindex: number, frame: Buffer) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** `what` null: no longer. */
  set(key: string, what: Asked | null): void {
    if (what === null) {
      this.#asked.delete(key);
      return;
    }
    const isNew = !this.#asked.has(key);
    this.#asked.set(key, what);
    if (isNew) this.#ask(what);
    this.#arm();
  }

  stop(): void {
    this.#asked.clear();
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(): void {
    if (this.#cancel !== null || this.#asked.size === 0) return;
    this.#cancel = this.#clock.after(INTERVAL_MS, () => {
      this.#cancel = null;
      for (const asked of this.#asked.values()) this.#ask(asked);
      this.#arm();
    });
  }

  #ask({ ports, frames }: Asked): void {
    for (const ifindex of ports) {
      for (const frame of frames) {
        try {
          this.#send(ifindex, frame);
        } catch {
          // The port is gone or full; the next question is due soon, and a deadline ends it.
        }
      }
    }
  }
}
