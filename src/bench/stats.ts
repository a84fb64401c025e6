/** From rounds to ratios: what is compared was measured within one round, because the machine changes from round to round. Pure. */

export interface Spread {
  readonly median: number;
  /** Quartiles. */
  readonly low: number;
  readonly high: number;
}

/** Median and quartiles. @throws RangeError without values */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = share * (sorted.length - 1);
    const below = sorted[Math.floor(position)] ?? 0;
    const above = sorted[Math.ceil(position)] ?? 0;
    return below + (above - below) * (position - Math.floor(position));
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** What each contender cost in one round. */
export type Round<C extends string> = Readonly<Record<C, number>>;

/** Rounds that count. */
export class Rounds<C extends string> {
  readonly #rounds: readonly Round<C>[];

  constructor(rounds: readonly Round<C>[], readonly dropped: number) {
    this.#rounds = rounds;
  }

  get length(): number {
    return this.#rounds.length;
  }

  values(contender: C): number[] {
    return this.#rounds.map((round) => round[contender]);
  }

  /** Cost of `a` in units of the cost of `b`, round by round. */
  ratios(a: C, b: C): number[] {
    return this.#rounds.map((round) => round[a] / round[b]);
  }

  /** The same after subtracting the cost of `empty` from both; rounds in which `b` does not cost more than that say nothing. */
  netRatios(a: C, b: C, empty: C): number[] {
    return this.#rounds.filter((round) => round[b] > round[empty]).map((round) => (round[a] - round[empty]) / (round[b] - round[empty]));
  }

  net(contender: C, empty: C): number[] {
    return this.#rounds.map((round) => round[contender] - round[empty]);
  }
}
