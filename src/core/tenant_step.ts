/** A tenant's state machine, told what happened; its effects, as actions. */
import type { Action } from './actions.js';
import type { Timing } from './backoff.js';
import type { Observed } from './model.js';
import type { Tenant } from './tenant.js';
import { next, type Effect, type VnicEvent } from './vnic_state.js';

/** The tenant with its new state, and what its effects ask for. `want-vf` and `look-again` are the caller's business. */
export interface Step {
  readonly tenant: Tenant;
  readonly effects: readonly Effect[];
  readonly actions: readonly Action[];
}

/** Tells a tenant's state machine what happened. */
export function stepTenant(tenant: Tenant, event: VnicEvent, observed: Observed, nowMs: number, timing: Timing): Step {
  const { state, effects } = next(tenant.state, event, nowMs, timing);
  const actions = effects.flatMap((effect): Action[] => {
    if (effect.kind === 'go-software') return tenant.id === null ? [] : [{ kind: 'go-software', vnic: tenant.id }];
    if (effect.kind !== 'send-drain') return [];
    const tap = observed.links.get(tenant.spec.tap);
    return tap === undefined
      ? []
      : [{ kind: 'send-drain', ifindex: tap.ifindex, device: tap.name, mac: tenant.spec.mac, sequence: effect.sequence }];
  });
  return { tenant: { ...tenant, state }, effects, actions };
}
