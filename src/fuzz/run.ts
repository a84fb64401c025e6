/** Runs episodes one after the other, and finds the first frame of one that differs. */
import { onCpu } from '../native/affinity.js';
import type { Difference } from './difference.js';
import { cpuOf, Episode, type Shot } from './episode.js';
import { CHECK_FRAMES, EPISODE_FRAMES } from './limits.js';
import { Subject } from './subject.js';
import type { Tallies } from './tallies.js';
import { type Variant, variantOf } from './variants.js';

export interface Failure extends Difference {
  readonly seed: number;
  readonly shot: Shot;
}

export interface EpisodeResult {
  readonly frames: number;
  readonly failure: Failure | null;
  readonly tallies: Tallies;
}

/** The object, loaded for each variant when that is first asked for. */
export class Subjects {
  readonly #loaded = new Map<Variant, Subject>();

  async get(variant: Variant): Promise<Subject> {
    let subject = this.#loaded.get(variant);
    if (subject === undefined) this.#loaded.set(variant, (subject = await Subject.load(variant)));
    return subject;
  }

  close(): void {
    for (const subject of this.#loaded.values()) subject.close();
  }
}

export class Fuzzer {
  readonly #seed: number;
  readonly #subjects: Subjects;

  /** The thread of JavaScript must be on the stage (stage.ts). The subjects stay the caller's. */
  constructor(seed: number, subjects: Subjects) {
    this.#seed = seed;
    this.#subjects = subjects;
  }

  /** @param frames at most EPISODE_FRAMES */
  async run(episode: number, frames = EPISODE_FRAMES): Promise<EpisodeResult> {
    const subject = await this.#subjects.get(variantOf(episode));
    const result = this.#attempt(subject, episode, frames, CHECK_FRAMES);
    if (result.failure === null) return result;
    // Once more, with a look at the maps after every frame: the first one that differs may be an earlier one.
    const again = this.#attempt(subject, episode, frames, 1);
    return again.failure === null ? result : again;
  }

  /** Every frame up to that one, compared one by one. */
  async replay(frame: number): Promise<EpisodeResult & { readonly shot: Shot | null }> {
    const episode = Math.floor(frame / EPISODE_FRAMES);
    const subject = await this.#subjects.get(variantOf(episode));
    return this.#attempt(subject, episode, (frame % EPISODE_FRAMES) + 1, 1);
  }

  #attempt(subject: Subject, number: number, frames: number, checkEvery: number): EpisodeResult & { readonly shot: Shot | null } {
    return onCpu(cpuOf(number), () => {
      const episode = new Episode(subject, this.#seed, number);
      for (let i = 1; i <= frames; i++) {
        const before = episode.frame;
        let difference = episode.step();
        if (difference === null && (i % checkEvery === 0 || i === frames)) difference = episode.compare();
        if (difference === null) continue;
        const failure = { ...difference, frame: before, seed: this.#seed, shot: episode.shot! };
        return { frames: i, failure, tallies: episode.tallies, shot: episode.shot };
      }
      return { frames, failure: null, tallies: episode.tallies, shot: episode.shot };
    });
  }
}
