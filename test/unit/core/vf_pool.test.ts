import test from 'ava';
import fc from 'fast-check';
import { RESOURCES, sumOf, type Amounts } from '../../../src/core/budget.js';
import {
  DEFAULT_RULES, DEFAULT_TERMS, NO_ORIGIN,
  type AdapterSpec, type Ceilings, type ObservedVf, type PoolTerms, type QuotaSpec, type VfOrigin,
} from '../../../src/core/model.js';
import { preemptions } from '../../../src/core/preemption.js';
import { Pool, type Client } from '../../../src/core/vf_pool.js';
import { link } from '../../support/plan_fixture.js';

/** A VF of the adapter `nic0` or `nic1`, with so many queues. */
interface VfMake {
  readonly adapter: string;
  readonly queues: number;
  readonly origin?: Partial<VfOrigin>;
}

function vfOf({ adapter, queues, origin }: VfMake, index: number, place: ObservedVf['place'] = { kind: 'host' }): ObservedVf {
  const spec = { kind: 'netdev' as const, port: `vfp${index}`, device: `vf${index}` };
  return { adapter, spec, port: link(spec.port, 100 + index, { txQueues: queues }), place, origin: { ...NO_ORIGIN, ...origin } };
}

function adapterOf(name: string, makes: readonly VfMake[], more: Partial<AdapterSpec> = {}): AdapterSpec {
  const vfs = makes.flatMap((make, index) => (make.adapter === name ? [vfOf(make, index).spec] : []));
  return { name, uplink: name, bridge: 'br0', vfs, limits: { vfs: 254, queues: 2048 }, rules: DEFAULT_RULES, ...more };
}

function client(index: number, more: Partial<Client> = {}): Client {
  const name = `g${index}`;
  return { key: name, name, id: index, adapter: 'nic0', guest: { kind: 'netns', netns: `ns-${name}` }, terms: DEFAULT_TERMS, mayPassThrough: true, port: null, kept: null, ...more };
}

function poolOf(makes: readonly VfMake[], clients: readonly Client[], more: { adapter?: Partial<AdapterSpec>; quotas?: readonly QuotaSpec[]; quarantined?: readonly string[] } = {}): Pool {
  return Pool.of({
    adapters: [adapterOf('nic0', makes, more.adapter)],
    quotas: more.quotas ?? [],
    observed: { vfs: makes.map((make, index) => vfOf(make, index)), ports: new Map() },
    clients,
    quarantined: new Set(more.quarantined),
  });
}

/** Port of the VF that it gets, or why it gets none. */
function chosen(pool: Pool, who: Client, avoid: string | null = null): string {
  const choice = pool.choose(who, avoid);
  return 'vf' in choice ? choice.vf.seen.spec.port : choice.refusal;
}

const two = (pf: string, node: number | null = null): readonly VfMake[] =>
  [0, 1].map(() => ({ adapter: 'nic0', queues: 2, origin: { pf, numaNode: node } }));
const LEFT = '0000:03:00.0';
const RIGHT = '0000:04:00.0';

test('pack fills one PF after the other, spread goes round, near prefers the NUMA node of the guest', (t) => {
  const makes = [...two(LEFT, 0), ...two(RIGHT, 1)];
  const second = client(1, { port: 'vfp2' });
  const by = (placement: 'pack' | 'spread' | 'near', who: Client, clients: readonly Client[] = [second]): string =>
    chosen(poolOf(makes, clients, { adapter: { rules: { ...DEFAULT_RULES, placement } } }), who);
  t.is(by('pack', client(2)), 'vfp3');
  t.is(by('spread', client(2)), 'vfp0');
  const onNode = (numaNode: number | null): Client => client(2, { terms: { ...DEFAULT_TERMS, numaNode } });
  t.is(by('near', onNode(0)), 'vfp0');
  t.is(by('near', onNode(1)), 'vfp3');
  // Of another node rather than none at all.
  t.is(by('near', onNode(1), [second, client(3, { port: 'vfp3' })]), 'vfp0');
  // Without a node, or without PFs that are known, the configuration's order.
  t.is(by('near', onNode(null), []), 'vfp0');
  for (const placement of ['pack', 'spread', 'near'] as const) {
    t.is(chosen(poolOf([{ adapter: 'nic0', queues: 1 }, { adapter: 'nic0', queues: 1 }], [], { adapter: { rules: { ...DEFAULT_RULES, placement } } }), client(1)), 'vfp0');
  }
});

test('what failed just now is taken last, and what is kept for oneself first, whatever the placement', (t) => {
  const makes = two(LEFT);
  t.is(chosen(poolOf(makes, []), client(1), 'vfp0'), 'vfp1');
  t.is(chosen(poolOf(makes.slice(0, 1), []), client(1), 'vfp0'), 'vfp0');
  const keeper = client(1, { kept: 'vfp1' });
  t.is(chosen(poolOf(makes, [keeper]), keeper), 'vfp1');
});

test('why there is none: kept for others, in quarantine, in use', (t) => {
  const makes = two(LEFT);
  const others = [client(1, { port: 'vfp0' }), client(2, { kept: 'vfp1' })];
  t.is(chosen(poolOf(makes, others), client(3)), 'vf_reserved');
  t.is(chosen(poolOf(makes, others.slice(0, 1), { quarantined: ['vfp1'] }), client(3)), 'vf_quarantined');
  t.is(chosen(poolOf(makes, [client(1, { port: 'vfp0' }), client(2, { port: 'vfp1' })]), client(3)), 'no_free_vf');
  // Who has one that is in quarantine has it until it is taken back.
  t.is(poolOf(makes, others, { quarantined: ['vfp0'] }).find('vfp0')?.state, 'used');
});

test('each ceiling has its own reason: of the adapter, of the PF, of a quota', (t) => {
  const makes = two(LEFT).map((make) => ({ ...make, origin: { ...make.origin, vectors: 4 } }));
  const holder = client(1, { port: 'vfp0' });
  const refusal = (adapter: Partial<AdapterSpec>, quotas: readonly QuotaSpec[] = [], terms: Partial<PoolTerms> = {}): string =>
    chosen(poolOf(makes, [{ ...holder, terms: { ...DEFAULT_TERMS, ...terms } }], { adapter, quotas }), client(2, { terms: { ...DEFAULT_TERMS, ...terms } }));
  const limits = { vfs: 9, queues: 99 };
  t.is(refusal({ limits: { ...limits, vfs: 1 } }), 'vf_budget_exhausted');
  t.is(refusal({ limits: { ...limits, queues: 3 } }), 'queue_budget_exhausted');
  t.is(refusal({ limits: { ...limits, vectors: 7 } }), 'vector_budget_exhausted');
  t.is(refusal({ limits: { ...limits, vectors: 8 } }), 'vfp1');
  t.is(refusal({ rules: { ...DEFAULT_RULES, perPf: { vfs: 1 } } }), 'vf_budget_exhausted');
  const blue = (ceilings: Ceilings): QuotaSpec[] => [{ name: 'blue', ceilings }];
  t.is(refusal({}, blue({ queues: 3 }), { quota: 'blue' }), 'quota_exhausted');
  t.is(refusal({}, blue({ queues: 4 }), { quota: 'blue' }), 'vfp1');
  t.is(refusal({ rules: { ...DEFAULT_RULES, quota: 'blue' } }, blue({ vectors: 7 })), 'quota_exhausted');
  // Another PF may still have room.
  const spread = poolOf([...two(LEFT), ...two(RIGHT)], [holder], { adapter: { rules: { ...DEFAULT_RULES, perPf: { vfs: 1 } } } });
  t.is(chosen(spread, client(2)), 'vfp2');
});

test('who gives up: of lower priority, idle for longest, of use to who waits; never more than wait', (t) => {
  const makes = [...two(LEFT), ...two(RIGHT)];
  const at = (index: number, priority: number, port: string | null = null, quota: string | null = null): Client =>
    client(index, { port, terms: { ...DEFAULT_TERMS, priority, quota } });
  const holders = [at(1, 0, 'vfp0'), at(2, 0, 'vfp1'), at(3, 5, 'vfp2'), at(4, -1, 'vfp3')];
  const idle = holders.map((one, index) => ({ client: one, port: one.port ?? '', idleMs: 1000 * (index + 1) }));
  const given = (waiting: readonly Client[], options: { returning?: readonly string[]; idle?: typeof idle; pool?: Pool } = {}): string[] =>
    [...preemptions({ pool: options.pool ?? poolOf(makes, holders), waiting, returning: new Set(options.returning), idle: options.idle ?? idle })].map(
      ([key, { name }]) => `${key} for ${name}`,
    );
  t.deepEqual(given([at(9, 1)]), ['g4 for g9']);
  t.deepEqual(given([at(9, 1), at(8, 1), at(7, 1)]), ['g4 for g9', 'g2 for g8', 'g1 for g7']);
  t.deepEqual(given([at(9, 5), at(8, 5), at(7, 5), at(6, 5)]).length, 3);
  t.deepEqual(given([at(9, 0)]), ['g4 for g9']);
  t.deepEqual(given([at(9, -1)]), []);
  t.deepEqual(given([at(9, 1)], { idle: idle.slice(0, 1) }), ['g1 for g9']);
  t.deepEqual(given([at(9, 1)], { idle: [] }), []);
  // One is on its way back already.
  t.deepEqual(given([at(9, 1)], { returning: ['vfp1'] }), []);
  t.deepEqual(given([at(9, 1), at(8, 1)], { returning: ['vfp1'] }), ['g4 for g8']);
  // What stands in the way is its own quota: only who shares that can help.
  const blue = poolOf(makes, [at(1, 0, 'vfp0', 'blue'), ...holders.slice(1)], { quotas: [{ name: 'blue', ceilings: { vfs: 1 } }] });
  const sharing = [{ client: at(1, 0, 'vfp0', 'blue'), port: 'vfp0', idleMs: 1 }, ...idle.slice(1)];
  t.deepEqual(given([at(9, 1, null, 'blue')], { pool: blue, idle: sharing }), ['g1 for g9']);
});

/** What befalls a pool. `crash`: whoever remembered anything is gone, and only what can be seen is left; `adopt`: it is seen whose it is. */
type Step =
  | { readonly kind: 'ask' | 'give-back' | 'keep' | 'let-go' | 'taken' | 'seen-back'; readonly client: number }
  | { readonly kind: 'lose' | 'find' | 'quarantine' | 'release'; readonly vf: number }
  | { readonly kind: 'crash' | 'adopt' };

const VFS = 8;
const CLIENTS = 6;
const clientIndex = fc.integer({ min: 0, max: CLIENTS - 1 });
const vfIndex = fc.integer({ min: 0, max: VFS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), client: clientIndex }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('give-back' as const, 'keep' as const, 'let-go' as const, 'taken' as const, 'seen-back' as const), client: clientIndex }) },
  fc.record({ kind: fc.constantFrom('lose' as const, 'find' as const, 'quarantine' as const, 'release' as const), vf: vfIndex }),
  fc.record({ kind: fc.constantFrom('crash' as const, 'adopt' as const) }),
);
/** Mostly none, so that something is handed out. */
const ceiling = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.integer({ min: 1, max: 8 }));
const ceilings: fc.Arbitrary<Ceilings> = fc.record({ vfs: ceiling, queues: ceiling, vectors: ceiling });

const rules = fc.record({
  placement: fc.constantFrom('pack' as const, 'spread' as const, 'near' as const),
  perPf: ceilings,
  quota: fc.constantFrom(null, 'card'),
  idleMs: fc.constant(1000),
});
const makes = fc.array(
  fc.record({
    adapter: fc.constantFrom('nic0', 'nic1'),
    queues: fc.integer({ min: 0, max: 3 }),
    origin: fc.record({ pf: fc.constantFrom(LEFT, RIGHT, null), numaNode: fc.constantFrom(0, 1, null), vectors: fc.constantFrom(0, 2, 5, null) }),
  }),
  { minLength: VFS, maxLength: VFS },
);
const setting = fc.record({
  makes,
  rules: fc.tuple(rules, rules),
  limits: fc.tuple(ceilings, ceilings),
  quotas: fc.record({ blue: ceilings, card: ceilings }),
  terms: fc.array(fc.record({ quota: fc.constantFrom(null, 'blue'), priority: fc.integer({ min: 0, max: 2 }), numaNode: fc.constantFrom(0, 1, null) }), { minLength: CLIENTS, maxLength: CLIENTS }),
});
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

/** Clients that ask, get, give back and crash, over a pool that is made anew of what is seen each time. */
class Model {
  /** What each has in its hands: that is what can be seen. */
  readonly held = new Map<number, string>();
  /** What somebody remembers of it. */
  readonly claims = new Map<number, string>();
  readonly kept = new Map<number, string>();
  readonly lost = new Set<string>();
  readonly quarantined = new Set<string>();

  constructor(readonly setting: Setting) {}

  /** For whom it was kept another is looked for. */
  keepNoMore(port: string): void {
    for (const [index, kept] of this.kept) if (kept === port) this.kept.delete(index);
  }

  client(index: number): Client {
    const { terms } = this.setting;
    return client(index, {
      adapter: index % 2 === 0 ? 'nic0' : 'nic1',
      terms: terms[index] ?? DEFAULT_TERMS,
      port: this.claims.get(index) ?? null,
      kept: this.kept.get(index) ?? null,
    });
  }

  adapters(): AdapterSpec[] {
    const { makes, rules, limits } = this.setting;
    return (['nic0', 'nic1'] as const).map((name, i) => {
      const { vfs = 254, queues = 2048, vectors } = limits[i] ?? {};
      return adapterOf(name, makes, { rules: rules[i] ?? DEFAULT_RULES, limits: { vfs, queues, vectors } });
    });
  }

  quotas(): QuotaSpec[] {
    return Object.entries(this.setting.quotas).map(([name, ceilings]) => ({ name, ceilings }));
  }

  pool(): Pool {
    const holders = new Map([...this.held].map(([index, port]) => [port, this.client(index).guest]));
    const vfs = this.setting.makes.map((make, index): ObservedVf => {
      const guest = holders.get(`vfp${index}`);
      if (guest !== undefined) return vfOf(make, index, { kind: 'guest', guest });
      return vfOf(make, index, { kind: this.lost.has(`vfp${index}`) ? 'gone' : 'host' });
    });
    const clients = Array.from({ length: CLIENTS }, (_, index) => this.client(index));
    return Pool.of({ adapters: this.adapters(), quotas: this.quotas(), observed: { vfs, ports: new Map() }, clients, quarantined: this.quarantined });
  }

  take(one: Step): void {
    switch (one.kind) {
      case 'ask': {
        if (this.claims.has(one.client) || this.held.has(one.client)) return;
        const choice = this.pool().choose(this.client(one.client), null);
        if (!('vf' in choice)) return;
        this.claims.set(one.client, choice.vf.seen.spec.port);
        this.kept.delete(one.client);
        return;
      }
      case 'keep': {
        if (this.claims.has(one.client) || this.held.has(one.client)) return;
        const choice = this.pool().choose(this.client(one.client), null);
        if ('vf' in choice) this.kept.set(one.client, choice.vf.seen.spec.port);
        return;
      }
      case 'let-go':
        return void this.kept.delete(one.client);
      case 'taken': {
        const port = this.claims.get(one.client);
        if (port !== undefined && !this.lost.has(port)) this.held.set(one.client, port);
        return;
      }
      case 'give-back':
        // The claim ends only when the guest has really let go.
        if (!this.held.has(one.client)) this.claims.delete(one.client);
        return;
      case 'seen-back':
        return void this.held.delete(one.client);
      case 'lose':
        if (![...this.held.values()].includes(`vfp${one.vf}`)) this.lost.add(`vfp${one.vf}`);
        return this.keepNoMore(`vfp${one.vf}`);
      case 'find':
        return void this.lost.delete(`vfp${one.vf}`);
      case 'quarantine':
        this.quarantined.add(`vfp${one.vf}`);
        return this.keepNoMore(`vfp${one.vf}`);
      case 'release':
        return void this.quarantined.delete(`vfp${one.vf}`);
      case 'crash':
        this.claims.clear();
        this.kept.clear();
        return;
      case 'adopt':
        for (const [index, port] of this.held) this.claims.set(index, port);
        return;
      default:
        one satisfies never;
    }
  }
}

/** Independent of the pool: what clients have or are promised, against every ceiling. */
function exceededBy(model: Model): string[] {
  const { makes } = model.setting;
  const owned = new Map<string, number>();
  for (const all of [model.held, model.claims, model.kept]) for (const [index, port] of all) owned.set(port, index);
  const amounts = (port: string): Amounts => {
    const make = makes[Number(port.slice(3))];
    return { vfs: 1, queues: make?.queues ?? 0, vectors: make?.origin.vectors ?? 0 };
  };
  const over = (name: string, ceilings: Ceilings, ports: readonly string[]): string[] => {
    const sum = sumOf(ports.map(amounts));
    return RESOURCES.flatMap((resource) => (sum[resource] > (ceilings[resource] ?? Infinity) ? [`${name} ${resource} ${sum[resource]}`] : []));
  };
  const ports = [...owned.keys()];
  const make = (port: string): VfMake | undefined => makes[Number(port.slice(3))];
  const ofAdapter = (name: string): string[] => ports.filter((port) => make(port)?.adapter === name);
  const adapters = model.adapters();
  return [
    ...adapters.flatMap(({ name, limits }) => over(name, limits, ofAdapter(name))),
    ...adapters.flatMap(({ name, rules }) =>
      [LEFT, RIGHT].flatMap((pf) => over(`${name} ${pf}`, rules.perPf, ofAdapter(name).filter((port) => make(port)?.origin?.pf === pf))),
    ),
    ...model.quotas().flatMap(({ name, ceilings }) => {
      const counts = ports.filter((port) => {
        const terms = model.setting.terms[owned.get(port) ?? -1];
        return terms?.quota === name || adapters.find((adapter) => adapter.name === make(port)?.adapter)?.rules.quota === name;
      });
      return over(`quota ${name}`, ceilings, counts);
    }),
  ];
}

test('whatever is asked, given back, kept, lost and forgotten: no VF has two owners, none is leaked, no ceiling is exceeded', (t) => {
  fc.assert(
    fc.property(setting, fc.array(step, { maxLength: 80, size: 'max' }), (made, steps) => {
      const model = new Model(made);
      for (const one of steps) {
        const free = new Set(model.pool().vfs.flatMap(({ state, seen }) => (state === 'free' ? [seen.spec.port] : [])));
        const before = model.claims.get(one.kind === 'ask' ? one.client : -1);
        const wasKept = model.kept.get(one.kind === 'ask' ? one.client : -1);
        model.take(one);
        // Only what is free, or was kept for the one who asked, is handed out.
        const got = one.kind === 'ask' && before === undefined ? model.claims.get(one.client) : undefined;
        if (got !== undefined && !free.has(got) && got !== wasKept) throw new Error(`${got} was not free`);
        const owners = [...model.claims, ...[...model.held].filter(([index, port]) => model.claims.get(index) !== port)];
        const ports = owners.map(([, port]) => port);
        if (new Set(ports).size !== ports.length) throw new Error(`two owners: ${ports.join()}`);
        const stolen = [...model.kept].find(([index, port]) => [...model.claims].some(([other, claimed]) => claimed === port && other !== index));
        if (stolen !== undefined) throw new Error(`${stolen[1]} was kept, and went to another`);
        const exceeded = exceededBy(model);
        if (exceeded.length > 0) throw new Error(exceeded.join('; '));
      }
      // Everybody gives back: nothing is left that is not free, in quarantine or lost.
      model.held.clear();
      model.claims.clear();
      model.kept.clear();
      const left = model.pool().vfs.filter(({ state }) => state === 'used' || state === 'reserved');
      if (left.length > 0) throw new Error(`leaked: ${left.map(({ seen }) => seen.spec.port).join()}`);
      model.quarantined.clear();
      model.lost.clear();
      return model.pool().vfs.every(({ state }) => state === 'free');
    }),
    { numRuns: 400 },
  );
  t.pass();
});
