/** Which VFs are in quarantine: those that failed too often, and those that the operator put there, until they are released. */
import { isVfFault, strike, verdict, type Quarantine, type Quarantines, type Strikes } from '../core/quarantine.js';
import type { Tenant } from '../core/tenant.js';

/** Where it is kept over a restart of the daemon. */
export interface QuarantineStore {
  read(): Quarantines;
  write(all: Quarantines): void;
}

export class QuarantineKeeper {
  readonly #store: QuarantineStore | null;
  readonly #all: Map<string, Quarantine>;
  readonly #strikes = new Map<string, Strikes>();

  constructor(store: QuarantineStore | null) {
    this.#store = store;
    this.#all = new Map(store?.read());
  }

  /** By port of the VF. */
  get all(): Quarantines {
    return this.#all;
  }

  put(port: string, quarantine: Quarantine): void {
    this.#all.set(port, quarantine);
    this.#store?.write(this.#all);
  }

  /** False: it was not there. What it failed before counts no more. */
  release(port: string): boolean {
    this.#strikes.delete(port);
    if (!this.#all.delete(port)) return false;
    this.#store?.write(this.#all);
    return true;
  }

  releaseAll(): void {
    for (const port of [...this.#all.keys()]) this.release(port);
  }

  /**
   * What a vNIC went through with its VF. Port and reason of a VF that is to go into quarantine for it; null: none.
   * @param othersWork does a VF of its adapter other than this one carry traffic?
   */
  follow(
    before: Tenant | null,
    after: Tenant,
    nowMs: number,
    stableMs: number,
    othersWork: (port: string) => boolean,
  ): { readonly port: string; readonly reason: string } | null {
    const stage = before?.state.stage;
    const stable = stage?.phase === 'accelerated' && nowMs - stage.sinceMs >= stableMs;
    if (stable && after.state.stage !== stage) this.#strikes.delete(stage.vf.port);
    const [was, now] = [before?.state.vfTrouble ?? null, after.state.vfTrouble];
    // A wait that begins anew is no new failure.
    const isNew = now !== null && (was === null || was.port !== now.port || was.failures !== now.failures);
    if (!isNew || !isVfFault(now.reason)) return null;
    const strikes = strike(this.#strikes.get(now.port), after.spec.name);
    this.#strikes.set(now.port, strikes);
    const reason = this.#all.has(now.port) ? null : verdict(strikes, now.message, othersWork(now.port));
    return reason === null ? null : { port: now.port, reason };
  }
}
