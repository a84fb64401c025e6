/** Something for each vNIC, made when it is first seen in a scrape and let go after the first scrape without it. */
export class Kept<T> {
  readonly #make: (vnic: string) => T;
  readonly #all = new Map<string, T>();
  readonly #used = new Set<string>();

  constructor(make: (vnic: string) => T) {
    this.#make = make;
  }

  of(vnic: string): T {
    this.#used.add(vnic);
    let kept = this.#all.get(vnic);
    if (kept === undefined) this.#all.set(vnic, (kept = this.#make(vnic)));
    return kept;
  }

  /** At the end of a scrape. */
  letGo(): void {
    for (const vnic of this.#all.keys()) if (!this.#used.has(vnic)) this.#all.delete(vnic);
    this.#used.clear();
  }
}
