/** What the maps still hold that belongs to nobody. */
import type { Action, Sequence } from './actions.js';
import { isLeftBehind, returnAction, takeAddressAction } from './adapter_vf.js';
import { restoreVlanActions } from './bridge_vlans.js';
import type { Desired, Observed } from './model.js';
import { storedOf } from './rows.js';
import { claimedPorts, type Tenant } from './tenant.js';
import { claimedVf } from './vnic_state.js';

/** Rows, programs and VLANs at ports that are nobody's; asked for only while nothing is being done for any vNIC. */
export function planSweep(desired: Desired, tenants: readonly Tenant[], observed: Observed): Sequence | null {
  const guestPorts = new Set<number>();
  const uplinks = new Set(observed.stored.map((row) => row.uplinkIfindex));
  for (const adapter of desired.adapters) uplinks.add(observed.links.get(adapter.uplink)?.ifindex ?? 0);
  for (const tenant of tenants) {
    const stored = storedOf(tenant, observed);
    if (stored !== null) guestPorts.add(stored.tapIfindex);
    guestPorts.add(claimedVf(tenant.state)?.ifindex ?? 0);
  }
  const names = new Map([...observed.links.values()].map((link) => [link.ifindex, link.name]));
  const nameOf = (ifindex: number): string => names.get(ifindex) ?? `ifindex ${ifindex}`;
  const owned = (ifindex: number): boolean => uplinks.has(ifindex) || guestPorts.has(ifindex);
  const actions: Action[] = [];
  for (const ifindex of observed.txPorts) {
    if (!owned(ifindex)) actions.push({ kind: 'write-tx-port', ifindex, device: nameOf(ifindex), allowed: false });
  }
  for (const [ifindex, program] of observed.programs) {
    if (!owned(ifindex)) actions.push({ kind: 'detach-program', program, ifindex, device: nameOf(ifindex) });
  }
  for (const ifindex of observed.tapPrograms) {
    if (!guestPorts.has(ifindex)) actions.push({ kind: 'detach-tap', ifindex, device: nameOf(ifindex) });
  }
  for (const [ifindex, before] of observed.ports) {
    if (!guestPorts.has(ifindex)) actions.push({ kind: 'write-port', ifindex, device: nameOf(ifindex), owner: null, before });
  }
  actions.push(...orphanActions(desired, tenants, observed), ...restoreVlanActions(tenants, observed));
  return actions.length === 0 ? null : { purpose: 'sweep', actions, onFailure: 'stop' };
}

/** VFs that were lent, and that no vNIC has any more, and no guest. */
function orphanActions(desired: Desired, tenants: readonly Tenant[], observed: Observed): Action[] {
  const claims = claimedPorts(tenants);
  return observed.vfs.flatMap((vf): Action[] => {
    const uplink = desired.adapters.find(({ name }) => name === vf.adapter)?.uplink;
    if (uplink === undefined || claims.has(vf.spec.port)) return [];
    if (isLeftBehind(vf, observed)) return [takeAddressAction(uplink, vf.spec)];
    return vf.filter?.lent === true && vf.place.kind === 'host' ? [returnAction(uplink, vf.spec)] : [];
  });
}
