/** Failures on demand, and the list of everything that was tried. */

/** `before`: nothing was done; `after`: it was done, and still an error came back. */
export type FaultMoment = 'before' | 'after';

export class Faults {
  /** Every call that changes something, in order. */
  readonly calls: string[] = [];
  /** Things that must never be done, and were. */
  readonly violations: string[] = [];
  /** Decides for every call, by its number from 0; null lets it pass. */
  decide: (call: string, index: number) => FaultMoment | null = () => null;
  /** Told after every call, failed or not. */
  onCall: (call: string) => void = () => undefined;

  #life = 0;

  /** Whoever was doing something is dead: what it has begun does not get done. */
  interrupt(): void {
    this.#life++;
  }

  /** Time that a call takes; ends with an error when its caller dies meanwhile. */
  async take(sleep: Promise<void>): Promise<void> {
    const life = this.#life;
    await sleep;
    if (life !== this.#life) throw new Error('interrupted');
  }

  async around(call: string, action: () => Promise<void> | void): Promise<void> {
    const moment = this.#begin(call);
    if (moment !== 'before') await action();
    this.#end(call, moment);
  }

  aroundSync<T>(call: string, action: () => T): T {
    const moment = this.#begin(call);
    if (moment === 'before') this.#end(call, moment);
    const result = action();
    this.#end(call, moment);
    return result;
  }

  violate(what: string): void {
    this.violations.push(what);
  }

  #begin(call: string): FaultMoment | null {
    const moment = this.decide(call, this.calls.length);
    this.calls.push(call);
    return moment;
  }

  #end(call: string, moment: FaultMoment | null): void {
    this.onCall(call);
    if (moment !== null) throw new Error(`injected failure ${moment} ${call}`);
  }
}
