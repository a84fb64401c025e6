/** A tenant's state machine, told what happened; its effects, as actions. */
import type { Action } from './actions.js';
import { admitActions, isPassedThrough, parkActions } from './adapter_vf.js';
import type { Timing } from './backoff.js';
import type { Observed } from './model.js';
import type { Tenant } from './tenant.js';
import { claimedVf, next, type Effect, type VnicEvent } from './vnic_state.js';
import { backToTap } from './vnic_actions.js';

/** The tenant with its new state, and what its effects ask for. `want-vf` and `look-again` are the caller's business. */
export interface Step {
  readonly tenant: Tenant;
  readonly effects: readonly Effect[];
  readonly actions: readonly Action[];
}

/** Tells a tenant's state machine what happened. */
export function stepTenant(tenant: Tenant, event: VnicEvent, observed: Observed, nowMs: number, timing: Timing): Step {
  const { state, effects } = next(tenant.state, event, nowMs, timing);
  return { tenant: { ...tenant, state }, effects, actions: effects.flatMap((effect) => actionsOf(effect, tenant, observed)) };
}

/** @param tenant as it was before the event */
function actionsOf(effect: Effect, tenant: Tenant, observed: Observed): Action[] {
  const { id, spec } = tenant;
  if (id === null) return [];
  const claimed = claimedVf(tenant.state);
  const passed = claimed !== null && isPassedThrough(claimed) ? claimed : null;
  const tap = observed.links.get(spec.tap);
  const [tapIfindex, tapName] = tap === undefined ? [0, spec.tap] : [tap.ifindex, tap.name];
  switch (effect.kind) {
    case 'go-software':
      return [{ kind: 'go-software', vnic: id }];
    case 'send-drain':
      return tap === undefined ? [] : [{ kind: 'send-drain', ifindex: tapIfindex, device: tapName, mac: spec.mac, sequence: effect.sequence, again: effect.again }];
    case 'hold': {
      const hold: Action = { kind: 'hold', vnic: id, durationMs: effect.durationMs, tapIfindex, tap: tapName };
      return passed === null ? [hold] : parkActions(tenant, passed, [...backToTap(tenant, observed), hold]);
    }
    case 'release': {
      const { path, vf } = effect;
      const port = path === 'accelerated' && vf !== null ? vf : null;
      const [ifindex, device] = port === null ? [tapIfindex, tapName] : [port.ifindex, isPassedThrough(port) ? tenant.adapter.uplink : port.port];
      const release: Action = { kind: 'release', vnic: id, path, vfAllowed: port !== null, ifindex, device };
      if (passed === null) return [release];
      if (port !== null) return admitActions(tenant, passed, release);
      // A hold has parked it already.
      return tenant.state.stage.phase === 'draining' ? [release] : [...parkActions(tenant, passed, backToTap(tenant, observed)), release];
    }
    case 'eject': {
      const seen = observed.vfs.find(({ spec: vf }) => vf.port === effect.vf.port && vf.device === effect.vf.device);
      return seen === undefined ? [] : [{ kind: 'eject-vf', guest: spec.guest, vf: seen.spec }];
    }
    case 'want-vf':
    case 'look-again':
    case 'warn':
      return [];
    default:
      return effect satisfies never;
  }
}
