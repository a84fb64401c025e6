/** Asks guests, again and again, whether they hear on a port; the packet programs tell when they answer. */
import type { Clock } from './clock.js';

export interface Asked {
  /** What is sent out of which ports. */
  readonly to: readonly { readonly ifindex: number; readonly frames: readonly Buffer[] }[];
  /** Between two questions. */
  readonly intervalMs: number;
}

interface Due {
  readonly asked: Asked;
  readonly atMs: number;
}

export class Asking {
  readonly #clock: Clock;
  readonly #send: (ifindex: number, frame: Buffer) => void;
  readonly #due = new Map<string, Due>();
  #cancel: (() => void) | null = null;
  #armedForMs = Infinity;

  /** @param send may throw: the port may be gone, or take nothing now */
  constructor(clock: Clock, send: (ifindex: number, frame: Buffer) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** The first question comes after the interval, or at once where none was asked before. `what` null: no longer. */
  set(key: string, what: Asked | null): void {
    const before = this.#due.get(key);
    if (what === null) {
      this.#due.delete(key);
      return;
    }
    const atMs = this.#clock.nowMs() + what.intervalMs;
    if (before === undefined) this.#ask(what);
    this.#due.set(key, { asked: what, atMs: Math.min(before?.atMs ?? atMs, atMs) });
    this.#arm();
  }

  stop(): void {
    this.#due.clear();
    this.#disarm();
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#armedForMs = Infinity;
  }

  #arm(): void {
    const nextMs = Math.min(...[...this.#due.values()].map(({ atMs }) => atMs));
    if (nextMs >= this.#armedForMs) return;
    this.#disarm();
    this.#armedForMs = nextMs;
    this.#cancel = this.#clock.after(Math.max(0, nextMs - this.#clock.nowMs()), () => this.#rang());
  }

  #rang(): void {
    this.#disarm();
    const nowMs = this.#clock.nowMs();
    for (const [key, { asked, atMs }] of this.#due) {
      if (atMs > nowMs) continue;
      this.#ask(asked);
      this.#due.set(key, { asked, atMs: nowMs + asked.intervalMs });
    }
    this.#arm();
  }

  #ask({ to }: Asked): void {
    for (const { ifindex, frames } of to) {
      for (const frame of frames) {
        try {
          this.#send(ifindex, frame);
        } catch {
          // The port is gone or full; the next question is due soon.
        }
      }
    }
  }
}
