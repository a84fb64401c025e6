/** The pool as the tenants of a look make it, and what follows from it for them. Pure. */
import { isPassedThrough } from './adapter_vf.js';
import type { Desired, NotAcceleratedReason, Observed } from './model.js';
import { preemptions } from './preemption.js';
import type { Quarantines } from './quarantine.js';
import { clientOf, wantedPath, type Tenant } from './tenant.js';
import { Pool, type Client } from './vf_pool.js';
import { claimedVf } from './vnic_state.js';

export interface PoolView {
  readonly desired: Pick<Desired, 'adapters' | 'quotas'>;
  readonly observed: Observed;
  readonly tenants: readonly Tenant[];
  readonly quarantines: Quarantines;
  readonly nowMs: number;
}

/** What a vNIC is told that gets no VF, although nothing else stands in its way. */
const POOL_REASONS: ReadonlySet<NotAcceleratedReason> = new Set([
  'no_free_vf', 'vf_lost', 'vf_budget_exhausted', 'queue_budget_exhausted', 'vector_budget_exhausted', 'quota_exhausted', 'vf_reserved', 'vf_quarantined',
]);

export const isPoolReason = (reason: NotAcceleratedReason | null): boolean => reason !== null && POOL_REASONS.has(reason);

/** Also of adapters that are not asked for any more, while a vNIC has one of their VFs. */
export function poolFor({ desired, observed, tenants, quarantines, nowMs }: PoolView): Pool {
  const adapters = new Map([...tenants.map(({ adapter }) => adapter), ...desired.adapters].map((adapter) => [adapter.name, adapter]));
  const clients = tenants.map((tenant) => clientOf(tenant, nowMs));
  return Pool.of({ adapters: [...adapters.values()], quotas: desired.quotas, observed, clients, quarantined: new Set(quarantines.keys()) });
}

/** Numbers of the tenants in the order in which they are served: who gives back, then by priority, then as they are. */
export function servingOrder(tenants: readonly Tenant[]): number[] {
  const rank = (index: number): number => {
    const tenant = tenants[index];
    return tenant === undefined || tenant.removed ? Infinity : tenant.spec.terms.priority;
  };
  return [...tenants.keys()].sort((a, b) => (rank(a) === rank(b) ? a - b : rank(b) - rank(a)));
}

function isWaiting({ removed, state: { stage }, reservation }: Tenant, nowMs: number): boolean {
  if (removed) return false;
  if (stage.phase === 'software') return isPoolReason(stage.refusal);
  return stage.phase === 'absent' && reservation !== null && reservation.port === null && nowMs < reservation.untilMs;
}

/** Who has to give its VF up for whom: key of the one, the other. Nobody while all have the same priority. */
export function preemptionsFor(view: PoolView): ReadonlyMap<string, Client> {
  const { observed, tenants, nowMs } = view;
  const priorities = new Set(tenants.map(({ spec }) => spec.terms.priority));
  if (priorities.size < 2) return new Map();
  const inOrder = servingOrder(tenants).flatMap((index) => tenants[index] ?? []);
  const waiting = inOrder.filter((tenant) => isWaiting(tenant, nowMs) && wantedPath(tenant) === 'accelerated');
  if (waiting.length === 0) return new Map();
  const returning = tenants.flatMap(({ state: { stage } }) => (stage.phase === 'draining' ? [stage.vf.port] : []));
  const idle = tenants.flatMap((tenant) => {
    const { id, removed, adapter, state } = tenant;
    const idleMs = id === null ? undefined : observed.idleMs.get(id);
    const vf = claimedVf(state);
    // What passes between a guest and the adapter's own switch nobody here sees.
    if (vf === null || isPassedThrough(vf)) return [];
    if (removed || state.stage.phase !== 'accelerated' || idleMs === undefined || idleMs < adapter.rules.idleMs) return [];
    return [{ client: clientOf(tenant, nowMs), port: vf.port, idleMs }];
  });
  return preemptions({ pool: poolFor(view), waiting: waiting.map((tenant) => clientOf(tenant, nowMs)), returning: new Set(returning), idle });
}
