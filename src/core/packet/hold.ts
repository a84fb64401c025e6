/**
 * Keeping frames back while their guest changes its path (maps/holds.h): when a frame has to wait, and whether there is room for it.
 * What waits lies in a ring buffer of the kernel (kernel/bpf/ringbuf.c), which is never quite full.
 */
import { type HeldFrame, heldFrameCodec, HoldRoom, type PathWord, PathBit } from '../../../maps/generated/contract.js';
import type { Work } from './decision.js';

/** A ring buffer that frames wait in. */
export interface HoldRing {
  /** Bytes; a power of two. */
  readonly size: number;
  /** Bytes that are taken, headers and all. */
  readonly taken: number;
}

/** What is known of a frame that waits, but its time. */
export type Held = Omit<HeldFrame, 'timeNs'>;

const HOLD = BigInt(PathBit.HOLD);
const RELEASE = BigInt(PathBit.RELEASE);
const ROOMS = Object.values(HoldRoom);
/** Before each record of a ring; all of them are aligned. */
const RECORD_HEADER_BYTES = 8;
const RECORD_ALIGNMENT = 8;

/** A hold that nobody ended in time is none. */
export function isHolding(path: PathWord, nowNs: bigint): boolean {
  return (path.word & HOLD) !== 0n && nowNs < path.holdUntilNs;
}

/** What waits is being delivered. */
export function isReleasing(path: PathWord): boolean {
  return (path.word & RELEASE) !== 0n;
}

/** While what waits is delivered, only behind others: with nothing waiting any more frames go straight on. */
export function mustWait({ state }: Work, id: number, path: PathWord): boolean {
  const ring = state.holds.get(id);
  if (ring === undefined || !isHolding(path, state.nowNs)) return false;
  return !isReleasing(path) || ring.taken > 0;
}

/** Bytes of a ring that a frame takes: the smallest room that it fits into; null when there is no such room. */
export function recordBytes(length: number): number | null {
  const room = ROOMS.find((each) => length <= each);
  if (room === undefined) return null;
  const bytes = RECORD_HEADER_BYTES + heldFrameCodec.size + room;
  return Math.ceil(bytes / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** Lets the frame wait. False: there is no room. */
export function keepBack(work: Work, vnic: number, bytes: Uint8Array, beside: Omit<Held, 'length'>): boolean {
  const ring = work.state.holds.get(vnic);
  const record = recordBytes(bytes.length);
  if (ring === undefined || record === null || ring.taken + record >= ring.size) return false;
  work.effects.push({ kind: 'held', vnic, held: { length: bytes.length, ...beside }, bytes, record });
  return true;
}
