/**
 * The unix-socket API: HTTP with JSON bodies, keys in snake_case, every body with `schema`.
 *
 *   GET  /v1/status                      -> StatusReply
 *   GET  /v1/counters                    -> CountersReply
 *   GET  /v1/events                      -> one MonitorEvent per line until the client goes away
 *   GET  /v1/events/recent               -> EventsReply          (the last ones, oldest first)
 *   POST /v1/vnics/NAME/accelerate       ActRequest -> ActReply
 *   POST /v1/vnics/NAME/software         ActRequest -> ActReply
 *   POST /v1/vnics/NAME/auto             ActRequest -> ActReply   (the configuration's policy holds again)
 *   GET  /v1/vnics/NAME/why              -> WhyReply             (changes nothing)
 *   POST /v1/vnics/NAME/reserve          ReserveRequest -> ReserveReply   (a VF is kept for it)
 *   POST /v1/vfs/PORT/quarantine         QuarantineRequest -> VfReply     (taken back, and not handed out)
 *   POST /v1/vfs/PORT/release            {} -> VfReply                    (may be handed out again)
 *   GET  /v1/rss                         -> RssReply (rss_protocol.ts)
 *   POST /v1/rss                         RssRequest -> RssSetReply   (settings of all vNICs that have none of their own)
 *   POST /v1/vnics/NAME/rss              RssRequest -> RssSetReply
 *   GET  /v1/vnics/NAME/flows            -> FlowsReply (flow_protocol.ts)   (what its guest has taught)
 *   POST /v1/vnics/NAME/flows            FlowsRequest -> FlowsTaken          (in the place of what is there)
 *   GET  /v1/vms                         -> VmsReply (vm_protocol.ts)
 *   POST /v1/vms/NAME/receive            ReceiveRequest -> {}       (on the destination: wait for the guest)
 *   POST /v1/vms/NAME/migrate            MigrateRequest -> MigrateReply   (answers when it is over)
 *   POST /v1/vms/NAME/cancel             {} -> {}
 *   POST /v1/flow/explain                ExplainRequest -> ExplainReply   (changes nothing)
 *   GET  /v1/config                      -> ConfigReply          (what is in force)
 *   POST /v1/config/reload               ReloadRequest -> ReloadReply
 *   POST /v1/down                        {} -> DownReply          (everything undone, then the daemon ends)
 *   GET  /metrics                        -> Prometheus text
 * An error is ErrorReply with a 4xx/5xx status. On a socket for reading, what is GET and /v1/flow/explain is answered, all else refused (403).
 */
import type { CutThroughSetting, NotAcceleratedReason, Placement, VnicPath, VnicPhase } from '../core/model.js';

export const PROTOCOL_SCHEMA = 1;

/** Longest that a request may ask to be waited for, or a VF to be kept. */
export const MAX_WAIT_MS = 3_600_000;

export interface QueueStatus {
  readonly queues: number;
  /** Queues that no CPU reaches: no flow is steered to them. */
  readonly unreachable: readonly number[];
  /** Percent of the indirection table that each queue has; empty: nothing is spread over this port. */
  readonly shares: readonly number[];
}

export interface CutThroughStatus {
  readonly setting: CutThroughSetting;
  readonly in_force: boolean;
  readonly why: string;
}

export interface VnicStatus {
  readonly name: string;
  readonly id: number;
  readonly mac: string;
  /** The first of `vlans`. */
  readonly vlan: number;
  /** On the wire; 0 = untagged. */
  readonly vlans: readonly number[];
  /** The guest's own frames are untagged although its VLAN is not. */
  readonly access: boolean;
  /** That it may speak for; null: not checked. */
  readonly addresses: readonly string[] | null;
  readonly adapter: string;
  readonly tap: string;
  readonly cut_through: CutThroughStatus;
  readonly hash_types: readonly string[];
  readonly want: VnicPath;
  /** Who wants it: the configuration or a command. */
  readonly want_source: 'policy' | 'operator';
  readonly path: VnicPath;
  readonly phase: VnicPhase;
  readonly reason: NotAcceleratedReason;
  /** The reason in words, with what would change it. */
  readonly reason_text: string;
  /** Name of its VF's port; null when it has none. */
  readonly vf: string | null;
  /** How frames get to its VF: `xdp`, redirected by the programs; `tc`, by the bridge and steer_tap, because the VF's port takes none from them. */
  readonly vf_redirect: 'xdp' | 'tc' | null;
  /** Mbit/s that its guest may send, whatever its path; null: no limit. */
  readonly max_rate: number | null;
  /** On what terms it gets one. `numa_node`: as configured, else where its guest was seen to be bound to; null: on any. */
  readonly terms: { readonly quota: string | null; readonly priority: number; readonly numa_node: number | null };
  /** A VF is reserved for it; `vf` null: none is to be had yet. */
  readonly reservation: { readonly vf: string | null; readonly lease_seconds: number; readonly by: 'migration' | 'operator' } | null;
  readonly generation: number;
  readonly tap_queues: QueueStatus;
  readonly vf_queues: QueueStatus | null;
}

export interface VfStatus {
  readonly port: string;
  readonly device: string;
  /** `reserved`: for its owner, for `lease_seconds` more. `quarantined`: free, and not handed out. `lost`: nobody's, but not here. */
  readonly state: 'free' | 'used' | 'reserved' | 'quarantined' | 'lost';
  readonly owner: string | null;
  readonly queues: number;
  /** MSI-X vectors; null: not known, or there are none. */
  readonly vectors: number | null;
  /** PCI address of its PF; null: not known, or it is none of a PF. */
  readonly pf: string | null;
  readonly numa_node: number | null;
  /** Why it is not handed out (again); also of one that is in use until it is taken back. */
  readonly quarantine: { readonly reason: string; readonly by: 'unipath' | 'operator' } | null;
  readonly lease_seconds: number | null;
}

export interface AdapterStatus {
  readonly name: string;
  readonly uplink: string;
  readonly bridge: string;
  readonly attached: boolean;
  readonly xdp_mode: 'native' | 'generic' | null;
  /** Why the mode is not native; null when it is. */
  readonly fallback_reason: string | null;
  /** Which of its free VFs is handed out. */
  readonly placement: Placement;
  readonly vfs: readonly VfStatus[];
  readonly vfs_used: number;
  readonly vfs_limit: number;
  readonly queues_used: number;
  readonly queues_limit: number;
  readonly vectors_used: number;
  /** null: no matter how many. */
  readonly vectors_limit: number | null;
}

/** What vNICs or adapters share; a limit of null: no matter how many. */
export interface QuotaStatus {
  readonly name: string;
  readonly vfs_used: number;
  readonly vfs_limit: number | null;
  readonly queues_used: number;
  readonly queues_limit: number | null;
  readonly vectors_used: number;
  readonly vectors_limit: number | null;
}

export interface StatusReply {
  readonly schema: number;
  readonly version: string;
  readonly pid: number;
  /** Folder of its maps and programs in the BPF file system, without the version. */
  readonly pins: string;
  /** Its configuration, as an absolute path. */
  readonly config_file: string;
  /** True when the programs of an earlier daemon were taken over as they were. */
  readonly adopted: boolean;
  /** Milliseconds since the last completed reconcile; null before the first. */
  readonly last_reconcile_age_ms: number | null;
  readonly reconcile_error: string | null;
  readonly adapters: readonly AdapterStatus[];
  readonly quotas: readonly QuotaStatus[];
  readonly vnics: readonly VnicStatus[];
}

export interface TallyJson {
  readonly packets: number;
  readonly bytes: number;
}

export interface CountersReply {
  readonly schema: number;
  readonly vnics: readonly {
    readonly name: string;
    readonly reasons: Readonly<Record<string, TallyJson>>;
    readonly tap_queues: readonly number[];
    readonly vf_queues: readonly number[];
    readonly from_tap: TallyJson;
    readonly from_vf: TallyJson;
    readonly cpu_handovers: number;
    readonly flows_learnt: number;
    readonly flows_moved: number;
    readonly flows_replaced: number;
    readonly flows_expired: number;
    readonly path_changes: number;
  }[];
  /** Frames of no known vNIC. */
  readonly unknown: Readonly<Record<string, TallyJson>>;
  readonly redirect_errors: readonly { readonly kind: string; readonly ifindex: number; readonly errno: number; readonly packets: number }[];
}

export interface MonitorEvent {
  readonly schema: number;
  /** ISO 8601 wall-clock time; for reading only. */
  readonly time: string;
  /** CLOCK_MONOTONIC, milliseconds. */
  readonly monotonic_ms: number;
  readonly kind: 'path' | 'phase' | 'reason' | 'vf' | 'hold' | 'guest' | 'link' | 'action' | 'config' | 'error';
  readonly vnic: string | null;
  readonly adapter: string | null;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

export interface EventsReply {
  readonly schema: number;
  readonly events: readonly MonitorEvent[];
}

export interface ActRequest {
  /** Answer when the vNIC is on the path asked for, or after this many milliseconds; 0 answers at once. */
  readonly wait_ms: number;
}

export interface ActReply {
  readonly schema: number;
  /** True when the vNIC is on the path asked for. */
  readonly reached: boolean;
  readonly vnic: VnicStatus;
}

/** What a vNIC must meet to be accelerated, in the order in which it is asked. */
export interface ConditionStatus {
  readonly name: string;
  /** null: cannot be told, because it follows from earlier ones. */
  readonly holds: boolean | null;
  readonly fact: string;
  readonly reason: NotAcceleratedReason | null;
  /** The reason in words, with what would change it; null when it does not stand in the way. */
  readonly remedy: string | null;
}

export interface WhyReply {
  readonly schema: number;
  readonly vnic: VnicStatus;
  readonly conditions: readonly ConditionStatus[];
}

export interface ConfigReply {
  readonly schema: number;
  /** As an absolute path. */
  readonly config_file: string;
  /** Keys and values as in the file, with what it leaves out. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface ReserveRequest {
  /** 0: nothing is reserved any more. */
  readonly lease_ms: number;
}

export interface ReserveReply {
  readonly schema: number;
  readonly vnic: VnicStatus;
}

export interface QuarantineRequest {
  readonly reason: string;
}

export interface VfReply {
  readonly schema: number;
  readonly vf: VfStatus;
}

export interface ReloadRequest {
  /** Only say what would be done. */
  readonly dry_run: boolean;
}

export interface ReloadReply {
  readonly schema: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** A frame in words; what is left out follows from the vNIC, or is made up. */
export interface ExplainFlow {
  readonly source: string;
  readonly destination: string;
  /** IP protocol number. */
  readonly protocol: number;
  readonly source_port?: number | undefined;
  readonly destination_port?: number | undefined;
  readonly source_mac?: string | undefined;
  readonly destination_mac?: string | undefined;
  /** Of the outer tag; 0 = none. */
  readonly vlan?: number | undefined;
  /** Bytes of the whole frame. */
  readonly length?: number | undefined;
}

export interface ExplainRequest {
  /** Name or MAC address: whose frame it is. */
  readonly vnic?: string | undefined;
  /** For the vNIC, or from it; without `interface` also where it comes in. */
  readonly from?: 'wire' | 'guest' | undefined;
  /** Where it comes in. */
  readonly interface?: string | undefined;
  readonly rx_queue?: number | undefined;
  /** That runs the program. */
  readonly cpu?: number | undefined;
  readonly flow?: ExplainFlow | undefined;
  /** Whole frames in hexadecimal digits, and where each came in if that is known. */
  readonly frames?: readonly { readonly frame: string; readonly interface: string | null }[] | undefined;
}

/** What the programs would do with a frame now. */
export interface Explanation {
  readonly summary: string;
  readonly length: number;
  readonly interface: string;
  readonly program: 'steer_uplink' | 'steer_guest';
  readonly rx_queue: number;
  readonly cpu: number;
  readonly verdict: 'pass' | 'drop' | 'redirect' | 'aborted';
  readonly reason: string | null;
  readonly reason_text: string | null;
  /** For which it is counted. */
  readonly vnic: string | null;
  readonly path: VnicPath | null;
  readonly target: string | null;
  readonly target_port: 'tap' | 'vf' | 'uplink' | null;
  readonly queue: number | null;
  readonly handed_to_cpu: number | null;
  /** RSS hash, when one was needed and the frame has what is hashed. */
  readonly hash: string | null;
  /** Which fields were hashed. */
  readonly hashed: 'addresses and ports' | 'addresses' | 'nothing' | null;
  readonly rss_row: number | null;
  readonly bucket: number | null;
  readonly bucket_queue: number | null;
  /** Within the vNIC's. */
  readonly flow_slot: number | null;
  readonly learnt: FlowRecordStatus | null;
  readonly steered: FlowRecordStatus | null;
  readonly draining: boolean;
  /** What happens to the outer VLAN tag of a frame that is redirected. */
  readonly tag: 'kept' | 'taken_off' | 'put_in' | 'changed' | null;
  readonly tag_vlan: number | null;
  /** What the frame itself would change. */
  readonly changes: readonly string[];
  readonly steps: readonly { readonly step: string; readonly text: string }[];
}

export interface FlowRecordStatus {
  readonly queue: number;
  readonly age_seconds: number;
  /** False: another flow has the slot. */
  readonly of_this_flow: boolean;
}

export interface ExplainReply {
  readonly schema: number;
  /** Of the frames, in order; then of the flow. */
  readonly explanations: readonly Explanation[];
}

export interface DownReply {
  readonly schema: number;
  readonly undone: readonly string[];
}

export interface ErrorReply {
  readonly schema: number;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
}
