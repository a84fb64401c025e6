/** Long work in short turns of the event loop: nothing else that the daemon has to do waits for a scrape. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work that may be interrupted wherever it yields. */
export type Steps = Generator<unknown, void>;

/** A turn of the event loop costs more than a short step does, so several of them share one: as many as begin within this time. */
export const TURN_MS = 1;

/**
 * Steps, and after each turn whatever else waits is run. Rejects with what a step throws.
 * @param took seconds of each turn
 * @param turnMs 0: each step is a turn of its own
 */
export async function inTurns(steps: Steps, took: number[], turnMs = TURN_MS): Promise<void> {
  for (let isDone = false; !isDone; ) {
    const start = performance.now();
    let elapsedMs = 0;
    try {
      do {
        isDone = steps.next().done === true;
        elapsedMs = performance.now() - start;
      } while (!isDone && elapsedMs < turnMs);
    } finally {
      took.push((performance.now() - start) / 1000);
      await nextTurn();
    }
  }
}

/** The same items, at most `size` at once; the source is asked for them as late as possible. */
export function* chunksOf<T>(items: Iterable<T>, size: number): Generator<readonly T[], void> {
  let chunk: T[] = [];
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
