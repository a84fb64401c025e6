/** What is missing, or too much, of a vNIC's footing: its row, its tap's rows, program and FDB entry. */
import type { Action } from './actions.js';
import { fdbKey, type FdbEntry, type Observed, type ObservedLink, type PortOwner, type StoredVnic } from './model.js';
import { planSteering, sameSteering } from './queue_plan.js';
import { rowOf, sameRow, softwareRow, storedOf, withVf } from './rows.js';
import type { Tenant } from './tenant.js';
import { claimedVf } from './vnic_state.js';

/** The links that a vNIC stands on; null when one of them is missing. */
export interface Footing {
  readonly id: number;
  readonly tap: ObservedLink;
  readonly uplink: ObservedLink;
}

export function fdbEntryOf(tenant: Tenant): FdbEntry {
  return { mac: tenant.spec.mac, vlan: tenant.spec.vlan, device: tenant.spec.tap };
}

export function writePortUnless(observed: Observed, ifindex: number, device: string, owner: PortOwner | null): Action[] {
  const before = observed.ports.get(ifindex) ?? null;
  if (before?.vnic === owner?.vnic && before?.role === owner?.role) return [];
  return [{ kind: 'write-port', ifindex, device, owner, before }];
}

export function writeTxPortUnless(observed: Observed, ifindex: number, device: string, allowed: boolean): Action[] {
  return observed.txPorts.has(ifindex) === allowed ? [] : [{ kind: 'write-tx-port', ifindex, device, allowed }];
}

/** A static entry can only be at a bridge port, and only counts for the bridge that the uplink is in. */
function inBridge(tenant: Tenant, tap: ObservedLink, observed: Observed): boolean {
  const bridge = observed.links.get(tenant.adapter.bridge);
  return bridge !== undefined && tap.master === bridge.ifindex;
}

/** Written before anything else of the vNIC and deleted last: a row in the maps says that the rest may be there. */
function rowActions(tenant: Tenant, footing: Footing, stored: StoredVnic | null): Action[] {
  const vf = claimedVf(tenant.state);
  const software = softwareRow(tenant, footing.tap, footing.uplink);
  // Only what carries the VF's rows names it; `connectActions` writes it once all of them are there.
  const row = vf !== null && stored?.vfIfindex === vf.ifindex ? withVf(software, vf.ifindex) : software;
  const before = stored === null ? null : rowOf(stored);
  return before !== null && sameRow(before, row) ? [] : [{ kind: 'write-vnic', vnic: footing.id, row, before }];
}

/** Up to where the vNIC has its footing. Empty when it has. */
export function footingActions(tenant: Tenant, footing: Footing, observed: Observed): Action[] {
  const { id, tap } = footing;
  const stored = storedOf(tenant, observed);
  const actions = rowActions(tenant, footing, stored);
  actions.push(...writePortUnless(observed, tap.ifindex, tap.name, { vnic: id, role: 'tap' }));
  const steering = planSteering(tap.txQueues, observed.cpus, id);
  const before = stored?.tapSteering ?? null;
  if (!sameSteering(steering, before)) actions.push({ kind: 'write-steering', vnic: id, role: 'tap', row: steering, before });
  const entry = fdbEntryOf(tenant);
  if (tenant.fdbOurs === true && inBridge(tenant, tap, observed) && !observed.fdb.has(fdbKey(entry)))
    actions.push({ kind: 'add-fdb', entry });
  if (observed.programs.get(tap.ifindex) !== 'steer_guest') {
    actions.push({ kind: 'attach-program', program: 'steer_guest', ifindex: tap.ifindex, device: tap.name });
  }
  actions.push(...writeTxPortUnless(observed, tap.ifindex, tap.name, tap.up));
  return actions;
}

/** Down to where nothing is left of the vNIC. Empty when nothing is. */
export function removeActions(tenant: Tenant, observed: Observed): Action[] {
  const stored = storedOf(tenant, observed);
  const actions: Action[] = [];
  const tap = observed.links.get(tenant.spec.tap);
  const taps = new Set([stored?.tapIfindex ?? 0, tap?.ifindex ?? 0]);
  for (const ifindex of taps) {
    if (ifindex === 0 || observed.ports.get(ifindex)?.vnic !== tenant.id) continue;
    const device = tap?.ifindex === ifindex ? tap.name : `ifindex ${ifindex}`;
    actions.push(...writeTxPortUnless(observed, ifindex, device, false));
    if (observed.programs.has(ifindex)) actions.push({ kind: 'detach-program', program: 'steer_guest', ifindex, device });
  }
  const entry = fdbEntryOf(tenant);
  if (tenant.fdbOurs === true && stored !== null && tap !== undefined && observed.fdb.has(fdbKey(entry)))
    actions.push({ kind: 'delete-fdb', entry });
  for (const ifindex of taps) {
    if (ifindex !== 0 && observed.ports.get(ifindex)?.vnic === tenant.id) {
      actions.push(...writePortUnless(observed, ifindex, tap?.ifindex === ifindex ? tap.name : `ifindex ${ifindex}`, null));
    }
  }
  if (stored !== null) actions.push({ kind: 'delete-vnic', vnic: stored.id, before: rowOf(stored) });
  return actions;
}
