/**
 * The busiest flows of a sampled stream, in bounded memory: space-saving (Metwally, Agrawal, El Abbadi 2005). A flow that is not
 * among those watched takes the place of the least busy one and inherits its weight, so no busy flow is missed: whatever has more
 * than 1/most of all weight is among them. Pure.
 */

export interface Busy<T> {
  readonly key: string;
  /** What was last seen of it. */
  readonly last: T;
  /** Since it is watched. */
  readonly packets: number;
  readonly bytes: number;
  /** Inherited: so much more, of packets or bytes, it may have had before. */
  readonly over: number;
}

type Watched<T> = { -readonly [K in keyof Busy<T>]: Busy<T>[K] };

export type Order = 'packets' | 'bytes';

export class BusyFlows<T> {
  readonly #most: number;
  readonly #by: Order;
  readonly #flows = new Map<string, Watched<T>>();

  /** @param most flows that are watched at once, at least one */
  constructor(most: number, by: Order) {
    this.#most = most;
    this.#by = by;
  }

  get size(): number {
    return this.#flows.size;
  }

  add(key: string, bytes: number, last: T): void {
    const known = this.#flows.get(key);
    if (known !== undefined) {
      known.packets++;
      known.bytes += bytes;
      known.last = last;
      return;
    }
    const over = this.#flows.size < this.#most ? 0 : this.#dropLeast();
    this.#flows.set(key, { key, last, packets: 1, bytes, over });
  }

  /** Busiest first. */
  top(number: number): readonly Busy<T>[] {
    const by = this.#by;
    return [...this.#flows.values()].sort((a, b) => b[by] - a[by] || (a.key < b.key ? -1 : 1)).slice(0, number);
  }

  clear(): void {
    this.#flows.clear();
  }

  #weight(flow: Watched<T>): number {
    return flow[this.#by] + flow.over;
  }

  /** Returns the weight that it had. */
  #dropLeast(): number {
    let least: Watched<T> | null = null;
    for (const flow of this.#flows.values()) if (least === null || this.#weight(flow) < this.#weight(least)) least = flow;
    if (least === null) return 0;
    this.#flows.delete(least.key);
    return this.#weight(least);
  }
}
