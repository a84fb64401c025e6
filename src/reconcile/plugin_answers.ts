/** In which guests the plug-in has answered lately. */

/** Guests are asked at every look, at least every two seconds: this is three questions without an answer. */
const HOLDS_MS = 7000;

export class PluginAnswers {
  readonly #nowMs: () => number;
  readonly #answeredMs = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @returns true when it was not known */
  heard(guest: string): boolean {
    const news = !this.has(guest);
    this.#answeredMs.set(guest, this.#nowMs());
    return news;
  }

  has(guest: string): boolean {
    const answeredMs = this.#answeredMs.get(guest);
    return answeredMs !== undefined && this.#nowMs() - answeredMs <= HOLDS_MS;
  }

  /** It boots anew: whatever answered is gone. */
  forget(guest: string): void {
    this.#answeredMs.delete(guest);
  }

  /** All others are gone. */
  keepOnly(guests: ReadonlyMap<string, unknown>): void {
    for (const guest of this.#answeredMs.keys()) if (!guests.has(guest)) this.#answeredMs.delete(guest);
  }
}
