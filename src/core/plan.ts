/**
 * From what is asked for, what is seen and where every vNIC stands to what is to be done: a pure function. A vNIC that
 * is as it should be gives no action, whoever brought it there; that is also how a restarted daemon adopts a host.
 */
import type { Action, Sequence } from './actions.js';
import type { Timing } from './backoff.js';
import type { AdapterSpec, Desired, Observed } from './model.js';
import { hasNicKey, uplinkProgram } from './nic_hash.js';
import { storedOf } from './rows.js';
import { planSweep } from './sweep.js';
import { duplicateNames, matchTenants, type Tenant } from './tenant.js';
import { preemptionsFor, servingOrder } from './tenant_pool.js';
import { TenantPlanner, type PlanInput } from './tenant_planner.js';
import { writeTxPortUnless } from './vnic_actions.js';
import { wakeAt } from './vnic_state.js';

export type { PlanInput } from './tenant_planner.js';
export { stepTenant } from './tenant_step.js';

export interface VnicPlan {
  readonly key: string;
  readonly sequence: Sequence;
}

export interface Plan {
  /** The tenants from now on. */
  readonly tenants: readonly Tenant[];
  readonly vnics: readonly VnicPlan[];
  /** Left-overs in the maps that nobody owns. */
  readonly sweep: Sequence | null;
  readonly warnings: readonly { readonly key: string; readonly message: string }[];
  /** A VF is free that was somebody's: there is to be another look at once, for those who wait for one. */
  readonly freed: boolean;
}

/** When one of the tenants that nothing is being done for has to be told `tick`; null: never. */
export function earliestWake(tenants: Iterable<Tenant>, busy: ReadonlySet<string>, nowMs: number): number | null {
  let earliest: number | null = null;
  for (const tenant of tenants) {
    const at = busy.has(tenant.key) ? null : wakeAt(tenant.state, nowMs);
    if (at !== null && (earliest === null || at < earliest)) earliest = at;
  }
  return earliest;
}

/** Attaches to uplinks, once, and lets frames be redirected to them while they are up. */
export function planAdapter(adapter: AdapterSpec, desired: Desired, observed: Observed): Sequence | null {
  const uplink = observed.links.get(adapter.uplink);
  if (uplink === undefined) return null;
  const actions: Action[] = [];
  const program = uplinkProgram(uplink, hasNicKey(observed.rss.wish.keyRow, adapter, desired, observed));
  if (observed.programs.get(uplink.ifindex) !== program) {
    actions.push({ kind: 'attach-program', program, ifindex: uplink.ifindex, device: uplink.name, mode: 'as-configured' });
  }
  actions.push(...writeTxPortUnless(observed, uplink.ifindex, uplink.name, uplink.up));
  return actions.length === 0 ? null : { purpose: 'adapter', actions, onFailure: 'undo' };
}

/**
 * What must be done at once when links are bad, before anything else is looked at: off the VF, on paper and in the maps. A guest
 * that hears on one path is not reached by the other before it has let go of its VF, so its frames are kept back.
 */
export function planRescue(tenants: Iterable<Tenant>, links: Observed['links'], timing: Timing): { readonly key: string; readonly action: Action }[] {
  const rescues: { key: string; action: Action }[] = [];
  for (const tenant of tenants) {
    const { stage } = tenant.state;
    if (stage.phase !== 'accelerated' || tenant.id === null) continue;
    const port = [...links.values()].find(({ ifindex }) => ifindex === stage.vf.ifindex);
    if (port !== undefined && port.up && port.carrier) continue;
    const tap = links.get(tenant.spec.tap);
    const durationMs = timing.ejectMs + timing.holdReserveMs;
    rescues.push({
      key: tenant.key,
      action: tenant.state.oneEared
        ? { kind: 'hold', vnic: tenant.id, durationMs, tapIfindex: tap?.ifindex ?? 0, tap: tenant.spec.tap }
        : { kind: 'go-software', vnic: tenant.id },
    });
  }
  return rescues;
}

export function plan(input: PlanInput): Plan {
  const { desired, observed, busy, nowMs, timing } = input;
  const tenants = matchTenants(desired, input.tenants, observed, nowMs, timing);
  const duplicates = duplicateNames(desired);
  const vnics: VnicPlan[] = [];
  const warnings: { key: string; message: string }[] = [];
  let freed = false;
  const preempted = preemptionsFor({ ...input, tenants });
  for (const index of servingOrder(tenants)) {
    const tenant = tenants[index];
    if (tenant === undefined || busy.has(tenant.key)) continue;
    const planned = new TenantPlanner(input, tenants, duplicates, preempted).plan(tenant);
    tenants[index] = planned.tenant;
    if (planned.gaveBack === true) freed = true;
    if (planned.sequence !== null) vnics.push({ key: tenant.key, sequence: planned.sequence });
    for (const message of planned.warnings) warnings.push({ key: tenant.key, message });
  }
  const planned = new Set(vnics.map((vnic) => vnic.key));
  const isGone = (tenant: Tenant): boolean =>
    tenant.removed &&
    tenant.state.stage.phase === 'absent' &&
    !planned.has(tenant.key) &&
    !busy.has(tenant.key) &&
    storedOf(tenant, observed) === null;
  const remaining = tenants.filter((tenant) => !isGone(tenant));
  const quiet = busy.size === 0 && vnics.length === 0;
  return { tenants: remaining, vnics, sweep: quiet ? planSweep(desired, remaining, observed) : null, warnings, freed };
}
