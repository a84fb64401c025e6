/**
 * Virtual machines in which unipath's plug-in may run: no hypervisor knows, so they are asked by a control frame on their tap. Pure.
 */
import { guestName, type GuestSpec, type GuestState, type Observed } from './model.js';
import { wantedPath, type Tenant } from './tenant.js';

/** Could an answer of the plug-in change what is known of this guest? One that uses net_failover takes every VF itself. */
export function mayHavePlugin(guest: GuestSpec, { mode, running, incoming, leaving }: GuestState): boolean {
  return guest.kind === 'vm' && guest.mode === 'auto' && mode !== 'net_failover' && running && !incoming && !leaving;
}

/** As if the configuration said that the plug-in runs in it. */
export function withPlugin(guest: GuestSpec): GuestSpec {
  return guest.kind === 'vm' ? { ...guest, mode: 'plugin' } : guest;
}

/** ifindex of the tap on which a guest is to be asked now; null: not at all. Asked is only who would get a VF for it. */
export function pluginQuestionPort(tenant: Tenant, observed: Observed): number | null {
  const guest = observed.guests.get(guestName(tenant.spec.guest));
  const tap = observed.links.get(tenant.spec.tap);
  if (tenant.removed || tenant.state.stage.phase !== 'software' || wantedPath(tenant) !== 'accelerated') return null;
  if (guest === undefined || tap === undefined || !tap.up || !mayHavePlugin(tenant.spec.guest, guest)) return null;
  return tap.ifindex;
}
