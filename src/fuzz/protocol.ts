/** What the main process and its workers tell each other. */
import type { Reason } from '../../maps/generated/contract.js';

export interface WorkerOptions {
  readonly seed: number;
  /** This worker's episodes: first, first + step, ... below `end`. */
  readonly first: number;
  readonly step: number;
  readonly end: number;
  /** Frames of the whole run: the last episode may be short. */
  readonly frames: number;
}

/** A difference in words, with all that is needed to make it again. */
export interface FailureReport {
  readonly seed: number;
  readonly frame: number;
  readonly text: string;
  readonly program: string;
  readonly arrival: string;
  readonly hex: string;
}

/** After every episode, and once at the end. */
export type WorkerMessage =
  | { readonly kind: 'episode'; readonly frames: number; readonly reasons: readonly (readonly [Reason, number])[] }
  | { readonly kind: 'failure'; readonly failure: FailureReport }
  | { readonly kind: 'done' };
