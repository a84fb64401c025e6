/** Reads a captor until there is enough, time is over, somebody interrupts, or the programs are exchanged. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Captor } from './captor.js';
import type { CapturedFrame } from './record.js';

export interface RunLimits {
  readonly count: number | null;
  readonly milliseconds: number | null;
  readonly interrupted: AbortSignal;
}

export type RunEnd = 'count' | 'time' | 'interrupted' | 'replaced';

/** At a million frames per second the ring lasts some 20 ms. */
const POLL_MS = 5;
const LIVE_CHECK_MS = 500;

/**
 * The captor is detached when this returns, and the ring is empty.
 * @param onFrame gets at most `count`
 * @param afterPoll called after each look at the ring; while it returns true, the ring is left to fill up
 */
export async function runCaptor(
  captor: Captor,
  limits: RunLimits,
  onFrame: (frame: CapturedFrame) => void,
  afterPoll: () => boolean = () => false,
): Promise<RunEnd> {
  const { count, milliseconds, interrupted } = limits;
  const end = milliseconds === null ? null : performance.now() + milliseconds;
  let left = count ?? Number.POSITIVE_INFINITY;
  let nextCheck = performance.now() + LIVE_CHECK_MS;
  let busy = false;
  const poll = (): void => {
    if (!busy) captor.poll((frame) => left-- > 0 && onFrame(frame));
    busy = afterPoll();
  };
  const over = (): RunEnd | null => {
    const now = performance.now();
    if (left <= 0) return 'count';
    if (interrupted.aborted) return 'interrupted';
    if (end !== null && now >= end) return 'time';
    if (now < nextCheck) return null;
    nextCheck = now + LIVE_CHECK_MS;
    return captor.isLive() ? null : 'replaced';
  };
  let why: RunEnd | null = null;
  while (why === null) {
    await sleep(POLL_MS);
    poll();
    why = over();
  }
  captor.detach();
  busy = false;
  poll();
  return why;
}
