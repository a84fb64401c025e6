/**
 * Answers that cost a process each, kept for a while. Only what was seen to be as it should be is kept, so that nothing
 * that is waited for is noticed late; and all of it is forgotten whenever the host or a guest is changed.
 */
export class Recall {
  readonly #maxAgeMs: number;
  readonly #nowMs: () => number;
  readonly #answers = new Map<string, { readonly value: unknown; readonly atMs: number }>();
  #generation = 0;

  constructor(maxAgeMs: number, nowMs: () => number) {
    this.#maxAgeMs = maxAgeMs;
    this.#nowMs = nowMs;
  }

  forget(): void {
    this.#answers.clear();
    this.#generation++;
  }

  /** The kept answer to `question`, or a new one; it is kept if `keep` says so and nothing was changed meanwhile. */
  async ask<T>(question: string, answer: () => Promise<T>, keep: (value: T) => boolean): Promise<T> {
    const kept = this.#answers.get(question);
    if (kept !== undefined && this.#nowMs() - kept.atMs < this.#maxAgeMs) return kept.value as T;
    this.#answers.delete(question);
    const generation = this.#generation;
    const value = await answer();
    if (keep(value) && generation === this.#generation) this.#answers.set(question, { value, atMs: this.#nowMs() });
    return value;
  }
}
