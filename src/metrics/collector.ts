/** What is read at a scrape: a name for the error counter, and a reading that fills metric families. */
import type { Steps } from './turns.js';

/** vNICs that are read in one turn of the event loop. */
export const VNICS_A_TURN = 16;

export interface Collector {
  readonly name: string;
  /** What must be waited for; the event loop goes on meanwhile. */
  prepare?(): Promise<void>;
  /** Replaces what its families show by what is now; at once, or in steps, between which the event loop goes on. */
  collect(): Steps | void;
}
