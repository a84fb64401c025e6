/**
 * Sees from outside on which path a guest transmits: by how many frames have come out of it through its tap, and through the taps of
 * its VFs. Pure: fed with what was read, it says what it learnt.
 */
import type { VnicPath } from '../../core/model.js';
import type { Transition } from './path_follower.js';

/** Frames that a guest has sent, by path. */
export type FramesOut = Readonly<Record<VnicPath, number>>;

/** A lone frame on the other path, such as one of its neighbour discovery, is no change of path. */
const SWITCHED_FRAMES = 3;

export class TapFollower {
  /** The path that the guest transmits on. */
  current: VnicPath = 'software';
  #before: FramesOut | null = null;
  /** No frame came on this path after the look after this one. */
  #lastNs: number | null = null;
  #lookedNs: number | null = null;
  /** Frames on the other path, and since when; none came on this one since. */
  #other = 0;
  #otherSinceNs = 0;

  /**
   * To be called every few milliseconds, which is how exact times are: a switch took at most what is said. Counts go up only.
   * @param nowNs CLOCK_MONOTONIC
   */
  observe(frames: FramesOut, nowNs: number): Transition | null {
    const before = this.#before ?? frames;
    const lookedNs = this.#lookedNs ?? nowNs;
    this.#before = frames;
    this.#lookedNs = nowNs;
    const next: VnicPath = this.current === 'software' ? 'accelerated' : 'software';
    const [here, there] = [frames[this.current] - before[this.current], frames[next] - before[next]];
    if (here > 0) {
      this.#lastNs = lookedNs;
      this.#other = 0;
    }
    if (there > 0 && this.#other === 0) this.#otherSinceNs = nowNs;
    if (there > 0) this.#other += there;
    if (here > 0 || this.#other < SWITCHED_FRAMES) return null;
    const transition: Transition = {
      from: this.current,
      to: next,
      atNs: this.#otherSinceNs,
      receiveMs: null,
      transmitMs: this.#lastNs === null ? null : (this.#otherSinceNs - this.#lastNs) / 1e6,
    };
    this.current = next;
    this.#lastNs = lookedNs;
    this.#other = 0;
    return transition;
  }
}
