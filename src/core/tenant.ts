/**
 * A tenant is a vNIC as the control plane carries it from look to look: what it was asked to be, its id in the maps, its
 * state. It outlives its configuration until everything of it has been taken back.
 */
import { mayPassThrough } from './adapter_vf.js';
import { adoptStage, claimOf, vfOfRow } from './adopt.js';
import type { Timing } from './backoff.js';
import type { AdapterSpec, Desired, GuestMode, Observed, StoredVnic, VnicPath, VnicRssWish, VnicSpec } from './model.js';
import { DEFAULT_RULES, DEFAULT_TERMS, guestName, NO_RSS_WISH } from './model.js';
import { keptPort, type Reservation } from './reservation.js';
import type { Client } from './vf_pool.js';
import { claimedVf, INITIAL_STATE, type ClaimedVf, type VnicState } from './vnic_state.js';

export interface Tenant {
  /** Name and everything that cannot change without starting anew. */
  readonly key: string;
  readonly spec: VnicSpec;
  readonly adapter: AdapterSpec;
  /** Not asked for any more: drained, taken down, forgotten. */
  readonly removed: boolean;
  /** In the maps; null until it has been given one. Kept while the tenant lives. */
  readonly id: number | null;
  readonly operatorWant: VnicPath | null;
  readonly rssWish: VnicRssWish;
  /** Its static FDB entries that were there before unipath came, and are left alone; null: not looked for yet. */
  readonly fdbFound: readonly string[] | null;
  /** How the guest uses a VF, as it was last known. */
  readonly mode: GuestMode;
  /** Where its guest was last seen to run; null: on any node, or it is not known. */
  readonly guestNode: number | null;
  /** A VF is kept for it. */
  readonly reservation: Reservation | null;
  /** Name of the vNIC for which it gave its VF up; null: it did not, or has one again. */
  readonly preemptedBy: string | null;
  readonly state: VnicState;
}

export function tenantKey(spec: VnicSpec): string {
  const vlans = `${spec.vlans.join(',')}${spec.access ? ' access' : ''}`;
  return [spec.name, spec.mac, vlans, spec.adapter, spec.tap, guestName(spec.guest)].join(' ');
}

/** What it shall be on, as long as it is asked for at all. */
export function wantedPath(tenant: Tenant): VnicPath {
  return tenant.operatorWant ?? tenant.spec.policy;
}

/** Ports of all VFs that somebody has claimed. */
export function claimedPorts(tenants: Iterable<Tenant>): Set<string> {
  const ports = new Set<string>();
  for (const tenant of tenants) {
    const vf = claimedVf(tenant.state);
    if (vf !== null) ports.add(vf.port);
  }
  return ports;
}

/** As the pool sees it. */
export function clientOf({ key, id, spec, adapter, mode, guestNode, reservation, state }: Tenant, nowMs: number): Client {
  const { name, guest } = spec;
  const terms = { ...spec.terms, numaNode: spec.terms.numaNode ?? guestNode };
  const vf = { mayPassThrough: mayPassThrough(spec, mode), port: claimedVf(state)?.port ?? null, kept: keptPort(reservation, nowMs) };
  return { key, name, id, adapter: adapter.name, guest, terms, ...vf };
}

/** Would the packet programs take one for the other in some VLAN? */
export function sameStation(a: Pick<VnicSpec, 'mac' | 'vlans'>, b: Pick<VnicSpec, 'mac' | 'vlans'>): boolean {
  return a.mac === b.mac && a.vlans.some((vlan) => b.vlans.includes(vlan));
}

/** vNICs of which another has the same MAC address and VLAN: the packet programs could not tell them apart. */
export function duplicateNames(desired: Desired): Set<string> {
  const byAddress = new Map<string, string[]>();
  for (const { mac, vlans, name } of desired.vnics) {
    for (const vlan of vlans) byAddress.set(`${mac} ${vlan}`, [...(byAddress.get(`${mac} ${vlan}`) ?? []), name]);
  }
  return new Set([...byAddress.values()].filter((names) => names.length > 1).flat());
}

const NEW: Omit<Tenant, 'key' | 'spec' | 'adapter' | 'removed'> = {
  id: null,
  operatorWant: null,
  rssWish: NO_RSS_WISH,
  fdbFound: null,
  mode: 'plugin',
  guestNode: null,
  reservation: null,
  preemptedBy: null,
  state: INITIAL_STATE,
};
const MISSING_ADAPTER: Omit<AdapterSpec, 'name'> = { uplink: '', bridge: '', vfs: [], limits: { vfs: 0, queues: 0 }, rules: DEFAULT_RULES };

/**
 * The tenants after a look: one for every row in the maps that is nobody's and those to be taken down, because what they
 * give back others may get; then those asked for, in the configuration's order. A new one adopts the row with its MAC
 * address and one of its VLANs, and its state from what is seen; that the others differ is mended like anything else.
 */
export function matchTenants(desired: Desired, tenants: readonly Tenant[], observed: Observed, nowMs: number, timing: Timing): Tenant[] {
  const adapters = new Map(desired.adapters.map((adapter) => [adapter.name, adapter]));
  const known = new Map(tenants.map((tenant) => [tenant.key, tenant]));
  const ids = new Set(tenants.map((tenant) => tenant.id));
  const unowned = observed.stored.filter((row) => !ids.has(row.id));
  const asked = desired.vnics.map((spec): Tenant => {
    const key = tenantKey(spec);
    const tenant = known.get(key);
    known.delete(key);
    const adapter = adapters.get(spec.adapter) ?? tenant?.adapter ?? { ...MISSING_ADAPTER, name: spec.adapter };
    if (tenant !== undefined) return { ...tenant, spec, adapter, removed: false };
    const fresh: Tenant = { key, spec, adapter, removed: false, ...NEW };
    const index = unowned.findIndex((row) => sameStation(row, spec));
    const [row] = index < 0 ? [] : unowned.splice(index, 1);
    return row === undefined ? fresh : adopt(fresh, row, observed, nowMs, timing);
  });
  const removed = [...known.values()].map((tenant): Tenant => ({ ...tenant, removed: true }));
  const left = unowned.map((row) => inherit(row, desired, observed, nowMs, timing));
  return [...left, ...removed, ...asked];
}

function adopt(tenant: Tenant, row: StoredVnic, observed: Observed, nowMs: number, timing: Timing): Tenant {
  const stage = adoptStage(row, tenant.spec, observed, nowMs, timing);
  const { id, operatorWant, rssWish } = row;
  const mode = row.plugin ? 'plugin' : 'net_failover';
  return { ...tenant, id, operatorWant, rssWish, fdbFound: [], mode, state: { ...INITIAL_STATE, oneEared: !row.plugin, stage } };
}

/** A row whose vNIC is not asked for: what can be known of it is on the row, on the links, and in the guest that holds its VF. */
function inherit(row: StoredVnic, desired: Desired, observed: Observed, nowMs: number, timing: Timing): Tenant {
  const nameOf = (ifindex: number): string => [...observed.links.values()].find((link) => link.ifindex === ifindex)?.name ?? '';
  const uplink = nameOf(row.uplinkIfindex);
  const adapter = desired.adapters.find((candidate) => candidate.uplink === uplink) ?? { ...MISSING_ADAPTER, name: '', uplink };
  const held = vfOfRow(row, observed);
  const spec: VnicSpec = {
    name: `leftover-${row.id}`,
    mac: row.mac,
    vlans: row.vlans,
    access: row.access,
    addresses: row.addresses,
    maxRate: row.maxRate,
    adapter: adapter.name,
    tap: nameOf(row.tapIfindex),
    guest: held?.place.kind === 'guest' ? held.place.guest : { kind: 'netns', netns: '' },
    policy: 'software',
    terms: DEFAULT_TERMS,
    cutThrough: row.cutThrough ? 'on' : 'off',
    weights: [],
  };
  const fresh: Tenant = { key: tenantKey(spec), spec, adapter, removed: true, ...NEW };
  return adopt(fresh, row, observed, nowMs, timing);
}

/** A VF that the guest holds, or a port that the maps give to this vNIC, although it has claimed none. */
export function strayVf(tenant: Tenant, tenants: readonly Tenant[], observed: Observed): ClaimedVf | null {
  const claims = claimedPorts(tenants);
  for (const vf of observed.vfs) {
    if (claims.has(vf.spec.port)) continue;
    const owner = vf.port === null ? undefined : observed.ports.get(vf.port.ifindex);
    if (owner?.role === 'vf' && owner.vnic === tenant.id) return claimOf(vf, observed);
    if (vf.place.kind !== 'guest' || owner !== undefined || !observed.guests.has(guestName(vf.place.guest))) continue;
    const guest = guestName(vf.place.guest);
    const holder = tenants.find((other) => guestName(other.spec.guest) === guest && claimedVf(other.state) === null);
    if (holder?.key === tenant.key) return claimOf(vf, observed);
  }
  return null;
}
