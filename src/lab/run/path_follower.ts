/**
 * Sees in the plug-in's own record when a guest moved from one path to the other, and how long it took. Pure: fed with what
 * was read, it says what it learnt and what to reset.
 */
import type { PluginState } from '../../../maps/generated/contract.js';
import type { VnicPath } from '../../core/model.js';

export interface Transition {
  readonly from: VnicPath;
  readonly to: VnicPath;
  /** CLOCK_MONOTONIC of the first frame that the guest sent on the new path. */
  readonly atNs: number;
  /** From the last frame on the old path to the first on the new; negative: they overlapped; null: none was received. */
  readonly receiveMs: number | null;
  readonly transmitMs: number | null;
}

export interface Observation {
  readonly transition: Transition | null;
  /** The path whose rx_first_ns and tx_first_ns shall be written 0, so that its next first frame is recorded; null: none. */
  readonly reset: VnicPath | null;
}

/** A frame that trails on the path not in use is not the beginning of a switch when it stays alone for this long. */
const STRAY_NS = 100_000_000;
/** Longest wait for the second direction of a switch. */
const PATIENCE_NS = 300_000_000;

const recordOf = (state: PluginState, path: VnicPath) => (path === 'software' ? state.tap : state.vf);
const otherPath = (path: VnicPath): VnicPath => (path === 'software' ? 'accelerated' : 'software');

/** Milliseconds from one time to the other; null when either never was. */
function gapMs(fromNs: bigint, toNs: bigint): number | null {
  return fromNs === 0n || toNs === 0n ? null : Number(toNs - fromNs) / 1e6;
}

export class PathFollower {
  /** The path that the guest transmits on. */
  current: VnicPath = 'software';

  /** To be called first, then every few milliseconds. @param nowNs CLOCK_MONOTONIC */
  observe(state: PluginState, nowNs: number): Observation {
    const next = otherPath(this.current);
    const [old, fresh] = [recordOf(state, this.current), recordOf(state, next)];
    if (fresh.txFirstNs === 0n) {
      const stray = fresh.rxFirstNs !== 0n && nowNs - Number(fresh.rxFirstNs) > STRAY_NS;
      return { transition: null, reset: stray ? next : null };
    }
    const complete = fresh.rxFirstNs !== 0n || nowNs - Number(fresh.txFirstNs) > PATIENCE_NS;
    if (!complete) return { transition: null, reset: null };
    const transition: Transition = {
      from: this.current,
      to: next,
      atNs: Number(fresh.txFirstNs),
      receiveMs: gapMs(old.rxLastNs, fresh.rxFirstNs),
      transmitMs: gapMs(old.txLastNs, fresh.txFirstNs),
    };
    const reset = this.current;
    this.current = next;
    return { transition, reset };
  }
}
