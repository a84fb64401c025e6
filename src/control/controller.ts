/** What the control socket and the metrics need of the daemon's heart; the reconciler implements it. */
import type { Desired, VnicPath } from '../core/model.js';
import type { AdapterStatus, DownReply, MonitorEvent, QueueStatus, QuotaStatus, ReloadReply, VfStatus, VnicStatus, WhyReply } from './protocol.js';
import type { RssRequest, RssSetResult, RssStatus } from './rss_protocol.js';

export interface ReconcileHealth {
  readonly lastReconcileAgeMs: number | null;
  readonly error: string | null;
}

/** One look at the host. */
export interface LookReport {
  readonly failed: boolean;
  readonly durationMs: number;
  /** Time since something asked for a look, when now nothing is left to do; null: nobody asked, or something is. */
  readonly settledMs: number | null;
}

/** What is told of a vNIC without a look into the maps, but for its path. */
export type VnicBrief =
  & Pick<VnicStatus, 'name' | 'mac' | 'vlans' | 'adapter' | 'tap' | 'want' | 'path' | 'phase' | 'reason'>
  & { readonly tap_queues: QueueBrief; readonly vf_queues: QueueBrief | null };
export type QueueBrief = Omit<QueueStatus, 'shares'>;

/** By which devices a vNIC is reached, as they were last seen: ifindexes. */
export interface VnicPorts {
  readonly vnic: string;
  /** Null: there is none now. */
  readonly software: number | null;
  /** `adapter`: its VF is behind the adapter's own switch, and no device of the host stands for it. */
  readonly accelerated: number | null | 'adapter';
}

export interface Controller {
  adapterStatus(): readonly AdapterStatus[];
  quotaStatus(): readonly QuotaStatus[];
  vnicStatus(): readonly VnicStatus[];
  /** Of each vNIC as it is when it is asked for. */
  vnicBriefs(): Iterable<VnicBrief>;
  vnicPorts(): Iterable<VnicPorts>;
  health(): ReconcileHealth;
  /** Id of each vNIC in the maps. */
  vnicIds(): ReadonlyMap<number, string>;
  /** null: the configuration's policy holds again. Resolves when reached or when waitMs is over. @throws UnknownNameError */
  want(vnic: string, path: VnicPath | null, waitMs: number): Promise<{ readonly reached: boolean; readonly vnic: VnicStatus }>;
  /** Why it is on the path it is on. @throws UnknownNameError */
  why(vnic: string): Promise<Omit<WhyReply, 'schema'>>;
  /** Keeps a VF for a vNIC for so long; 0: no longer. @throws UnknownNameError */
  reserve(vnic: string, leaseMs: number): Promise<VnicStatus>;
  /**
   * A VF, by its port, is taken back and not handed out any more, for this reason; null: it may be again.
   * @throws UnknownVfError, NotInQuarantineError
   */
  quarantine(port: string, reason: string | null): Promise<VfStatus>;
  rssStatus(): RssStatus;
  /** `vnic` null: for the host. Resolves when frames are spread accordingly. @throws UnknownNameError, RssRefusedError */
  setRss(vnic: string | null, request: RssRequest): Promise<RssSetResult>;
  /** What another configuration would add, remove and change. */
  difference(desired: Desired): Omit<ReloadReply, 'schema'>;
  /** Replaces what is asked for; resolves when the difference has been acted on. */
  setDesired(desired: Desired): Promise<Omit<ReloadReply, 'schema'>>;
  /** The last ones, oldest first. */
  recentEvents(): readonly MonitorEvent[];
  onEvent(listener: (event: MonitorEvent) => void): () => void;
  /** Calls back after every look at the host. */
  onLook(listener: (look: LookReport) => void): () => void;
  /** Observes and acts until there is nothing to do, then once per event. */
  start(): Promise<void>;
  /** Stops acting; leaves everything as it is. */
  stop(): Promise<void>;
  /** Undoes everything: guests drained, VFs back, programs detached, host as before. */
  down(): Promise<Omit<DownReply, 'schema'>>;
}
