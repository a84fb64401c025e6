/** A counter of what the daemon itself sees of each vNIC: there from zero, and gone with its vNIC. */
import { Counter, type Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;

export class VnicCounter {
  readonly #counter: Counter;
  readonly #combinations: readonly Labels[];
  readonly #known = new Set<string>();

  /** @param combinations every set of labels, besides `vnic`, that it can be increased with; each has the same names */
  constructor(registry: Registry, name: string, help: string, combinations: readonly Labels[]) {
    const labelNames = ['vnic', ...Object.keys(combinations[0] ?? {})];
    this.#counter = new Counter({ name, help, labelNames, registers: [registry] });
    this.#combinations = combinations;
  }

  increase(vnic: string, labels: Labels, by: number): void {
    this.#begin(vnic);
    this.#counter.inc({ vnic, ...labels }, by);
  }

  /** Of these vNICs and no others. */
  keepOnly(vnics: Iterable<string>): void {
    const kept = new Set(vnics);
    for (const vnic of kept) this.#begin(vnic);
    for (const vnic of this.#known) {
      if (kept.has(vnic)) continue;
      this.#known.delete(vnic);
      for (const labels of this.#combinations) this.#counter.remove({ vnic, ...labels });
    }
  }

  #begin(vnic: string): void {
    if (this.#known.has(vnic)) return;
    this.#known.add(vnic);
    for (const labels of this.#combinations) this.#counter.inc({ vnic, ...labels }, 0);
  }
}
