/** What is missing, or too much, of a vNIC's footing: its row, its tap's rows, program and FDB entry. */
import { tapAttachMode } from './cut_through.js';
import type { Action } from './actions.js';
import { entryActions, isBehindUplink, possibleEntries, switchesItself } from './adapter_vf.js';
import {
  fdbKey,
  NO_RSS_WISH,
  type FdbEntry,
  type MacAddress,
  type Observed,
  type ObservedLink,
  type PortOwner,
  type StoredVnic,
  type VnicRow,
} from './model.js';
import { bridgeOf, guestPortActions, uplinkActions } from './bridge_vlans.js';
import { planSteering, sameSteering, type Spread } from './queue_plan.js';
import { sameWish } from './rss_wish.js';
import { rowOf, sameRow, softwareRow, storedOf, withVf } from './rows.js';
import type { Tenant } from './tenant.js';
import { claimedVf } from './vnic_state.js';

/** The links that a vNIC stands on; null when one of them is missing. */
export interface Footing {
  readonly id: number;
  readonly tap: ObservedLink;
  readonly uplink: ObservedLink;
  readonly spread: Spread;
}

/** Static entries of a MAC address at a port: a bridge that looks at VLAN tags knows an address once per VLAN, another once. */
export function fdbEntries(mac: MacAddress, vlans: readonly number[], device: string, links: Observed['links']): FdbEntry[] {
  const port = links.get(device);
  const filters = port !== undefined && (bridgeOf(port, links)?.vlanFiltering ?? null) !== null;
  return (filters ? vlans : vlans.slice(0, 1)).map((vlan) => ({ mac, vlan, device }));
}

/** Those at the tap of a vNIC. */
export function tapEntries({ spec }: Tenant, links: Observed['links']): FdbEntry[] {
  return fdbEntries(spec.mac, spec.vlans, spec.tap, links);
}

/** Those at the uplink, of a vNIC that may be behind it. */
export function uplinkEntries({ spec, adapter }: Tenant, links: Observed['links']): FdbEntry[] {
  return switchesItself(adapter) ? fdbEntries(spec.mac, spec.vlans, adapter.uplink, links) : [];
}

/** Those that the bridge must have: where the guest is. On a VF behind the uplink it is heard there, and the bridge would learn it again and again. */
export function fdbEntriesOf(tenant: Tenant, links: Observed['links']): FdbEntry[] {
  return isBehindUplink(tenant) ? uplinkEntries(tenant, links) : tapEntries(tenant, links);
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
function inBridge(tenant: Tenant, port: ObservedLink, observed: Observed): boolean {
  const bridge = observed.links.get(tenant.adapter.bridge);
  return bridge !== undefined && port.master === bridge.ifindex;
}

/** What was there before unipath came is left alone: one of the bridge's was at the tap then, wherever the guest is now. */
function isOurs({ fdbFound, spec }: Tenant, entry: FdbEntry): boolean {
  const found = entry.self === true ? entry : { ...entry, device: spec.tap };
  return fdbFound !== null && !fdbFound.includes(fdbKey(found));
}

/** The bridge has the guest at its tap from here on. */
export function backToTap(tenant: Tenant, { links }: Pick<Observed, 'links'>): Action[] {
  if ((links.get(tenant.spec.tap)?.master ?? null) === null) return [];
  return tapEntries(tenant, links).filter((entry) => isOurs(tenant, entry)).map((entry) => ({ kind: 'add-fdb', entry }));
}

/** With the VF that the stored row names; of a port that is gone nothing new can be said. */
function keepVf(row: VnicRow, { vfIfindex, vfMultiBuffer, vfNoTransmit }: StoredVnic, { links }: Observed): VnicRow {
  const port = [...links.values()].find((link) => link.ifindex === vfIfindex);
  return port === undefined ? { ...row, vfIfindex, vfFrameMax: row.tapFrameMax, vfMultiBuffer, vfNoTransmit } : withVf(row, port);
}

/** Written before anything else of the vNIC and deleted last: a row in the maps says that the rest may be there. */
function rowActions(tenant: Tenant, footing: Footing, stored: StoredVnic | null, observed: Observed): Action[] {
  const vf = claimedVf(tenant.state);
  const software = softwareRow(tenant, footing.tap, footing.uplink);
  // Only what carries the VF's rows names it; `connectActions` writes it once all of them are there.
  const row = vf !== null && stored?.vfIfindex === vf.ifindex ? keepVf(software, stored, observed) : software;
  const before = stored === null ? null : rowOf(stored);
  return before !== null && sameRow(before, row) ? [] : [{ kind: 'write-vnic', vnic: footing.id, row, before }];
}

/** Up to where the vNIC has its footing. Empty when it has. */
export function footingActions(tenant: Tenant, footing: Footing, observed: Observed): Action[] {
  const { id, tap, uplink, spread } = footing;
  const stored = storedOf(tenant, observed);
  const actions = rowActions(tenant, footing, stored, observed);
  actions.push(...writePortUnless(observed, tap.ifindex, tap.name, { vnic: id, role: 'tap' }));
  if (!sameWish(tenant.rssWish, stored?.rssWish ?? NO_RSS_WISH)) {
    actions.push({ kind: 'write-rss-wish', vnic: id, wish: tenant.rssWish, before: stored?.rssWish ?? NO_RSS_WISH });
  }
  const before = stored?.tapSteering ?? null;
  const steering = planSteering(tap.txQueues, observed.cpus, id, spread, before);
  if (!sameSteering(steering, before)) actions.push({ kind: 'write-steering', vnic: id, role: 'tap', row: steering, before });
  if (inBridge(tenant, tap, observed)) {
    // A bridge refuses an entry of a VLAN that its port is not in.
    actions.push(...guestPortActions(tenant, tap, observed.links.get(tenant.adapter.bridge), false, observed));
  }
  actions.push(...uplinkActions(tenant, uplink, observed));
  if (inBridge(tenant, isBehindUplink(tenant) ? uplink : tap, observed)) {
    for (const entry of fdbEntriesOf(tenant, observed.links)) {
      if (isOurs(tenant, entry) && !observed.fdb.has(fdbKey(entry))) actions.push({ kind: 'add-fdb', entry });
    }
  }
  actions.push(...entryActions(tenant, observed, (entry) => isOurs(tenant, entry)));
  if (observed.programs.get(tap.ifindex) !== 'steer_guest') {
    const mode = tapAttachMode(tenant.spec.cutThrough, tap);
    actions.push({ kind: 'attach-program', program: 'steer_guest', ifindex: tap.ifindex, device: tap.name, mode });
  }
  actions.push(...tapProgramActions(tenant, tap, observed), ...writeTxPortUnless(observed, tap.ifindex, tap.name, tap.up));
  return actions;
}

/** Where the bridge hands frames to the tap: of a guest that hears on one path, or whose VF is reached by here, not all of them are to arrive there. */
function tapProgramActions(tenant: Tenant, tap: ObservedLink, observed: Observed): Action[] {
  const wanted = tenant.mode === 'net_failover' || storedOf(tenant, observed)?.vfNoTransmit === true;
  if (observed.tapPrograms.has(tap.ifindex) === wanted) return [];
  return [{ kind: wanted ? 'attach-tap' : 'detach-tap', ifindex: tap.ifindex, device: tap.name }];
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
    if (observed.tapPrograms.has(ifindex)) actions.push({ kind: 'detach-tap', ifindex, device });
  }
  const atTap = tap === undefined ? [] : tapEntries(tenant, observed.links);
  for (const entry of stored === null ? [] : [...atTap, ...uplinkEntries(tenant, observed.links), ...possibleEntries(tenant)]) {
    if (isOurs(tenant, entry) && observed.fdb.has(fdbKey(entry))) actions.push({ kind: 'delete-fdb', entry });
  }
  for (const ifindex of taps) {
    if (ifindex !== 0 && observed.ports.get(ifindex)?.vnic === tenant.id) {
      actions.push(...writePortUnless(observed, ifindex, tap?.ifindex === ifindex ? tap.name : `ifindex ${ifindex}`, null));
    }
  }
  if (stored !== null) actions.push({ kind: 'delete-vnic', vnic: stored.id, before: rowOf(stored) });
  return actions;
}
