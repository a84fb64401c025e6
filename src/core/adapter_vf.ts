/**
 * VFs of an adapter that switches by itself (VEB): no program of the host sees what they send, and the host has no port of theirs. Pure.
 *
 * Such an adapter gives a frame to every function that has its address and is in its VLAN, and to the wire when no function has it. So the PF
 * has the addresses of vNICs as its own while they are on their taps: by these, other VFs reach the taps, too. A VF gets its vNIC's address
 * before its guest has a driver; until the guest is heard there it is parked, in a VLAN that nobody uses, and the guest is asked in that VLAN,
 * from an address that the PF hears meanwhile. Then the VF goes into the vNIC's VLAN, and the PF gives the address up; and the other way round
 * before the device is taken. Both hear for a moment at each change, so that there is none in which neither does.
 */
import { ContractLimit } from '../../maps/generated/contract.js';
import type { Action } from './actions.js';
import { type AdapterSpec, fdbKey, type FdbEntry, guestName, type GuestMode, macText, type Observed, type ObservedVf, type VfSpec, type VnicSpec } from './model.js';
import type { Tenant } from './tenant.js';
import { claimedVf, type ClaimedVf, type Stage } from './vnic_state.js';

/** The highest id there is. */
export const PARKING_VLAN = 4094;

export const isPassedThrough = (vf: Pick<VfSpec, 'kind'>): boolean => vf.kind === 'passthrough';

/** Does the adapter give frames to VFs by itself? */
export const switchesItself = ({ vfs }: AdapterSpec): boolean => vfs.some(isPassedThrough);

/** In which all frames of a vNIC's VF are on the wire; 0: untagged. */
export const vfVlan = ({ access, vlans }: Pick<VnicSpec, 'access' | 'vlans'>): number => (access ? (vlans[0] ?? 0) : 0);

/**
 * Can a vNIC's guest be given such a VF? It must be heard there, which one with the plug-in is not; and a VF that is parked takes no tags of
 * its guest's.
 */
export function mayPassThrough({ access, vlans }: Pick<VnicSpec, 'access' | 'vlans'>, mode: GuestMode): boolean {
  return mode === 'net_failover' && vfVlan({ access, vlans }) !== PARKING_VLAN && (access || (vlans.length === 1 && vlans[0] === 0));
}

/** Where a guest is asked from on such a VF (maps/contract.h). @param id of the vNIC */
export function questionMac(id: number): Buffer {
  const mac = Buffer.alloc(6);
  mac.writeUInt32BE(ContractLimit.QUESTION_MAC_HIGH, 0);
  mac.writeUInt16BE(id, 4);
  return mac;
}

/** Does the VF have the vNIC's frames, or is it about to? */
function isOnVf(stage: Stage): boolean {
  return stage.phase === 'accelerated' || (stage.phase === 'plugging' && stage.step === 'delivering') || (stage.phase === 'draining' && stage.step === 'staying');
}

/** Does the adapter's own switch take frames to the guest from the uplink to its VF? */
export function isBehindUplink(tenant: Tenant): boolean {
  const vf = claimedVf(tenant.state);
  return vf !== null && isPassedThrough(vf) && isOnVf(tenant.state.stage);
}

/** That a vNIC's address is the PF's own. */
export function ownEntry({ spec, adapter }: Tenant): FdbEntry {
  return { mac: spec.mac, vlan: 0, device: adapter.uplink, self: true };
}

/** That the PF hears what the guest answers on its VF. */
export function questionEntry(id: number, { adapter }: Tenant): FdbEntry {
  return { mac: macText(questionMac(id)), vlan: 0, device: adapter.uplink, self: true };
}

/** All that a vNIC may ever need. */
export function possibleEntries(tenant: Tenant): FdbEntry[] {
  if (!switchesItself(tenant.adapter)) return [];
  return [ownEntry(tenant), ...(tenant.id === null ? [] : [questionEntry(tenant.id, tenant)])];
}

/** Those that it needs where it stands. */
export function neededEntries(tenant: Tenant): FdbEntry[] {
  const { stage } = tenant.state;
  if (!switchesItself(tenant.adapter)) return [];
  const vf = claimedVf(tenant.state);
  const passed = vf !== null && isPassedThrough(vf);
  const own = isBehindUplink(tenant) ? [] : [ownEntry(tenant)];
  return passed && stage.phase === 'plugging' && stage.step === 'waiting' && tenant.id !== null ? [...own, questionEntry(tenant.id, tenant)] : own;
}

/** Up to where the PF hears what it must, and nothing else of what is unipath's. */
export function entryActions(tenant: Tenant, observed: Observed, isOurs: (entry: FdbEntry) => boolean): Action[] {
  const needed = neededEntries(tenant);
  const there = (entry: FdbEntry): boolean => observed.fdb.has(fdbKey(entry));
  const tooMuch = possibleEntries(tenant).filter((entry) => !needed.some((each) => fdbKey(each) === fdbKey(entry)));
  return [
    ...needed.filter((entry) => !there(entry)).map((entry): Action => ({ kind: 'add-fdb', entry })),
    ...tooMuch.filter((entry) => there(entry) && isOurs(entry)).map((entry): Action => ({ kind: 'delete-fdb', entry })),
  ];
}

const specOf = ({ kind, port, device }: ClaimedVf): VfSpec => ({ kind, port, device });

/** The guest is heard on its VF: that one hears from here on, and then the host no longer. `deliver` comes between. */
export function admitActions(tenant: Tenant, vf: ClaimedVf, deliver: Action): Action[] {
  const { adapter, spec, id } = tenant;
  const question: Action[] = id === null ? [] : [{ kind: 'delete-fdb', entry: questionEntry(id, tenant) }];
  return [
    { kind: 'admit-vf', pf: adapter.uplink, vf: specOf(vf), vlan: vfVlan(spec) },
    deliver,
    { kind: 'delete-fdb', entry: ownEntry(tenant) },
    ...question,
  ];
}

/** The host hears from here on, and then the VF no longer. `between`: what is done then, so that what the host hears is kept back. */
export function parkActions(tenant: Tenant, vf: ClaimedVf, between: readonly Action[]): Action[] {
  return [{ kind: 'add-fdb', entry: ownEntry(tenant) }, ...between, { kind: 'park-vf', pf: tenant.adapter.uplink, vf: specOf(vf), vlan: vfVlan(tenant.spec) }];
}

/** The VF gets the vNIC's address and limits, parked. */
export function lendAction({ adapter, spec }: Tenant, vf: VfSpec): Action {
  return { kind: 'lend-vf', pf: adapter.uplink, vf, mac: spec.mac, settings: { ...(spec.maxRate === null ? {} : { maxRate: spec.maxRate }), ...spec.vf } };
}

/** A machine whose guest has gone elsewhere holds it until it ends, and with the guest's address it would swallow what neighbours send there. */
export const takeAddressAction = (pf: string, vf: VfSpec): Action => ({ kind: 'take-vf-address', pf, vf });

/** Is it held by a machine whose guest is there no more, and has an address? */
export function isLeftBehind({ filter, place }: ObservedVf, observed: Observed): boolean {
  return filter?.lent === true && filter.mac !== null && place.kind === 'guest' && !observed.guests.has(guestName(place.guest));
}

/** It is as it was before, if nobody uses it any more. */
export const returnAction = (pf: string, vf: VfSpec): Action => ({ kind: 'return-vf', pf, vf });

/** A VF that is in another VLAN than it must be: somebody, or a reset, has changed it, or who did not live to end it. */
export function driftActions(tenant: Tenant, { spec: vf, filter }: ObservedVf): Action[] {
  const { phase } = tenant.state.stage;
  const [pf, vlan] = [tenant.adapter.uplink, vfVlan(tenant.spec)];
  if (filter === undefined || filter === null) return [];
  if (phase === 'accelerated') return filter.vlan === vlan ? [] : [{ kind: 'admit-vf', pf, vf, vlan }];
  return phase === 'plugging' && filter.vlan !== PARKING_VLAN ? [{ kind: 'park-vf', pf, vf, vlan }] : [];
}
