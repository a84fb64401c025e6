/**
 * What is missing of a VF's connection to its vNIC, and what is left of it. The port's row is written first and taken away
 * last: a port that the maps give to a vNIC is one whose settings are unipath's to put back.
 */
import type { Action, LinkChange } from './actions.js';
import { driftActions, isLeftBehind, isPassedThrough, lendAction, questionEntry, returnAction, takeAddressAction } from './adapter_vf.js';
import type { Timing } from './backoff.js';
import { settingsNow } from './adopt.js';
import { guestPortActions } from './bridge_vlans.js';
import { guestName, type BridgePortFlags, type Observed, type ObservedLink, type ObservedVf, type StoredVnic, type VfSpec } from './model.js';
import { planSteering, sameSteering } from './queue_plan.js';
import { rowOf, sameRow, softwareRow, storedOf, withVf, withoutVf } from './rows.js';
import type { Tenant } from './tenant.js';
import { writePortUnless, writeTxPortUnless, type Footing } from './vnic_actions.js';
import type { ClaimedVf, PortSettings } from './vnic_state.js';

const OPERATIONAL_MS = 1500;

/** Frames of the guest reach the bridge by a VF port, but nothing is learnt from it and nothing flooded to it. */
export const VF_PORT_FLAGS: BridgePortFlags = { learning: false, flood: false, multicastFlood: false, broadcastFlood: false };

function sameFlags(a: BridgePortFlags | null, b: BridgePortFlags | null): boolean {
  if (a === null || b === null) return a === b;
  return a.learning === b.learning && a.flood === b.flood && a.multicastFlood === b.multicastFlood && a.broadcastFlood === b.broadcastFlood;
}

/** The claimed VF, whatever became of its port. */
function foundVf(vf: ClaimedVf, { vfs }: Observed): ObservedVf | undefined {
  return vfs.find(({ spec }) => spec.port === vf.port && spec.device === vf.device);
}

/** The claimed VF as it is seen, if its port is still the one that was claimed. */
export function seenVf(vf: ClaimedVf, observed: Observed): { readonly vf: ObservedVf; readonly port: ObservedLink } | null {
  const seen = foundVf(vf, observed);
  return seen?.port?.ifindex === vf.ifindex ? { vf: seen, port: seen.port } : null;
}

/**
 * MTU, bridge, flags, VLANs, up. It goes into the bridge while down, so that nothing is flooded to it before the flags are set;
 * only when a guest uses it, taking it down would be worse.
 */
function preparePort(tenant: Tenant, port: ObservedLink, inUse: boolean, mtu: number, observed: Observed): Action[] {
  const bridge = observed.links.get(tenant.adapter.bridge);
  const now = settingsNow(port, observed);
  const actions: Action[] = [];
  const set = (change: LinkChange, before: LinkChange): void => void actions.push({ kind: 'set-link', device: port.name, change, before });
  const joins = bridge !== undefined && port.master !== bridge.ifindex;
  const flags = joins || !sameFlags(now.flags, VF_PORT_FLAGS);
  let up = port.up;
  if (joins && up && !inUse) {
    set({ up: false }, { up: true });
    up = false;
  }
  if (port.mtu !== mtu) set({ mtu }, { mtu: port.mtu });
  if (joins) set({ bridge: bridge.name }, { bridge: now.bridge });
  if (flags && bridge !== undefined) {
    actions.push({ kind: 'set-bridge-port-flags', device: port.name, flags: VF_PORT_FLAGS, before: joins ? null : now.flags });
  }
  actions.push(...guestPortActions(tenant, port, bridge, joins, observed));
  if (!up) set({ up: true }, { up: false });
  return actions;
}

/** From the moment it has the device, such a guest hears by neither port: what is sent to it waits. */
function holdActions({ spec }: Tenant, { id, tap }: Footing, vf: VfSpec, prepared: readonly Action[], timing: Timing): Action[] {
  const durationMs = timing.plugHoldMs + timing.holdReserveMs;
  return [
    { kind: 'prepare-hold', vnic: id },
    { kind: 'prepare-vf', guest: spec.guest, vf, mac: spec.mac },
    ...prepared,
    { kind: 'hold', vnic: id, durationMs, tapIfindex: tap.ifindex, tap: tap.name },
  ];
}

/**
 * The same for a VF behind the adapter's own switch, whose port is the uplink. Written first is the row that names it: by that, and the
 * address that the VF has, whoever comes later knows whose it is. Which queue a frame takes inside the VF is the adapter's business.
 */
function connectBehindAdapter(tenant: Tenant, seen: ObservedVf, stored: StoredVnic, footing: Footing, observed: Observed, timing: Timing): Action[] {
  const { id, tap, uplink, spread } = footing;
  const { guest, mac } = tenant.spec;
  const actions: Action[] = [];
  const row = withVf(softwareRow(tenant, tap, uplink), uplink);
  const before = rowOf(stored);
  if (!sameRow(before, row)) actions.push({ kind: 'write-vnic', vnic: id, row, before });
  const steering = planSteering(1, observed.cpus, id, spread, stored.vfSteering);
  if (!sameSteering(steering, stored.vfSteering)) {
    actions.push({ kind: 'write-steering', vnic: id, role: 'vf', row: steering, before: stored.vfSteering });
  }
  if (seen.place.kind !== 'host') {
    if (!stored.vfAllowed) actions.push({ kind: 'allow-vf', vnic: id });
    return [...actions, ...driftActions(tenant, seen)];
  }
  const lent: Action[] = [lendAction(tenant, seen.spec), { kind: 'add-fdb', entry: questionEntry(id, tenant) }];
  actions.push(...holdActions(tenant, footing, seen.spec, lent, timing));
  actions.push({ kind: 'allow-vf', vnic: id }, { kind: 'plug-vf', vnic: id, guest, vf: seen.spec, mac });
  return actions;
}

/** Up to where the guest may use the VF. Empty when it may. */
export function connectActions(tenant: Tenant, vf: ClaimedVf, footing: Footing, observed: Observed, timing: Timing): Action[] {
  const seen = seenVf(vf, observed);
  const stored = storedOf(tenant, observed);
  if (seen === null || stored === null) return [];
  if (isPassedThrough(vf)) return connectBehindAdapter(tenant, seen.vf, stored, footing, observed, timing);
  const { id, tap, uplink, spread } = footing;
  const { port } = seen;
  const actions = writePortUnless(observed, port.ifindex, port.name, { vnic: id, role: 'vf' });
  actions.push(...preparePort(tenant, port, seen.vf.place.kind !== 'host', tap.mtu, observed));
  if (observed.programs.get(port.ifindex) !== 'steer_guest') {
    actions.push({ kind: 'attach-program', program: 'steer_guest', ifindex: port.ifindex, device: port.name, mode: 'as-configured' });
  }
  const steering = planSteering(port.txQueues, observed.cpus, id, spread, stored.vfSteering);
  if (!sameSteering(steering, stored.vfSteering)) {
    actions.push({ kind: 'write-steering', vnic: id, role: 'vf', row: steering, before: stored.vfSteering });
  }
  actions.push(...writeTxPortUnless(observed, port.ifindex, port.name, true));
  const row = withVf(softwareRow(tenant, tap, uplink), port);
  const before = rowOf(stored);
  if (!sameRow(before, row)) actions.push({ kind: 'write-vnic', vnic: id, row, before });
  const plugs = seen.vf.place.kind === 'host';
  if (plugs && tenant.state.oneEared) {
    const operational: Action = { kind: 'await-operational', device: port.name, deadlineMs: OPERATIONAL_MS };
    actions.push(...holdActions(tenant, footing, seen.vf.spec, [operational], timing));
  }
  if (!stored.vfAllowed) actions.push({ kind: 'allow-vf', vnic: id });
  if (plugs)
    actions.push({ kind: 'plug-vf', vnic: id, guest: tenant.spec.guest, vf: seen.vf.spec, mac: tenant.spec.mac });
  return actions;
}

/** Who has to give the VF back, if anybody. */
function unplugActions(vf: ClaimedVf, observed: Observed): Action[] {
  const seen = foundVf(vf, observed);
  if (seen?.place.kind !== 'guest' || !observed.guests.has(guestName(seen.place.guest))) return [];
  return [{ kind: 'unplug-vf', guest: seen.place.guest, vf: seen.spec }];
}

/** Back to how the port was; a bridge that is gone by now cannot be gone back to. */
function restorePort(before: PortSettings, port: ObservedLink, observed: Observed): Action[] {
  const now = settingsNow(port, observed);
  const bridge = before.bridge !== null && observed.links.has(before.bridge) ? before.bridge : null;
  const moves = now.bridge !== bridge;
  const actions: Action[] = [];
  const set = (change: LinkChange, was: LinkChange): void =>
    void actions.push({ kind: 'set-link', device: port.name, change, before: was });
  if (now.up && !before.up) set({ up: false }, { up: true });
  if (moves) set({ bridge }, { bridge: now.bridge });
  if (bridge !== null && before.flags !== null && (moves || !sameFlags(now.flags, before.flags))) {
    actions.push({ kind: 'set-bridge-port-flags', device: port.name, flags: before.flags, before: moves ? null : now.flags });
  }
  if (now.mtu !== before.mtu && before.mtu > 0) set({ mtu: before.mtu }, { mtu: now.mtu });
  if (!now.up && before.up) set({ up: true }, { up: false });
  return actions;
}

/** Down to where nothing is left of the connection, whatever of it there was. Empty when nothing is. */
export function releaseActions(tenant: Tenant, vf: ClaimedVf, observed: Observed): Action[] {
  const stored = storedOf(tenant, observed);
  const seen = seenVf(vf, observed);
  const device = seen === null ? `ifindex ${vf.ifindex}` : vf.port;
  const actions: Action[] = [];
  // As long as the hypervisor migrates the guest, the device is its business.
  const migrates = observed.guests.get(guestName(tenant.spec.guest))?.leaving ?? false;
  if (stored !== null && (stored.path === 'accelerated' || stored.vfAllowed)) actions.push({ kind: 'go-software', vnic: stored.id });
  const unplug = migrates ? [] : unplugActions(vf, observed);
  const found = foundVf(vf, observed);
  actions.push(...unplug);
  // What is left behind is swept up when who holds it ends.
  if (found !== undefined && isLeftBehind(found, observed)) actions.push(takeAddressAction(tenant.adapter.uplink, found.spec));
  if (found?.filter?.lent === true && (found.place.kind !== 'guest' || unplug.length > 0)) actions.push(returnAction(tenant.adapter.uplink, found.spec));
  if (stored !== null && stored.vfIfindex !== 0) {
    const before = rowOf(stored);
    actions.push({ kind: 'write-vnic', vnic: stored.id, row: withoutVf(before), before });
  }
  if (stored !== null && stored.vfSteering !== null) {
    actions.push({ kind: 'write-steering', vnic: stored.id, role: 'vf', row: null, before: stored.vfSteering });
  }
  // A port that is another's by now, or was never ours, is not touched.
  const owner = observed.ports.get(vf.ifindex);
  if (owner === undefined || owner.vnic !== tenant.id || owner.role !== 'vf') return actions;
  actions.push(...writeTxPortUnless(observed, vf.ifindex, device, false));
  if (observed.programs.has(vf.ifindex)) actions.push({ kind: 'detach-program', program: 'steer_guest', ifindex: vf.ifindex, device });
  if (seen !== null) actions.push(...restorePort(vf.before, seen.port, observed));
  actions.push(...writePortUnless(observed, vf.ifindex, device, null));
  return actions;
}

/**
 * Is the VF out of every guest's hands, as far as can be known? A machine whose guest has gone (migrated away) may hold the device
 * until it ends; nobody gets it before, but the vNIC is done with it.
 */
export function isReturned(vf: ClaimedVf, observed: Observed): boolean {
  const seen = foundVf(vf, observed);
  if (seen === undefined || seen.place.kind === 'host' || seen.place.kind === 'gone') return true;
  return seen.place.kind === 'guest' && !observed.guests.has(guestName(seen.place.guest));
}

/** Is the VF not what it must be to carry traffic? `needsCarrier`: the guest has used it, so its end was up. */
export function isLost(tenant: Tenant, vf: ClaimedVf, needsCarrier: boolean, observed: Observed): boolean {
  const seen = seenVf(vf, observed);
  if (seen === null || !seen.port.up || (needsCarrier && !seen.port.carrier)) return true;
  const { place } = seen.vf;
  if (place.kind === 'unknown') return false;
  return place.kind !== 'guest' || guestName(place.guest) !== guestName(tenant.spec.guest);
}
