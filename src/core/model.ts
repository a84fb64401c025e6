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

/** `auto`: where it is faster than the bridge. */
export type CutThroughSetting = 'auto' | 'on' | 'off';

/** Six bytes in wire order. @param mac as `macText` writes it */
export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** The MAC address that `bytes` begin with. */
export function macText(bytes: Uint8Array): MacAddress {
  return Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(':') as MacAddress;
}

/** The two ways between a vNIC and the wire. */
export type VnicPath = 'software' | 'accelerated';
export type PortRole = 'tap' | 'vf';

/**
 * A VF as the configuration names it: the netdev by which the host reaches it, and what a guest is given.
 * `netdev`: a network device of the host, moved into a guest that is a network namespace.
 * `emulated`: a NIC that QEMU makes, of the model `device`, on the tap `port`: stands for a VF where there is no adapter with any.
 * `passthrough`: a VF of the uplink, given to a virtual machine by VFIO. `port` and `device` are its PCI address; the host reaches it by the
 * uplink, behind which the adapter's own switch gives it its frames (core/adapter_vf.ts).
 */
export interface VfSpec {
  readonly kind: 'netdev' | 'emulated' | 'passthrough';
  readonly port: string;
  readonly device: string;
  /** What the configuration says of it, before what is seen. */
  readonly origin?: Partial<VfOrigin>;
}

/** How the PF's driver treats a VF that is given to a vNIC. What is not said is left as it is. */
export interface VfSettings {
  /** Drop frames from other addresses than the vNIC's. */
  readonly spoofCheck?: boolean;
  /** It may choose its address and listen to everything. */
  readonly trust?: boolean;
  /** Mbit/s; 0: none. */
  readonly minRate?: number;
  /** Mbit/s; 0: no limit. */
  readonly maxRate?: number;
}

/** Where a VF belongs; null: that cannot be told, as of what stands in for a VF. */
export interface VfOrigin {
  /** PCI address of its PF. */
  readonly pf: string | null;
  readonly numaNode: number | null;
  /** MSI-X vectors that it has. */
  readonly vectors: number | null;
}

export const NO_ORIGIN: VfOrigin = { pf: null, numaNode: null, vectors: null };

/** What is never exceeded by the VFs that are handed out; left out: no matter how many. */
export interface Ceilings {
  readonly vfs?: number | undefined;
  readonly queues?: number | undefined;
  /** MSI-X vectors. */
  readonly vectors?: number | undefined;
}

/** Ceilings that several share: the vNICs of a tenant, or the adapters that are ports of one card. */
export interface QuotaSpec {
  readonly name: string;
  readonly ceilings: Ceilings;
}

/**
 * Which of the free VFs is handed out. `pack`: of the PF that has most handed out already; `spread`: of the one that has fewest; `near`: of the
 * vNIC's NUMA node, else as `pack`. Among equal ones the configuration's order decides.
 */
export type Placement = 'pack' | 'spread' | 'near';

/** How an adapter's VFs are handed out. */
export interface PoolRules {
  readonly placement: Placement;
  /** Of the VFs of each PF. */
  readonly perPf: Ceilings;
  /** Name of the quota that they count against besides. */
  readonly quota: string | null;
  /** A vNIC that has been idle for so long gives its VF up for one of higher priority. */
  readonly idleMs: number;
}

export const DEFAULT_RULES: PoolRules = { placement: 'pack', perPf: {}, quota: null, idleMs: 60_000 };

export interface AdapterSpec {
  readonly name: string;
  /** Netdev of the PF (or whatever stands for the wire). */
  readonly uplink: string;
  readonly bridge: string;
  readonly vfs: readonly VfSpec[];
  /** Ceilings: never more VFs handed out, never more queues in them, than this. */
  readonly limits: Ceilings & { readonly vfs: number; readonly queues: number };
  readonly rules: PoolRules;
}

/** On what terms a vNIC gets a VF. */
export interface PoolTerms {
  /** Name of the quota that its VF counts against; null: none but the adapter's. */
  readonly quota: string | null;
  /** Who has the higher one is served first. */
  readonly priority: number;
  /** Where its guest runs, for `near`; null: no matter. */
  readonly numaNode: number | null;
}

export const DEFAULT_TERMS: PoolTerms = { quota: null, priority: 0, numaNode: null };

/** How a guest is reached to give it a VF. Of a virtual machine the one NIC is meant that has the vNIC's MAC address. */
export type GuestSpec =
  | { readonly kind: 'netns'; readonly netns: string }
  | { readonly kind: 'vm'; readonly vm: string; readonly mac: MacAddress; readonly mode: GuestModeSetting };

/**
 * `net_failover`: Linux' own driver for VIRTIO_NET_F_STANDBY; it hears on one path only. `plugin`: unipath's; it hears on both.
 * `auto`: what the guest negotiated, and who answers in it.
 */
export type GuestMode = 'net_failover' | 'plugin';
export type GuestModeSetting = GuestMode | 'auto';

/** A guest, as whoever runs it and the guest itself show it. */
export interface GuestState {
  /** null: it can do neither, or it is not known yet; `refusal` then says which. */
  readonly mode: GuestMode | null;
  /** Why it can be given no VF now; null: nothing stands in the way. */
  readonly refusal: NotAcceleratedReason | null;
  /** What exactly, if there is something to say. */
  readonly detail: string | null;
  /** Its CPUs run: only then can it take or give a device. */
  readonly running: boolean;
  /** It is on its way here by live migration, and not here yet. */
  readonly incoming: boolean;
  /** It is on its way to another host: the hypervisor takes its VF and, if it stays, gives it back. */
  readonly leaving: boolean;
  /** It is about to be migrated by us, and gives its VF back first. */
  readonly parked: boolean;
  /** Of the host, on which it runs alone; null: on any, or it is not known. */
  readonly numaNode: number | null;
}

/** Of a guest that hears on both paths and can always be asked. */
export const PLUGIN_GUEST: GuestState = {
  mode: 'plugin', refusal: null, detail: null, running: true, incoming: false, leaving: false, parked: false, numaNode: null,
};

export interface VnicSpec {
  readonly name: string;
  readonly mac: MacAddress;
  /** 802.1Q ids of its frames on the wire, ascending, 1..MAX_VLANS of them; 0 = untagged. */
  readonly vlans: readonly number[];
  /** The guest's own frames are untagged: the one id of `vlans` is put on and taken off on the way. */
  readonly access: boolean;
  /** IP addresses and prefixes that it may speak for, in canonical form; null = not checked. */
  readonly addresses: readonly string[] | null;
  readonly adapter: string;
  /** Netdev of the software path's host end. Of a virtual machine it need not be configured: empty until it is found. */
  readonly tap: string;
  readonly guest: GuestSpec;
  readonly policy: VnicPath;
  /** Mbit/s that its guest may send, whatever its path; null: no limit. */
  readonly maxRate: number | null;
  readonly terms: PoolTerms;
  /** On the software path, redirect straight to the tap past the bridge? */
  readonly cutThrough: CutThroughSetting;
  /** Share of each queue in the indirection table, 0 for those beyond its end; empty = equal shares. */
  readonly weights: readonly number[];
  /** Of a VF that is passed through to it. */
  readonly vf?: VfSettings;
}

/** What the configuration says of RSS for all vNICs. */
export interface RssSpec {
  /** `random`: drawn once and kept; `nic`: that of the first adapter's uplink; else the key in hexadecimal digits. */
  readonly key: string;
  /** Bits of enum hash_type. */
  readonly hashTypes: number;
}

/** A NIC of a virtual machine, as its hypervisor shows it. */
export interface FoundNic {
  readonly vm: string;
  /** Of the NIC in its machine. */
  readonly id: string;
  readonly mac: MacAddress;
  /** Netdev of its host end; null: cannot be told. */
  readonly tap: string | null;
}

/** What is asked for of NICs that are found and that no vNIC of the configuration stands for. */
export interface DiscoverSpec {
  readonly policy: VnicPath;
}

/** Everything asked for. */
export interface Desired {
  /** null: of what is found, only what is configured. */
  readonly discover: DiscoverSpec | null;
  readonly adapters: readonly AdapterSpec[];
  readonly vnics: readonly VnicSpec[];
  readonly quotas: readonly QuotaSpec[];
  readonly rss: RssSpec;
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
  /** What redirected frames it takes; null: the kernel does not say. */
  readonly xdpFeatures: { readonly multiBufferTransmit: boolean } | null;
  /** Does it take frames that a program on another device redirects to it? null: the kernel does not say. */
  readonly takesRedirects: boolean | null;
  /** Does its driver tell programs the RSS hash of a frame? null: the kernel does not say. */
  readonly tellsHash: boolean | null;
  /** Does it take TCP frames that are larger than its MTU and cut them itself (tx-tcp-segmentation)? null: the kernel does not say. */
  readonly takesAggregates: boolean | null;
  /** Of a bridge that looks at VLAN tags: the VLAN in which a new port's untagged frames are, 0 = in none. Null: it does not look. */
  readonly vlanFiltering: { readonly defaultPvid: number } | null;
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
  /** Of a VF that is passed through: the uplink. */
  readonly port: ObservedLink | null;
  readonly place: VfPlace;
  readonly origin: VfOrigin;
  /** Of a VF that is passed through, as the adapter shows it; null: it does not. */
  readonly filter?: VfFilter | null;
}

/** What of the adapter's frames a VF hears. */
export interface VfFilter {
  /** null: the PF does not decide it. */
  readonly mac: string | null;
  /** In which all its frames are; 0: none. */
  readonly vlan: number;
  /** unipath has set it, and noted how it was before. */
  readonly lent: boolean;
}

/** How a program is put on a device: as the configuration has it (`xdp_mode`), or in generic mode whatever that says. */
export type AttachMode = 'as-configured' | 'generic';
/** `steer_uplink_hw` is steer_uplink for one device, and takes its NIC's RSS hash where that is ours. */
export type ProgramName = 'steer_uplink' | 'steer_uplink_hw' | 'steer_guest';

/** What the packet programs are told of a vNIC. ifindex 0: no such port. */
export interface VnicRow {
  readonly mac: MacAddress;
  /** VLAN ids of its frames on the wire, 1..MAX_VLANS of them; 0 = untagged. */
  readonly vlans: readonly number[];
  /** The guest's own frames are untagged, and `vlans` is the one VLAN they are in on the wire. */
  readonly access: boolean;
  /** IP addresses or prefixes ("192.0.2.1", "2001:db8::/64") it may speak for; null = not checked. */
  readonly addresses: readonly string[] | null;
  /** Mbit/s that its guest may send; null: no limit. */
  readonly maxRate: number | null;
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
  /** The port takes no redirected frames: they go by the bridge and, to the VF, by tc. */
  readonly vfNoTransmit: boolean;
  readonly uplinkNoTransmit: boolean;
  readonly cutThrough: boolean;
  readonly plugin: boolean;
  /** What the operator last asked for by command; null = the configuration's policy holds. */
  readonly operatorWant: VnicPath | null;
}

/** Frames for the guest are kept back; `releasing`: what waits is being delivered, and nothing overtakes it. */
export type HoldState = 'none' | 'holding' | 'releasing';

export interface PathState {
  readonly path: VnicPath;
  readonly hold: HoldState;
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
  /** The uplink's NIC has that key, too: where it tells its hash of a frame, that is taken. */
  readonly nicHash: boolean;
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
  /** Not of a bridge, but the device's own: it hears this address besides its first. */
  readonly self?: true;
}

/** How a bridge port is in a VLAN: its untagged frames belong there; those that leave by it lose their tag. */
export interface BridgeVlanFlags {
  readonly pvid: boolean;
  readonly untagged: boolean;
}

export interface BridgeVlan extends BridgeVlanFlags {
  readonly vid: number;
}

/** A VLAN of a bridge port that unipath changed, and how it was before; null: the port was not in it. */
export interface BridgeVlanNote {
  readonly ifindex: number;
  readonly vid: number;
  readonly before: BridgeVlanFlags | null;
}

/** What the operator set by command of how flows are spread; null: nothing, the configuration's holds. */
export interface RssWish {
  readonly hashTypes: number | null;
  /** Empty: equal shares. */
  readonly weights: readonly number[] | null;
}

/** The same for one vNIC, which may have a key of its own. */
export interface VnicRssWish extends RssWish {
  /** Row of that key; null: the host's holds. */
  readonly keyRow: number | null;
}

/** The same for all vNICs of the host, and whose RSS key is in force. */
export interface HostRssWish extends RssWish {
  /** Row of the key in force. */
  readonly keyRow: number;
  readonly keyByOperator: boolean;
  /** It was drawn at random. */
  readonly keyIsRandom: boolean;
}

export const NO_RSS_WISH: VnicRssWish = { hashTypes: null, weights: null, keyRow: null };

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
  /** Frames wait, or may: also of a hold that ended by itself. */
  readonly held: boolean;
  readonly tapSteering: SteeringRow | null;
  readonly vfSteering: SteeringRow | null;
  readonly rssWish: VnicRssWish;
}

/** Everything seen. */
export interface Observed {
  readonly links: ReadonlyMap<string, ObservedLink>;
  readonly vfs: readonly ObservedVf[];
  readonly stored: readonly StoredVnic[];
  /** The guests that exist, by `guestName`. */
  readonly guests: ReadonlyMap<string, GuestState>;
  /** Usable CPU numbers, ascending. */
  readonly cpus: readonly number[];
  /** Our programs, by the ifindex they are attached to. */
  readonly programs: ReadonlyMap<number, ProgramName>;
  /** Rows of `ports` and of `tx_ports`, by ifindex. */
  readonly ports: ReadonlyMap<number, PortOwner>;
  readonly txPorts: ReadonlySet<number>;
  /** ifindexes of taps that have our program where the bridge hands frames to them. */
  readonly tapPrograms: ReadonlySet<number>;
  /** Static entries that are there, of those that were asked about, as `fdbKey` writes them. */
  readonly fdb: ReadonlySet<string>;
  /** Flags of VF ports that are in a bridge, by device. */
  readonly bridgePortFlags: ReadonlyMap<string, BridgePortFlags>;
  /** VLANs of the ports of bridges that look at tags, by device; only while somebody needs them. */
  readonly bridgeVlans: ReadonlyMap<string, readonly BridgeVlan[]>;
  readonly bridgeVlanNotes: readonly BridgeVlanNote[];
  readonly rss: ObservedRss;
  /** Since when nothing much came from or for a vNIC, in milliseconds, by id; of one that is not there nobody knows. */
  readonly idleMs: ReadonlyMap<number, number>;
}

export interface ObservedRss {
  readonly wish: HostRssWish;
  /** The key of each row, in hexadecimal digits. */
  readonly keys: readonly string[];
  /** The key of the first adapter's uplink, if it is wanted; else null. */
  readonly nicKey: NicKey | null;
}

/** The key of a NIC in hexadecimal digits, or one sentence why it cannot be had. */
export type NicKey = { readonly key: string } | { readonly problem: string };

export function fdbKey(entry: FdbEntry): string {
  return `${entry.mac} ${entry.vlan} ${entry.device}${entry.self === true ? ' self' : ''}`;
}

/** What tells guests apart. */
export function guestName(guest: GuestSpec): string {
  return guest.kind === 'netns' ? guest.netns : `${guest.vm}/${guest.mac}`;
}

/** Can this guest be given this VF at all? */
export function fitsGuest(vf: VfSpec, guest: GuestSpec): boolean {
  return (vf.kind === 'netdev') === (guest.kind === 'netns');
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
  'bridge_without_vlan_filtering',
  'guest_paused',
  'guest_incoming',
  'guest_leaving',
  'guest_without_failover',
  'guest_not_ready',
  'guest_refuses',
  'no_hotplug_port',
  'hypervisor_unreachable',
  'vf_unfit',
  'vector_budget_exhausted',
  'quota_exhausted',
  'vf_reserved',
  'vf_quarantined',
  'preempted',
] as const;
export type NotAcceleratedReason = (typeof NOT_ACCELERATED_REASONS)[number];
