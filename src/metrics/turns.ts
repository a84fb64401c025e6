/** Long work in short turns of the event loop: nothing else that the daemon has to do waits for a scrape. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work that may be interrupted wherever it yields. */
export type Steps = Generator<unknown, void>;

/** Each step is a turn of its own, after which whatever else waits is run. Rejects with what a step throws. @param took seconds of each turn */
export async function inTurns(steps: Steps, took: number[]): Promise<void> {
  for (let isDone = false; !isDone; ) {
    const start = process.hrtime.bigint();
    try {
      isDone = steps.next().done === true;
    } finally {
      took.push(Number(process.hrtime.bigint() - start) / 1e9);
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
