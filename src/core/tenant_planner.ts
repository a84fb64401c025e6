/** One tenant's part of a plan: what a look means for it, whether it gets a VF, and what is to be done. */
import type { Action, Sequence } from './actions.js';
import { possibleEntries } from './adapter_vf.js';
import { settingsNow } from './adopt.js';
import { mayTry, type Timing, type Trouble } from './backoff.js';
import { MAX_VNICS } from './limits.js';
import { fdbKey, guestName, type Desired, type NotAcceleratedReason, type Observed } from './model.js';
import { hasNicKey } from './nic_hash.js';
import { spreadFor } from './rss_wish.js';
import { storedOf } from './rows.js';
import type { Quarantines } from './quarantine.js';
import { keepReservation } from './reservation.js';
import { clientOf, sameStation, strayVf, wantedPath, type Tenant } from './tenant.js';
import { poolFor } from './tenant_pool.js';
import { stepTenant } from './tenant_step.js';
import { connectActions, isLost, isReturned, releaseActions } from './vf_actions.js';
import type { Client, Pool, PooledVf } from './vf_pool.js';
import { fdbEntriesOf, footingActions, removeActions, type Footing } from './vnic_actions.js';
import { claimedVf, next, type VnicEvent, type VnicFacts } from './vnic_state.js';

export interface PlanInput {
  readonly desired: Desired;
  readonly observed: Observed;
  readonly tenants: readonly Tenant[];
  /** What hinders adapters, by name. */
  readonly adapterTroubles: ReadonlyMap<string, Trouble>;
  /** Keys of tenants that something is being done for right now, or since the look began: what is seen of them may be old. */
  readonly busy: ReadonlySet<string>;
  readonly quarantines: Quarantines;
  readonly nowMs: number;
  readonly timing: Timing;
}

export interface PlannedTenant {
  readonly tenant: Tenant;
  readonly sequence: Sequence | null;
  readonly warnings: readonly string[];
  /** A VF is free that was its own. */
  readonly gaveBack?: boolean;
}

/** A tenant may pass through several states in one look, as long as nothing has to be done in between. */
const MAX_STATES_PER_LOOK = 6;

/** One tenant's part of a plan; `tenants` is the list being planned, so that what others have claimed is known. */
export class TenantPlanner {
  readonly #input: PlanInput;
  readonly #tenants: readonly Tenant[];
  readonly #duplicates: ReadonlySet<string>;
  readonly #preempted: ReadonlyMap<string, Client>;

  /** @param preempted those that give their VF up, by key, and for whom */
  constructor(input: PlanInput, tenants: readonly Tenant[], duplicates: ReadonlySet<string>, preempted: ReadonlyMap<string, Client>) {
    this.#input = input;
    this.#tenants = tenants;
    this.#duplicates = duplicates;
    this.#preempted = preempted;
  }

  plan(start: Tenant): PlannedTenant {
    const { observed, nowMs, timing } = this.#input;
    const warnings: string[] = [];
    let gaveBack = false;
    let tenant = this.#withPreemption(this.#withReservation(this.#withGuest(start)));
    for (let states = 0; states < MAX_STATES_PER_LOOK; states++) {
      const before = stageName(tenant);
      const step = stepTenant(tenant, { kind: 'look', facts: this.#facts(tenant, start) }, observed, nowMs, timing);
      tenant = step.tenant;
      for (const effect of step.effects) if (effect.kind === 'warn') warnings.push(effect.message);
      if (step.actions.length > 0) return { tenant, warnings, sequence: { purpose: 'effect', actions: step.actions, onFailure: 'stop' } };
      const asks = step.effects.some((effect) => effect.kind === 'want-vf');
      // What it has given back is first for those who have waited for it: it asks again at the next look.
      if (asks && gaveBack) break;
      if (asks) tenant = this.#grant(tenant);
      const planned = this.#act(tenant);
      if (planned.sequence !== null) return { ...planned, warnings, gaveBack };
      tenant = planned.tenant;
      if (before.startsWith('draining') && tenant.state.stage.phase === 'software') gaveBack = true;
      if (stageName(tenant) === before) break;
    }
    return { tenant, warnings, sequence: null, gaveBack };
  }

  /** How its guest uses a VF is settled while it has none; where it runs decides which one it gets. */
  #withGuest(tenant: Tenant): Tenant {
    const seen = this.#input.observed.guests.get(guestName(tenant.spec.guest));
    if (seen === undefined || claimedVf(tenant.state) !== null) return tenant;
    const [mode, guestNode] = [seen.mode ?? tenant.mode, seen.numaNode];
    return mode === tenant.mode && guestNode === tenant.guestNode ? tenant : { ...tenant, mode, guestNode };
  }

  /** While its guest is on its way here, a VF is kept for it. */
  #withReservation(tenant: Tenant): Tenant {
    const { observed, nowMs, timing } = this.#input;
    const isExpected = observed.guests.get(guestName(tenant.spec.guest))?.incoming === true && !tenant.removed && wantedPath(tenant) === 'accelerated';
    const facts = { expected: isExpected, served: claimedVf(tenant.state) !== null };
    const reservation = keepReservation(tenant.reservation, facts, nowMs, timing.leaseMs);
    if (reservation === null || nowMs >= reservation.untilMs) return reservation === tenant.reservation ? tenant : { ...tenant, reservation };
    // What was kept may have been lost meanwhile, or put into quarantine.
    const choice = this.#pool().choose(clientOf({ ...tenant, reservation }, nowMs), null);
    return { ...tenant, reservation: { ...reservation, port: 'vf' in choice ? choice.vf.seen.spec.port : null } };
  }

  #withPreemption(tenant: Tenant): Tenant {
    const other = this.#preempted.get(tenant.key);
    if (other !== undefined) return { ...tenant, preemptedBy: other.name };
    return tenant.preemptedBy !== null && wantedPath(tenant) === 'software' ? { ...tenant, preemptedBy: null } : tenant;
  }

  #pool(): Pool {
    return poolFor({ ...this.#input, tenants: this.#tenants });
  }

  /** The links that the vNIC stands on, with an id; null when it cannot stand. */
  #footing(tenant: Tenant): Footing | null {
    const { desired, observed } = this.#input;
    const tap = observed.links.get(tenant.spec.tap);
    const uplink = observed.links.get(tenant.adapter.uplink);
    if (tap === undefined || uplink === undefined || tenant.id === null) return null;
    const spread = spreadFor(tenant.rssWish, observed.rss.wish, desired.rss, tenant.spec);
    return { id: tenant.id, tap, uplink, spread: { ...spread, nicHash: hasNicKey(spread.rssRow, tenant.adapter, desired, observed) } };
  }

  #blocked(tenant: Tenant): NotAcceleratedReason | null {
    const { observed, adapterTroubles } = this.#input;
    if (tenant.removed) return 'draining';
    if (this.#duplicates.has(tenant.spec.name)) return 'duplicate_mac';
    if (!observed.links.has(tenant.adapter.uplink)) return 'uplink_missing';
    const guest = observed.guests.get(guestName(tenant.spec.guest));
    // Where it is to be found is not known while it is not there.
    if (guest === undefined && tenant.spec.guest.kind === 'vm') return 'guest_missing';
    // Its MAC address is still another host's.
    if (guest?.incoming === true) return 'guest_incoming';
    if (!observed.links.has(tenant.spec.tap)) return 'tap_missing';
    // Its frames would be in the VLAN of every other port, and its broadcasts would leave without a tag.
    const bridge = observed.links.get(tenant.adapter.bridge);
    if (tenant.spec.access && bridge !== undefined && bridge.vlanFiltering === null) return 'bridge_without_vlan_filtering';
    if (guest === undefined) return 'guest_missing';
    if (storedOf(tenant, observed) !== null) return null;
    if (adapterTroubles.has(tenant.adapter.name)) return 'attach_refused';
    return this.#tenants.some((other) => isInTheWay(other, tenant)) ? 'draining' : null;
  }

  /** @param start the tenant as the look found it */
  #facts(tenant: Tenant, start: Tenant): VnicFacts {
    const { observed } = this.#input;
    const { stage } = tenant.state;
    const vf = claimedVf(tenant.state);
    const stored = storedOf(tenant, observed);
    const tap = observed.links.get(tenant.spec.tap);
    const footing = this.#footing(tenant);
    const guest = observed.guests.get(guestName(tenant.spec.guest));
    const offered =
      vf === null ||
      (tenant.adapter.vfs.some((spec) => spec.port === vf.port && spec.device === vf.device) &&
        !this.#input.quarantines.has(vf.port) &&
        !this.#preempted.has(tenant.key));
    return {
      blocked: this.#blocked(tenant),
      rowPresent: stored !== null && footing !== null,
      footed: footing !== null && footingActions(tenant, footing, observed).length === 0,
      wantVf: wantedPath(tenant) === 'accelerated' && offered && guest?.parked !== true,
      path: stored?.path ?? 'software',
      // Links are seen before the maps: of a guest that has only just moved, the carrier may be that of the moment before.
      vfLost: vf !== null && isLost(tenant, vf, stage.phase === 'accelerated' && start.state.stage.phase === 'accelerated', observed),
      released: vf !== null && isReturned(vf, observed) && releaseActions(tenant, vf, observed).length === 0,
      canAsk: tap !== undefined && tap.up && guest !== undefined,
      oneEared: tenant.mode === 'net_failover',
      held: stored?.held ?? false,
      refusal: guest?.refusal ?? null,
      inGuest: vf !== null && !isReturned(vf, observed),
      running: guest?.running ?? false,
      leaving: guest?.leaving ?? false,
      stray: vf === null ? strayVf(tenant, this.#tenants, observed) : null,
    };
  }

  /** The pool's answer to `want-vf`. */
  #grant(tenant: Tenant): Tenant {
    const { observed, nowMs, timing } = this.#input;
    const event = (): VnicEvent => {
      if (!observed.links.has(tenant.adapter.bridge)) return { kind: 'refused', reason: 'bridge_missing' };
      const pool = this.#pool();
      const failed = tenant.state.vfTrouble;
      const choice = pool.choose(clientOf(tenant, nowMs), failed?.port ?? null);
      if ('vf' in choice) return { kind: 'granted', vf: this.#claim(choice.vf) };
      const stillLost = failed?.reason === 'vf_lost' && pool.find(failed.port)?.state === 'lost';
      return { kind: 'refused', reason: choice.refusal === 'no_free_vf' && stillLost ? 'vf_lost' : choice.refusal };
    };
    const answer = event();
    const state = next(tenant.state, answer, nowMs, timing).state;
    return answer.kind === 'granted' ? { ...tenant, state, reservation: null, preemptedBy: null } : { ...tenant, state };
  }

  #claim({ seen }: PooledVf): Extract<VnicEvent, { kind: 'granted' }>['vf'] {
    const { port, spec } = seen;
    if (port === null) throw new Error(`VF port ${spec.port} is free but not there`);
    return { kind: spec.kind, port: spec.port, device: spec.device, ifindex: port.ifindex, before: settingsNow(port, this.#input.observed) };
  }

  #act(tenant: Tenant): PlannedTenant {
    const { observed, nowMs, timing } = this.#input;
    const { stage } = tenant.state;
    const nothing: PlannedTenant = { tenant, sequence: null, warnings: [] };
    const does = (purpose: Sequence['purpose'], actions: readonly Action[], onFailure: Sequence['onFailure']): PlannedTenant =>
      actions.length === 0 ? nothing : { ...nothing, sequence: { purpose, actions, onFailure } };
    /** With nothing left to mend, earlier trouble with it is over. */
    const mends = (purpose: Sequence['purpose'], actions: readonly Action[]): PlannedTenant =>
      actions.length > 0 || tenant.state.rowTrouble === null
        ? does(purpose, actions, 'stop')
        : { ...nothing, tenant: { ...tenant, state: next(tenant.state, { kind: 'step-done', did: 'other' }, nowMs, timing).state } };
    if (stage.phase === 'draining') {
      if (stage.step !== 'releasing' || nowMs < stage.notBeforeMs) return nothing;
      return does('release', releaseActions(tenant, stage.vf, observed), 'stop');
    }
    const footing = this.#footing(tenant);
    if (stage.phase === 'plugging' && stage.step === 'connecting') {
      return footing === null ? nothing : does('connect', connectActions(tenant, stage.vf, footing, observed, timing), 'undo');
    }
    if (!mayTry(tenant.state.rowTrouble, nowMs)) return nothing;
    if (stage.phase === 'absent') return stage.blocked === null ? this.#setUp(tenant) : mends('remove', removeActions(tenant, observed));
    if (footing === null) return nothing;
    const actions = footingActions(tenant, footing, observed);
    if (stage.phase === 'software') return mends('repair', actions);
    const connection = connectActions(tenant, stage.vf, footing, observed, timing);
    return mends('repair', [...actions.filter((action) => action.kind !== 'write-vnic' || connection.length === 0), ...connection]);
  }

  /** All or nothing, so that what hinders it is seen and nothing half-done stays. */
  #setUp(tenant: Tenant): PlannedTenant {
    const { observed } = this.#input;
    const id = tenant.id ?? this.#freeId();
    if (id === null) return { tenant: this.#fail(tenant, `all ${MAX_VNICS - 1} vNIC ids are taken`), sequence: null, warnings: [] };
    const known = storedOf({ ...tenant, id }, observed) !== null;
    const entries = [...fdbEntriesOf(tenant, observed.links), ...possibleEntries({ ...tenant, id })];
    const present = (): string[] => entries.map(fdbKey).filter((key) => observed.fdb.has(key));
    const settled: Tenant = { ...tenant, id, fdbFound: tenant.fdbFound ?? (known ? [] : present()) };
    const footing = this.#footing(settled);
    const actions = footing === null ? [] : footingActions(settled, footing, observed);
    // It may have come from another host.
    if (actions.length > 0 && footing !== null && tenant.spec.guest.kind === 'vm') {
      const { mac, access, vlans } = tenant.spec;
      const { name: device, ifindex } = footing.uplink;
      actions.push({ kind: 'announce', ifindex, device, mac, vlans: access ? vlans : vlans.slice(0, 1) });
    }
    return { tenant: settled, warnings: [], sequence: actions.length === 0 ? null : { purpose: 'set-up', actions, onFailure: 'undo' } };
  }

  #fail(tenant: Tenant, message: string): Tenant {
    const { nowMs, timing } = this.#input;
    return { ...tenant, state: next(tenant.state, { kind: 'step-failed', did: 'other', reason: 'internal_error', message }, nowMs, timing).state };
  }

  #freeId(): number | null {
    const taken = new Set<number | null>(this.#tenants.map((tenant) => tenant.id));
    for (const row of this.#input.observed.stored) taken.add(row.id);
    for (let id = 1; id < MAX_VNICS; id++) if (!taken.has(id)) return id;
    return null;
  }
}

function stageName({ state: { stage } }: Tenant): string {
  return 'step' in stage ? `${stage.phase} ${stage.step}` : stage.phase;
}

/** One that is on its way out, and still has what the new one needs. */
function isInTheWay(other: Tenant, tenant: Tenant): boolean {
  if (!other.removed || other.key === tenant.key) return false;
  const { spec } = other;
  return spec.name === tenant.spec.name || spec.tap === tenant.spec.tap || sameStation(spec, tenant.spec);
}
