/** What a section of the bench is: it builds its network, then measures in a process of its own on one CPU, in the host's namespace. */
import type { GoalId } from './goals.js';
import type { Curve, Figure, Netns, SectionContext, SectionReport } from './model.js';
import type { Rounds } from './stats.js';

export interface Section {
  /** Adds what it needs to the namespaces, which stage.ts has made. */
  raise(netns: Netns): Promise<void>;
  /** Runs in the section's process. */
  measure(context: SectionContext): Promise<Findings>;
}

export type Findings = Omit<SectionReport, 'section'>;

/** Gathers what a section finds. */
export class Finder {
  readonly #ratios: Partial<Record<GoalId, readonly number[]>> = {};
  readonly #figures: Figure[] = [];
  readonly #curves: Curve[] = [];
  readonly #remarks: string[] = [];
  #dropped = 0;

  ratio(goal: GoalId, values: readonly number[]): void {
    this.#ratios[goal] = values;
  }

  figure(what: string, unit: string, values: readonly number[]): void {
    this.#figures.push({ what, unit, values });
  }

  curve(curve: Curve): void {
    this.#curves.push(curve);
  }

  remark(text: string): void {
    this.#remarks.push(text);
  }

  /** Counts the rounds that were left out. */
  used<C extends string>(rounds: Rounds<C>): Rounds<C> {
    this.#dropped += rounds.dropped;
    return rounds;
  }

  findings(): Findings {
    return { ratios: this.#ratios, figures: this.#figures, curves: this.#curves, remarks: this.#remarks, roundsDropped: this.#dropped };
  }
}

/** On a terminal only. */
export function showProgress(section: string): (done: number, wanted: number) => void {
  return (done, wanted) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${section}: round ${done} of ${wanted}`);
  };
}
