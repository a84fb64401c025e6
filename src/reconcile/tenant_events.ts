/** What became different about a vNIC, in words. Pure. */
import type { VnicPath } from '../core/model.js';
import type { Tenant } from '../core/tenant.js';
import { claimedVf, phaseOf } from '../core/vnic_state.js';
import type { EventFields } from './report.js';
import { reasonOfTenant } from './status.js';

export interface TenantEvent {
  readonly kind: 'phase' | 'reason' | 'vf';
  readonly message: string;
  readonly fields: EventFields;
}

/** `before` null: it was not known. */
export function tenantEvents(before: Tenant | null, after: Tenant, path: VnicPath): TenantEvent[] {
  const { name } = after.spec;
  const events: TenantEvent[] = [];
  const phase = phaseOf(after.state);
  const wasPhase = before === null ? null : phaseOf(before.state);
  if (wasPhase !== phase) events.push({ kind: 'phase', message: `${name} is ${phase}`, fields: { phase, was: wasPhase } });
  const reason = reasonOfTenant(after, path);
  const wasReason = before === null ? null : reasonOfTenant(before, path);
  const said = reason === 'none' ? 'nothing keeps it from its VF any more' : reason;
  if (wasReason !== reason) events.push({ kind: 'reason', message: `${name}: ${said}`, fields: { reason, was: wasReason } });
  const vf = claimedVf(after.state)?.port ?? null;
  const wasVf = before === null ? null : (claimedVf(before.state)?.port ?? null);
  if (wasVf !== vf) {
    const message = vf === null ? `VF ${wasVf} is free of ${name}` : `${name} has VF ${vf}`;
    events.push({ kind: 'vf', message, fields: { vf: vf ?? wasVf, owned: vf !== null } });
  }
  return events;
}
