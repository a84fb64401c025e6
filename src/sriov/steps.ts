/** Steps done one after the other; when one fails, those before it are undone, last first. */
import { PartlyUndoneError } from './error.js';

export interface Doing<T> {
  readonly perform: (step: T) => Promise<void>;
  /** Must do no harm when the step was done only half. */
  readonly undo: (step: T) => Promise<void>;
  readonly describe: (step: T) => string;
  /** `tried`: one that fails may have been done half, and is undone too. */
  readonly undone: 'done' | 'tried';
}

/** @throws the first step's error; PartlyUndoneError when something could not be undone */
export async function doSteps<T>(steps: readonly T[], { perform, undo, describe, undone }: Doing<T>): Promise<void> {
  const pile: T[] = [];
  for (const step of steps) {
    if (undone === 'tried') pile.unshift(step);
    try {
      await perform(step);
    } catch (error) {
      const failures = await undoAll(pile, undo, describe);
      if (failures.length === 0) throw error;
      throw new PartlyUndoneError(`${(error as Error).message}; and not everything could be undone: ${failures.join('; ')}`, null, { cause: error });
    }
    if (undone === 'done') pile.unshift(step);
  }
}

/** What could not be undone, in words. */
async function undoAll<T>(pile: readonly T[], undo: (step: T) => Promise<void>, describe: (step: T) => string): Promise<string[]> {
  const failures: string[] = [];
  for (const step of pile) {
    try {
      await undo(step);
    } catch (error) {
      failures.push(`${describe(step)}: ${(error as Error).message}`);
    }
  }
  return failures;
}
