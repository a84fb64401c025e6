/**
 * VLANs of bridge ports, where the bridge looks at tags. A port's VLANs are changed by actions that leave a note of how each was
 * before, so that what is undone is exactly what was done, whoever undoes it. Pure.
 */
import type { Action } from './actions.js';
import type { BridgeVlan, BridgeVlanFlags, Observed, ObservedLink, VnicSpec } from './model.js';
import type { Tenant } from './tenant.js';
import { claimedVf } from './vnic_state.js';

const ACCESS: BridgeVlanFlags = { pvid: true, untagged: true };
const TAGGED: BridgeVlanFlags = { pvid: false, untagged: false };

/** The bridge that a device is a port of; undefined: none. */
export function bridgeOf(port: ObservedLink, links: Observed['links']): ObservedLink | undefined {
  return port.master === null ? undefined : [...links.values()].find((link) => link.ifindex === port.master);
}

/** VLANs in which the tap and the VF port of a vNIC must be. Untagged frames of others than access vNICs are the bridge's own business. */
function guestPortVlans({ vlans, access }: VnicSpec): BridgeVlan[] {
  return vlans.filter((vid) => vid !== 0).map((vid) => ({ vid, ...(access ? ACCESS : TAGGED) }));
}

function sameFlags(a: BridgeVlanFlags | null, b: BridgeVlanFlags | null): boolean {
  return a === null || b === null ? a === b : a.pvid === b.pvid && a.untagged === b.untagged;
}

/** Up to where the port is in `wanted` as it must be; `alone`: and in no other VLAN without a tag. */
function portActions(port: ObservedLink, wanted: readonly BridgeVlan[], alone: boolean, present: readonly BridgeVlan[], observed: Observed): Action[] {
  const set = (vid: number, flags: BridgeVlanFlags | null): Action => {
    const before = present.find((vlan) => vlan.vid === vid);
    return {
      kind: 'set-bridge-vlan',
      ifindex: port.ifindex,
      device: port.name,
      vid,
      flags,
      before: before === undefined ? null : { pvid: before.pvid, untagged: before.untagged },
      noted: observed.bridgeVlanNotes.some((note) => note.ifindex === port.ifindex && note.vid === vid),
    };
  };
  // First into the new one, then out of the old one: at no time in none.
  const added = wanted.filter(({ vid, ...flags }) => !sameFlags(present.find((vlan) => vlan.vid === vid) ?? null, flags));
  const others = alone ? present.filter(({ vid, untagged }) => untagged && !wanted.some((vlan) => vlan.vid === vid)) : [];
  return [...added.map(({ vid, pvid, untagged }) => set(vid, { pvid, untagged })), ...others.map(({ vid }) => set(vid, null))];
}

/** A guest's port; `joins`: it is about to become one of `bridge`, and will be in that one's default VLAN. */
export function guestPortActions(tenant: Tenant, port: ObservedLink, bridge: ObservedLink | undefined, joins: boolean, observed: Observed): Action[] {
  const filtering = bridge?.vlanFiltering ?? null;
  if (filtering === null) return [];
  const initial = filtering.defaultPvid === 0 ? [] : [{ vid: filtering.defaultPvid, ...ACCESS }];
  const present = joins ? initial : (observed.bridgeVlans.get(port.name) ?? []);
  return portActions(port, guestPortVlans(tenant.spec), tenant.spec.access, present, observed);
}

/** The uplink's port carries the VLANs of all its vNICs, tagged. One that it is in already, however, is the operator's business. */
export function uplinkActions(tenant: Tenant, uplink: ObservedLink, observed: Observed): Action[] {
  const bridge = observed.links.get(tenant.adapter.bridge);
  if (bridge === undefined || bridge.vlanFiltering === null || uplink.master !== bridge.ifindex) return [];
  const present = observed.bridgeVlans.get(uplink.name) ?? [];
  const missing = tenant.spec.vlans.filter((vid) => vid !== 0 && !present.some((vlan) => vlan.vid === vid));
  return portActions(uplink, missing.map((vid) => ({ vid, ...TAGGED })), false, present, observed);
}

/** Is there still somebody for whose sake this VLAN of this port was changed? */
function isNeeded(ifindex: number, vid: number, tenants: readonly Tenant[], observed: Observed): boolean {
  return tenants.some(({ id, spec, state }) => {
    const stored = observed.stored.find((row) => row.id === id);
    if (stored === undefined) return false;
    const uses = spec.vlans.includes(vid);
    if (ifindex === stored.uplinkIfindex) return uses;
    return (ifindex === stored.tapIfindex || ifindex === claimedVf(state)?.ifindex) && (uses || spec.access);
  });
}

/** Back to how ports were, where nobody needs it otherwise any more. */
export function restoreVlanActions(tenants: readonly Tenant[], observed: Observed): Action[] {
  const byIfindex = new Map([...observed.links.values()].map((link) => [link.ifindex, link]));
  const notes = observed.bridgeVlanNotes.filter(({ ifindex, vid }) => !isNeeded(ifindex, vid, tenants, observed));
  // Back into the old VLANs before it leaves the new ones.
  const order = [...notes].sort((a, b) => Number(a.before === null) - Number(b.before === null));
  return order.map(({ ifindex, vid, before }): Action => {
    const port = byIfindex.get(ifindex);
    const device = port?.name ?? `ifindex ${ifindex}`;
    const vlan = observed.bridgeVlans.get(device)?.find((each) => each.vid === vid);
    const now = vlan === undefined ? null : { pvid: vlan.pvid, untagged: vlan.untagged };
    // A port that left its bridge has left its VLANs, too.
    if (port === undefined || port.master === null || sameFlags(now, before)) return { kind: 'forget-bridge-vlan', ifindex, device, vid };
    return { kind: 'restore-bridge-vlan', ifindex, device, vid, flags: before, before: now };
  });
}
