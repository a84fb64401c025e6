/** Every condition that a vNIC must meet to be accelerated, each looked at by itself, in the order in which they are asked. Pure. */
import { isUplinkProgram } from './nic_hash.js';
import { mayTry, type Trouble } from './backoff.js';
import { RESOURCES, type Account, type Resource } from './budget.js';
import { guestName, type Desired, type GuestState, type NotAcceleratedReason, type Observed, type PathState } from './model.js';
import { reasonText } from './reasons.js';
import { storedOf } from './rows.js';
import type { Quarantines } from './quarantine.js';
import { clientOf, duplicateNames, wantedPath, type Tenant } from './tenant.js';
import { poolFor } from './tenant_pool.js';
import type { Pool, PooledVf } from './vf_pool.js';
import { claimedVf, type ClaimedVf } from './vnic_state.js';

export const CONDITION_NAMES = [
  'wanted', 'address', 'uplink', 'program', 'guest', 'tap', 'bridge', 'row', 'mode', 'ready', 'vf_pool', 'budget', 'attempt', 'plugged', 'path',
] as const;
export type ConditionName = (typeof CONDITION_NAMES)[number];

export interface Condition {
  readonly name: ConditionName;
  /** null: cannot be told, because it follows from earlier ones. */
  readonly holds: boolean | null;
  /** What was seen. */
  readonly fact: string;
  /** Why it stands in the way; null when it does not. */
  readonly reason: NotAcceleratedReason | null;
  /** The reason in words, with what would change it; null when it does not stand in the way. */
  readonly remedy: string | null;
}

export interface ConditionInput {
  readonly desired: Desired;
  readonly observed: Observed;
  readonly tenants: readonly Tenant[];
  readonly adapterTroubles: ReadonlyMap<string, Trouble>;
  readonly quarantines: Quarantines;
  readonly path: PathState;
  readonly nowMs: number;
}

type Answer = Pick<Condition, 'holds' | 'fact'> & { readonly reason?: NotAcceleratedReason; readonly detail?: string | null };

const yes = (fact: string): Answer => ({ holds: true, fact });
const no = (fact: string, reason: NotAcceleratedReason, detail: string | null = null): Answer => ({ holds: false, fact, reason, detail });
const untold = (fact: string): Answer => ({ holds: null, fact });

/** A tenant, and what was seen of everything that its conditions are about. */
interface Seen extends ConditionInput {
  readonly tenant: Tenant;
  readonly guest: GuestState | undefined;
  readonly vf: ClaimedVf | null;
  readonly pool: Pool;
  /** Why it would be given no VF of this pool; null: it would get one. */
  readonly choice: NotAcceleratedReason | null;
}

export function conditionsOf(tenant: Tenant, input: ConditionInput): readonly Condition[] {
  const { observed, nowMs } = input;
  const guest = observed.guests.get(guestName(tenant.spec.guest));
  const pool = poolFor(input);
  const choice = pool.choose(clientOf(tenant, nowMs), null);
  const seen: Seen = { ...input, tenant, guest, vf: claimedVf(tenant.state), pool, choice: 'vf' in choice ? null : choice.refusal };
  return CONDITION_NAMES.map((name): Condition => {
    const { holds, fact, reason = null, detail = null } = ASK[name](seen);
    const bridge = tenant.adapter.bridge || undefined;
    return { name, holds, fact, reason, remedy: reason === null ? null : reasonText(reason, tenant.spec, detail, bridge) };
  });
}

const ASK: Readonly<Record<ConditionName, (seen: Seen) => Answer>> = {
  wanted: ({ tenant }) => {
    const who = tenant.operatorWant === null ? 'the configuration' : 'the operator';
    const want = wantedPath(tenant);
    const fact = `${who} wants the ${want} path`;
    return want === 'accelerated' ? yes(fact) : no(fact, tenant.operatorWant === null ? 'policy_software' : 'operator_software');
  },
  address: ({ tenant: { spec }, desired }) =>
    duplicateNames(desired).has(spec.name)
      ? no(`${spec.mac} is another vNIC's too`, 'duplicate_mac')
      : yes(`${spec.mac} is its own, ${spec.vlans.map((vlan) => (vlan === 0 ? 'untagged' : `VLAN ${vlan}`)).join(', ')}`),
  uplink: ({ tenant: { adapter }, observed }) =>
    observed.links.has(adapter.uplink) ? yes(`${adapter.uplink} is there`) : no(`${adapter.uplink || adapter.name} is not there`, 'uplink_missing'),
  program: ({ tenant: { adapter }, adapterTroubles, observed }) => {
    const trouble = adapterTroubles.get(adapter.name);
    if (trouble !== undefined) return no(`none could be put on ${adapter.uplink}`, 'attach_refused', trouble.message);
    const uplink = observed.links.get(adapter.uplink);
    if (uplink === undefined) return untold(`needs ${adapter.uplink || 'the uplink'}`);
    return isUplinkProgram(observed.programs.get(uplink.ifindex))
      ? yes(`steer_uplink is on ${adapter.uplink}`)
      : untold(`steer_uplink is put on ${adapter.uplink} at the next look`);
  },
  guest: ({ tenant: { spec }, guest }) => {
    const name = guestName(spec.guest);
    if (guest === undefined) return no(`${name} is not there`, 'guest_missing');
    return guest.incoming ? no(`${name} is on its way here`, 'guest_incoming', guest.detail) : yes(`${name} is there`);
  },
  tap: ({ tenant: { spec }, observed }) => {
    const tap = observed.links.get(spec.tap);
    if (tap === undefined) return no(`${spec.tap || 'its tap'} is not there`, 'tap_missing');
    return yes(`${spec.tap} is there${tap.up ? '' : ', and down'}`);
  },
  bridge: ({ tenant: { spec, adapter }, observed }) => {
    const bridge = observed.links.get(adapter.bridge);
    if (bridge === undefined) return no(`${adapter.bridge || 'the bridge'} is not there`, 'bridge_missing');
    const blind = spec.access && bridge.vlanFiltering === null;
    return blind ? no(`${adapter.bridge} does not look at VLAN tags`, 'bridge_without_vlan_filtering') : yes(`${adapter.bridge} is there`);
  },
  row: ({ tenant, observed }) => {
    const { rowTrouble } = tenant.state;
    if (rowTrouble !== null) return no('the maps could not be written', rowTrouble.reason, rowTrouble.message);
    return storedOf(tenant, observed) === null ? untold('the maps get it as soon as all of the above hold') : yes(`the maps have it, id ${tenant.id}`);
  },
  mode: ({ tenant, guest }) => {
    if (guest === undefined) return untold('needs the guest');
    // Nothing that can be seen tells whether a namespace has it.
    if (guest.mode === 'plugin' && tenant.spec.guest.kind === 'netns') return yes('the guest is a network namespace, which takes a VF by the plug-in');
    if (guest.mode !== null) return yes(guest.mode === 'plugin' ? 'the plug-in is in the guest' : 'the guest has negotiated failover');
    const { refusal, detail } = guest;
    return refusal === 'guest_not_ready'
      ? no('it is not known yet how the guest uses a VF', 'guest_not_ready', detail)
      : no('neither failover nor the plug-in', 'guest_without_failover', detail);
  },
  ready: ({ guest }) => {
    if (guest === undefined) return untold('needs the guest');
    if (guest.mode === null) return untold('needs the mode');
    if (guest.parked) return no('the guest is about to be migrated', 'guest_leaving', guest.detail);
    if (guest.refusal !== null) return no('the guest can be given no VF now', guest.refusal, guest.detail);
    return yes('the guest can be given a VF');
  },
  vf_pool: ({ tenant: { adapter, state, preemptedBy }, vf, pool, choice }) => {
    const count = (wanted: PooledVf['state']): number => pool.of(adapter.name).filter((one) => one.state === wanted).length;
    if (vf !== null) return yes(`${vf.port} is its own`);
    const kept = (['reserved', 'quarantined'] as const).flatMap((kind) => (count(kind) === 0 ? [] : [`${count(kind)} ${kind}`]));
    const others = [`${count('used')} in use`, ...kept, `${count('lost')} lost`].join(', ');
    const fact = `${count('free')} of ${adapter.vfs.length} VFs of ${adapter.name} are free, ${others}`;
    if (choice === null || isBudget(choice)) return yes(fact);
    if (preemptedBy !== null) return no(fact, 'preempted', `it went to ${preemptedBy}`);
    const own = state.vfTrouble;
    return own?.reason === 'vf_lost' && choice === 'no_free_vf' ? no(fact, 'vf_lost', own.message) : no(fact, choice);
  },
  budget: ({ tenant: { adapter, spec, preemptedBy }, vf, pool, choice }) => {
    const fact = pool.accountsFor(adapter.name, spec.terms).map(accountText).join('; ');
    if (vf !== null || choice === null || !isBudget(choice)) return yes(fact);
    return preemptedBy === null ? no(fact, choice) : no(fact, 'preempted', `it went to ${preemptedBy}`);
  },
  attempt: ({ tenant: { state }, nowMs }) => {
    const trouble = state.vfTrouble ?? (state.stage.phase === 'accelerated' ? state.stage.refusal : null);
    if (trouble === null) return yes('nothing has failed');
    const wait = (trouble.notBeforeMs - nowMs) / 1000;
    const fact = `failed ${trouble.failures} time${trouble.failures === 1 ? '' : 's'} in a row`;
    return mayTry(trouble, nowMs) ? yes(`${fact}, and may be tried again`) : no(`${fact}, next in ${wait.toFixed(1)} s`, trouble.reason, trouble.message);
  },
  plugged: ({ tenant: { state }, vf }) => {
    const { phase } = state.stage;
    if (vf === null) return untold('the guest gets a VF as soon as all of the above hold');
    if (phase === 'draining') return no(`${vf.device} is being taken back`, 'draining');
    return phase === 'accelerated' ? yes(`${vf.device} is in the guest`) : no(`${vf.device} is being given to the guest`, 'plugging');
  },
  path: ({ tenant: { state }, vf, path }) => {
    if (path.path === 'accelerated') return yes('the guest was heard on its VF');
    if (vf === null) return untold('needs a VF');
    const { phase } = state.stage;
    return no('the guest was heard on its tap', phase === 'accelerated' ? 'guest_silent' : phase === 'draining' ? 'draining' : 'plugging');
  },
};

const BUDGETS: ReadonlySet<NotAcceleratedReason> = new Set([
  'vf_budget_exhausted', 'queue_budget_exhausted', 'vector_budget_exhausted', 'quota_exhausted',
]);
const isBudget = (reason: NotAcceleratedReason): boolean => BUDGETS.has(reason);

const RESOURCE_WORDS: Readonly<Record<Resource, string>> = { vfs: 'VFs', queues: 'queues', vectors: 'MSI-X vectors' };

/** "2 of at most 8 VFs and 4 of at most 64 queues of nic0 are handed out" */
function accountText({ kind, name, ceilings, used }: Account): string {
  const parts = RESOURCES.flatMap((resource) => {
    const ceiling = ceilings[resource];
    return ceiling === undefined ? [] : [`${used[resource]} of at most ${ceiling} ${RESOURCE_WORDS[resource]}`];
  });
  return `${parts.join(' and ') || 'any number'} of ${kind === 'quota' ? 'quota ' : ''}${name} are handed out`;
}
