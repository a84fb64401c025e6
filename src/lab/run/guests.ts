/** What a run needs of the guests, whatever they are made of: netns_guests.ts and qemu_guests.ts. */
import type { VnicPath } from '../../core/model.js';
import type { TrafficEnd } from '../traffic/client.js';
import type { Transition } from './path_follower.js';

/** Sees on which path a guest itself transmits. */
export interface PathWatch {
  readonly path: VnicPath;
  /** Since the start of the run, in order. */
  readonly transitions: readonly Transition[];
}

export interface Rehomed {
  /** For so long the guest stood still, milliseconds; what was sent to it meanwhile may be lost. */
  readonly stoodStillMs: number;
}

export interface Guests {
  /** Of the guests whose path and steering are shown. */
  readonly watches: ReadonlyMap<string, PathWatch>;
  /** Its end of the traffic. @throws Error when it cannot be had */
  endpoint(guest: string): Promise<TrafficEnd>;
  /**
   * Moves the guest with its connections; resolves when it is served by the new host only.
   * @param onArrival called when it transmits through the new host; detail says how it came there. @throws ChangeFailedError when it has not
   */
  rehome(guest: string, to: string, onArrival: (detail: string) => void): Promise<Rehomed>;
  /** Whether a guest has died of something that is not unipath's doing, in words; null when not. */
  death(): string | null;
  /** What the guests found worth saying about themselves. */
  notes(): Promise<string[]>;
  close(): Promise<void>;
}

/** Something did not come about; the step goes on and the failure is reported with it. */
export class ChangeFailedError extends Error {
  override readonly name = 'ChangeFailedError';
}

/** A guest died of itself: what the run found says nothing. */
export class GuestDiedError extends Error {
  override readonly name = 'GuestDiedError';
}
