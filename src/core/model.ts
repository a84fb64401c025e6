/**
 * The nouns of the control plane. Three types for three things that must not be mixed up:
 * a *Spec* is what the configuration asks for, a *Stored* is what is in the pinned maps, an *Observed* is what the
 * kernel and the guests show. Pure: nothing here does anything.
 */

/** Six octets in lower case, separated by colons. */
export type MacAddress = string & { readonly mac: unique symbol };

const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** @throws RangeError unless `text` is a unicast MAC address that is not all zero. */
export function parseMacAddress(text: string): MacAddress {
  const mac = text.toLowerCase();
  if (!MAC_PATTERN.test(mac)) throw new RangeError(`"${text}" is not a MAC address such as 52:54:00:12:34:56`);
  if (Number.parseInt(mac.slice(0, 2), 16) & 1) throw new RangeError(`${mac} is a multicast MAC address; a vNIC needs a unicast one`);
  if (mac === '00:00:00:00:00:00') throw new RangeError('a vNIC cannot have the all-zero MAC address');
  return mac as MacAddress;
}

/** The two ways between a vNIC and the wire. */
export type VnicPath = 'software' | 'accelerated';
export type PortRole = 'tap' | 'vf';

/** A VF as the configuration names it: the netdev by which the host reaches it, and the device that a guest is given. */
export interface VfSpec {
  readonly port: string;
  readonly device: string;
}

export interface AdapterSpec {
  readonly name: string;
  /** Netdev of the PF (or whatever stands for the wire). */
  readonly uplink: string;
  readonly bridge: string;
  readonly vfs: readonly VfSpec[];
  /** Ceilings: never more VFs handed out, never more queues in them, than this. */
  readonly limits: { readonly vfs: number; readonly queues: number };
}

/** How a guest is reached to give it a VF. */
export interface GuestSpec {
  readonly kind: 'netns';
  readonly netns: string;
}

export interface VnicSpec {
  readonly name: string;
  readonly mac: MacAddress;
  /** 802.1Q id of its frames on the wire; 0 = untagged. */
  readonly vlan: number;
  readonly adapter: string;
  /** Netdev of the software path's host end. */
  readonly tap: string;
  readonly guest: GuestSpec;
  readonly policy: VnicPath;
  /** On the software path, redirect straight to the tap past the bridge. */
  readonly cutThrough: boolean;
}

/** Everything asked for. */
export interface Desired {
  readonly adapters: readonly AdapterSpec[];
  readonly vnics: readonly VnicSpec[];
}

/** A netdev of the host's network namespace, as rtnetlink tells it. */
export interface ObservedLink {
  readonly ifindex: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** Administratively up (IFF_UP). */
  readonly up: boolean;
  /** Operational carrier (IFF_LOWER_UP). */
  readonly carrier: boolean;
  /** ifindex of the bridge it is a port of. */
  readonly master: number | null;
  /** "veth", "tun", "bridge", ...; null for a plain device. */
  readonly kind: string | null;
  readonly rxQueues: number;
  readonly txQueues: number;
  readonly xdp: { readonly mode: 'native' | 'generic' | 'offload'; readonly programId: number } | null;
}

/**
 * Where a VF's device is. `gone`: neither on the host nor in a guest that is known. `unknown`: it could not be asked, so
 * nothing may be concluded.
 */
export type VfPlace =
  | { readonly kind: 'host' }
  | { readonly kind: 'guest'; readonly guest: GuestSpec }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknown' };

export interface ObservedVf {
  readonly adapter: string;
  readonly spec: VfSpec;
  readonly port: ObservedLink | null;
  readonly place: VfPlace;
}

export type ProgramName = 'steer_uplink' | 'steer_guest';

/** What the packet programs are told of a vNIC. ifindex 0: no such port. */
export interface VnicRow {
  readonly mac: MacAddress;
  /** VLAN ids of its frames on the wire, 1..MAX_VLANS of them; 0 = untagged. */
  readonly vlans: readonly number[];
  /** The guest's own frames are untagged, and `vlans` is the one VLAN they are in on the wire. */
  readonly access: boolean;
  /** IP addresses or prefixes ("192.0.2.1", "2001:db8::/64") it may speak for; null = not checked. */
  readonly addresses: readonly string[] | null;
  readonly tapIfindex: number;
  readonly vfIfindex: number;
  readonly uplinkIfindex: number;
  /** Bytes from the destination MAC address, the outer VLAN tag not counted: MTU + 14. */
  readonly tapFrameMax: number;
  readonly vfFrameMax: number;
  readonly uplinkFrameMax: number;
  /** The port takes frames that lie in several buffers. */
  readonly tapMultiBuffer: boolean;
  readonly vfMultiBuffer: boolean;
  readonly uplinkMultiBuffer: boolean;
  readonly cutThrough: boolean;
  readonly plugin: boolean;
  /** What the operator last asked for by command; null = the configuration's policy holds. */
  readonly operatorWant: VnicPath | null;
}

export interface PathState {
  readonly path: VnicPath;
  readonly vfAllowed: boolean;
  readonly generation: number;
}

/** Spread of flows over one port's queues. `reta` has RETA_SIZE entries, each < queues. */
export interface SteeringRow {
  readonly queues: number;
  readonly reta: readonly number[];
  /** For every queue a CPU congruent to it modulo `queues`, or null: no CPU reaches it. */
  readonly queueCpus: readonly (number | null)[];
  /** Bits of enum hash_type: which frames are hashed over what. */
  readonly hashTypes: number;
  /** Row of the RSS key and its tables. */
  readonly rssRow: number;
}

/** The owner of a guest-facing port. */
export interface PortOwner {
  readonly vnic: number;
  readonly role: PortRole;
}

/** Static entry of a bridge: this MAC address is behind this port. */
export interface FdbEntry {
  readonly mac: MacAddress;
  readonly vlan: number;
  readonly device: string;
}

/** Bridge port flags that a VF port needs and a tap does not; see `bridge link set` in bridge(8). */
export interface BridgePortFlags {
  readonly learning: boolean;
  readonly flood: boolean;
  readonly multicastFlood: boolean;
  readonly broadcastFlood: boolean;
}

/** All that the pinned maps hold of one vNIC. */
export interface StoredVnic extends VnicRow, PathState {
  readonly id: number;
  readonly tapSteering: SteeringRow | null;
  readonly vfSteering: SteeringRow | null;
}

/** Everything seen. */
export interface Observed {
  readonly links: ReadonlyMap<string, ObservedLink>;
  readonly vfs: readonly ObservedVf[];
  readonly stored: readonly StoredVnic[];
  /** Names of the guests (network namespaces) that exist. */
  readonly guests: ReadonlySet<string>;
  /** Usable CPU numbers, ascending. */
  readonly cpus: readonly number[];
  /** Our programs, by the ifindex they are attached to. */
  readonly programs: ReadonlyMap<number, ProgramName>;
  /** Rows of `ports` and of `tx_ports`, by ifindex. */
  readonly ports: ReadonlyMap<number, PortOwner>;
  readonly txPorts: ReadonlySet<number>;
  /** Static entries that are there, of those that were asked about, as `fdbKey` writes them. */
  readonly fdb: ReadonlySet<string>;
  /** Flags of VF ports that are in a bridge, by device. */
  readonly bridgePortFlags: ReadonlyMap<string, BridgePortFlags>;
}

export function fdbKey(entry: FdbEntry): string {
  return `${entry.mac} ${entry.vlan} ${entry.device}`;
}

/** What tells guests apart. */
export function guestName(guest: GuestSpec): string {
  return guest.netns;
}

/** Where a vNIC is between its two paths. */
export type VnicPhase = 'absent' | 'software' | 'plugging' | 'accelerated' | 'draining';

/**
 * Why a vNIC is not accelerated: exactly one per vNIC, machine-readable, the list only grows.
 * `none` says that it is accelerated.
 */
export const NOT_ACCELERATED_REASONS = [
  'none',
  'policy_software',
  'operator_software',
  'uplink_missing',
  'tap_missing',
  'guest_missing',
  'duplicate_mac',
  'adapter_without_vfs',
  'no_free_vf',
  'vf_budget_exhausted',
  'queue_budget_exhausted',
  'vf_lost',
  'vf_too_few_queues',
  'plugging',
  'draining',
  'guest_silent',
  'retry_backoff',
  'attach_refused',
  'internal_error',
  'bridge_missing',
] as const;
export type NotAcceleratedReason = (typeof NOT_ACCELERATED_REASONS)[number];
