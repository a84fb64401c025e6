/**
 * The VFs of all adapters: which are free, used, kept or lost, and which one a vNIC may have. Made anew of what is seen at every look, so that
 * nothing can be leaked that somebody forgot.
 */
import { isPassedThrough } from './adapter_vf.js';
import { checkBudget, limitsOf, sumOf, type Account, type Amounts } from './budget.js';
import { fitsGuest, guestName, type AdapterSpec, type Ceilings, type GuestSpec, type NotAcceleratedReason, type Observed, type ObservedVf, type PoolTerms, type QuotaSpec } from './model.js';
import { placed } from './placement.js';

/** A vNIC, as far as the pool is concerned. */
export interface Client {
  readonly key: string;
  readonly name: string;
  /** In the maps; null: it has none yet. */
  readonly id: number | null;
  readonly adapter: string;
  readonly guest: GuestSpec;
  readonly terms: PoolTerms;
  /** May it be given a VF that is passed through? */
  readonly mayPassThrough: boolean;
  /** Port of the VF that it has claimed. A VF has at most one owner: a claimed one is never free. */
  readonly port: string | null;
  /** Port of the VF that is kept for it; null: none is, or no longer. */
  readonly kept: string | null;
}

export interface PooledVf {
  readonly adapter: string;
  readonly seen: ObservedVf;
  /**
   * `free`: on the host, its port too, and nobody's. `used`: somebody's, or in a guest, or not known to be out of one, or
   * its port is still given to a vNIC in the maps, whatever became of that, or it is not
   * yet set as it was. `reserved`: free, and kept for somebody.
   * `quarantined`: free, and not to be handed out. `lost`: nobody's, but not here.
   */
  readonly state: 'free' | 'used' | 'reserved' | 'quarantined' | 'lost';
  /** Whose it is, or for whom it is kept; null: nobody, or nobody that is known. */
  readonly client: Client | null;
  readonly amounts: Amounts;
}

export interface PoolParts {
  readonly adapters: readonly AdapterSpec[];
  readonly quotas: readonly QuotaSpec[];
  readonly observed: Pick<Observed, 'vfs' | 'ports'>;
  readonly clients: readonly Client[];
  /** Ports of VFs that are not to be handed out. */
  readonly quarantined: ReadonlySet<string>;
}

export type Choice = { readonly vf: PooledVf } | { readonly refusal: NotAcceleratedReason };

/** What is handed out, or promised. */
const COUNTS: ReadonlySet<PooledVf['state']> = new Set(['used', 'reserved']);

const originOf = ({ seen }: PooledVf) => seen.origin;

export class Pool {
  readonly #adapters: ReadonlyMap<string, AdapterSpec>;
  readonly #quotas: readonly QuotaSpec[];
  readonly vfs: readonly PooledVf[];

  private constructor(adapters: ReadonlyMap<string, AdapterSpec>, quotas: readonly QuotaSpec[], vfs: readonly PooledVf[]) {
    this.#adapters = adapters;
    this.#quotas = quotas;
    this.vfs = vfs;
  }

  static of({ adapters, quotas, observed, clients, quarantined }: PoolParts): Pool {
    const byName = new Map(adapters.map((adapter) => [adapter.name, adapter]));
    const seen = new Map(observed.vfs.map((vf) => [`${vf.spec.port} ${vf.spec.device}`, vf]));
    const claims = new Map(clients.flatMap((client) => (client.port === null ? [] : [[client.port, client] as const])));
    const kept = new Map(clients.flatMap((client) => (client.kept === null ? [] : [[client.kept, client] as const])));
    const byId = new Map(clients.map((client) => [client.id, client]));
    const byGuest = new Map(clients.map((client) => [guestName(client.guest), client]));
    const entry = (adapter: string, vf: ObservedVf): PooledVf => {
      const { port, place, spec } = vf;
      // Those of one that is passed through are the guest's business: at least one.
      const amounts = { vfs: 1, queues: isPassedThrough(spec) ? 1 : (port?.txQueues ?? 0), vectors: vf.origin.vectors ?? 0 };
      const as = (state: PooledVf['state'], client: Client | null = null): PooledVf => ({ adapter, seen: vf, state, client, amounts });
      const owner = port === null ? undefined : observed.ports.get(port.ifindex);
      const claimer = claims.get(spec.port);
      if (claimer !== undefined) return as('used', claimer);
      if (owner !== undefined) return as('used', byId.get(owner.vnic) ?? null);
      if (place.kind === 'guest') return as('used', byGuest.get(guestName(place.guest)) ?? null);
      if (place.kind === 'unknown' || vf.filter?.lent === true) return as('used');
      if (port === null || place.kind !== 'host') return as('lost');
      if (quarantined.has(spec.port)) return as('quarantined');
      const keeper = kept.get(spec.port);
      return keeper === undefined ? as('free') : as('reserved', keeper);
    };
    const vfs = [...byName.values()].flatMap((adapter) =>
      adapter.vfs.flatMap((spec) => {
        const found = seen.get(`${spec.port} ${spec.device}`);
        return found === undefined ? [] : [entry(adapter.name, found)];
      }),
    );
    return new Pool(byName, quotas, vfs);
  }

  /** VFs of one adapter, in the configuration's order. */
  of(adapter: string): readonly PooledVf[] {
    return this.vfs.filter((vf) => vf.adapter === adapter);
  }

  find(port: string): PooledVf | null {
    return this.vfs.find(({ seen }) => seen.spec.port === port) ?? null;
  }

  /** As it would be were this VF free, or this client's. */
  with(port: string, client: Client | null): Pool {
    const changed = (vf: PooledVf): PooledVf => (client === null ? { ...vf, state: 'free', client } : { ...vf, state: 'used', client });
    return new Pool(this.#adapters, this.#quotas, this.vfs.map((vf) => (vf.seen.spec.port === port ? changed(vf) : vf)));
  }

  /** What is handed out of an adapter. */
  usageOf(adapter: string): Amounts {
    return sumOf(this.of(adapter).flatMap(({ state, amounts }) => (state === 'used' ? [amounts] : [])));
  }

  /** PCI addresses of the PFs that an adapter's VFs are of, as far as they are known. */
  pfsOf(adapter: string): readonly string[] {
    return [...new Set(this.of(adapter).flatMap((vf) => originOf(vf).pf ?? []))];
  }

  /**
   * What a VF of these PFs counts against when it is given to a vNIC of these terms.
   * @param except what is kept for this one is not counted: it may have it
   */
  accountsFor(adapterName: string, terms: PoolTerms, pfs = this.pfsOf(adapterName), except: Client | null = null): readonly Account[] {
    const adapter = this.#adapters.get(adapterName);
    if (adapter === undefined) return [];
    const counted = this.vfs.filter(({ state, client }) => COUNTS.has(state) && !(state === 'reserved' && client !== null && client.key === except?.key));
    const sum = (concerns: (vf: PooledVf) => boolean): Amounts => sumOf(counted.filter(concerns).map(({ amounts }) => amounts));
    const ofAdapter = (vf: PooledVf): boolean => vf.adapter === adapterName;
    const accounts: Account[] = [{ kind: 'adapter', name: adapterName, ceilings: limitsOf(adapter), used: sum(ofAdapter) }];
    const { perPf, quota } = adapter.rules;
    if (Object.keys(perPf).length > 0) {
      for (const pf of pfs) accounts.push({ kind: 'pf', name: pf, ceilings: perPf, used: sum((vf) => ofAdapter(vf) && originOf(vf).pf === pf) });
    }
    for (const name of new Set([terms.quota, quota])) if (name !== null) accounts.push(this.#quota(name, sum));
    return accounts;
  }

  /** Every quota, with what counts against it. */
  quotas(): readonly Account[] {
    const counted = this.vfs.filter(({ state }) => COUNTS.has(state));
    return this.#quotas.map(({ name }) => this.#quota(name, (concerns) => sumOf(counted.filter(concerns).map(({ amounts }) => amounts))));
  }

  #quota(name: string, sum: (concerns: (vf: PooledVf) => boolean) => Amounts): Account {
    const ceilings: Ceilings = this.#quotas.find((quota) => quota.name === name)?.ceilings ?? {};
    const concerns = ({ adapter, client }: PooledVf): boolean => client?.terms.quota === name || this.#adapters.get(adapter)?.rules.quota === name;
    return { kind: 'quota', name, ceilings, used: sum(concerns) };
  }

  /**
   * The best VF that is free or kept for the client, that its guest can take, and that is within every budget, or the reason why there is none.
   * `avoid` (a port that just failed) is taken only when there is no other.
   */
  choose(client: Client, avoid: string | null): Choice {
    const adapter = this.#adapters.get(client.adapter);
    if (adapter === undefined || adapter.vfs.length === 0) return { refusal: 'adapter_without_vfs' };
    const ours = this.of(adapter.name);
    const fitting = ours.filter(({ seen: { spec } }) => fitsGuest(spec, client.guest) && (!isPassedThrough(spec) || client.mayPassThrough));
    if (fitting.length === 0 && ours.some(({ seen }) => isPassedThrough(seen.spec))) return { refusal: 'vf_unfit' };
    const isKept = (vf: PooledVf): boolean => vf.state === 'reserved' && vf.client?.key === client.key;
    const candidates = fitting.filter((vf) => vf.state === 'free' || isKept(vf)).map((vf) => ({ vf, ...originOf(vf) }));
    const used = ours.filter(({ state }) => state === 'used').map(originOf);
    const { placement } = adapter.rules;
    const order = placed(candidates, used, placement, client.terms.numaNode).map(({ vf }) => vf);
    order.sort((a, b) => Number(isKept(b)) - Number(isKept(a)) || Number(a.seen.spec.port === avoid) - Number(b.seen.spec.port === avoid));
    let refusal = whyNone(fitting);
    const known = new Map<string | null, readonly Account[]>();
    for (const [index, vf] of order.entries()) {
      const { pf } = originOf(vf);
      const accounts = known.get(pf) ?? this.accountsFor(adapter.name, client.terms, pf === null ? [] : [pf], client);
      known.set(pf, accounts);
      const problem = vf.amounts.queues < 1 ? 'vf_too_few_queues' : checkBudget(accounts, vf.amounts);
      if (problem === null) return { vf };
      if (index === 0) refusal = problem;
    }
    return { refusal };
  }
}

/** What stands in the way when no VF is free. */
function whyNone(fitting: readonly PooledVf[]): NotAcceleratedReason {
  if (fitting.some(({ state }) => state === 'reserved')) return 'vf_reserved';
  return fitting.some(({ state }) => state === 'quarantined') ? 'vf_quarantined' : 'no_free_vf';
}
