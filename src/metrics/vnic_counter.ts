/** A counter of what the daemon itself sees of each vNIC: there from zero, and gone with its vNIC. */
import { VNICS_A_TURN } from './collector.js';
import type { Cell, Family, Labels, Readings } from './readings.js';
import { chunksOf, type Steps } from './turns.js';

interface Count {
  readonly cell: Cell;
  value: number;
}

export class VnicCounter {
  readonly #family: Family;
  readonly #combinations: readonly Labels[];
  /** By vNIC: one for each combination. */
  readonly #counts = new Map<string, readonly Count[]>();

  /** @param combinations every set of labels, besides `vnic`, that it can be increased with; each has the same names */
  constructor(readings: Readings, name: string, help: string, combinations: readonly Labels[]) {
    this.#family = readings.counter(name, help, ['vnic', ...Object.keys(combinations[0] ?? {})]);
    this.#combinations = combinations;
  }

  /** @param labels one of the combinations */
  increase(vnic: string, labels: Labels, by: number): void {
    const which = this.#combinations.findIndex((each) => Object.entries(labels).every(([name, value]) => each[name] === value));
    const count = this.#countsOf(vnic)[which];
    if (count === undefined) throw new RangeError(`a counter of vNICs has no series with ${JSON.stringify(labels)}`);
    count.value += by;
  }

  /** Shows these vNICs and no others. */
  *collect(vnics: Iterable<string>): Steps {
    const kept = new Set(vnics);
    for (const vnic of this.#counts.keys()) if (!kept.has(vnic)) this.#counts.delete(vnic);
    this.#family.clear();
    for (const chunk of chunksOf(kept, VNICS_A_TURN)) {
      for (const vnic of chunk) for (const { cell, value } of this.#countsOf(vnic)) cell.set(value);
      yield;
    }
  }

  #countsOf(vnic: string): readonly Count[] {
    const known = this.#counts.get(vnic);
    if (known !== undefined) return known;
    const counts = this.#combinations.map((labels) => ({ cell: this.#family.cell({ vnic, ...labels }), value: 0 }));
    this.#counts.set(vnic, counts);
    return counts;
  }
}
