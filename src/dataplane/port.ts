/**
 * What the control plane asks of the data plane: typed rows of the pinned maps, attachments, counters, events.
 * `dataplane.ts` does it on the kernel; tests of the reconciler use a fake that says what it does not prove.
 */
import type { LearntFlows } from '../core/learnt_flows.js';
import type { AttachMode,
  BridgeVlanNote, HostRssWish, PathState, PortOwner, PortRole, ProgramName, SteeringRow, VnicPath, VnicRow, VnicRssWish,
} from '../core/model.js';

export type {
  BridgeVlanNote, HoldState, HostRssWish, PathState, PortOwner, ProgramName, RssWish, SteeringRow, VnicPath, VnicRow, VnicRssWish,
} from '../core/model.js';

export type XdpMode = 'native' | 'generic';

export interface Attachment {
  readonly ifindex: number;
  readonly program: ProgramName;
  readonly mode: XdpMode;
  /** Why it is not native, in words; null when it is. */
  readonly fallbackReason: string | null;
  /** The program that was asked for and cannot run there; null: this one was. */
  readonly insteadOf: ProgramName | null;
}

/** What the kernel has counted. Beyond 2^53 the last digits are lost: after 9 PB, or 140 years at 2 million frames per second. */
export interface Tally {
  readonly packets: number;
  readonly bytes: number;
}

/** Counters of one vNIC, summed over CPUs. Keys of `reasons` are the names of enum reason in lower case, prefix REASON_ removed. */
export interface VnicTally {
  readonly id: number;
  readonly reasons: Readonly<Record<string, Tally>>;
  readonly tapQueues: readonly number[];
  readonly vfQueues: readonly number[];
  readonly fromTap: Tally;
  readonly fromVf: Tally;
  readonly cpuHandovers: number;
  readonly flowsLearnt: number;
  readonly flowsMoved: number;
  readonly flowsReplaced: number;
  readonly flowsExpired: number;
  readonly pathChanges: number;
}

export interface RedirectErrorTally {
  readonly kind: 'redirect' | 'devmap' | 'cpumap' | 'exception';
  /** Target interface; for kind `cpumap` the CPU. */
  readonly ifindex: number;
  /** Positive errno, 0 when the kernel gives none. */
  readonly errno: number;
  readonly packets: bigint;
}

/** Frames that a guest sent on one of its ports and that were dropped there; each is in its VnicTally, too. */
export interface GuestDropTally {
  readonly vnic: number;
  readonly path: VnicPath;
  /** As in VnicTally. */
  readonly reason: string;
  readonly packets: bigint;
}

/** How full a map of bounded size is. */
export interface MapUsage {
  readonly map: string;
  readonly entries: number;
  readonly maxEntries: number;
}

/** How often a program ran and how long that took, counted only while sysctl kernel.bpf_stats_enabled was 1. */
export interface ProgramRuns {
  readonly program: string;
  readonly count: bigint;
  readonly nanoseconds: bigint;
}

export type DataPlaneEvent =
  | { readonly kind: 'path-changed'; readonly timeNs: bigint; readonly vnic: number; readonly path: VnicPath; readonly generation: number; readonly ifindex: number }
  /** The guest hears on this path: it answered a question there, or transmitted on its VF while its frames were kept back. */
  | { readonly kind: 'heard'; readonly timeNs: bigint; readonly vnic: number; readonly path: VnicPath; readonly ifindex: number }
  | { readonly kind: 'control'; readonly timeNs: bigint; readonly vnic: number; readonly command: 'drained' | 'resumed'; readonly sequence: number; readonly ifindex: number };

/** What became of the frames that were kept back. */
export interface HoldReport {
  /** Given to the port, in order. */
  readonly delivered: number;
  /** Of no use any more: too old, or the adapter's own switch has given it to the VF as to all whom it is for. */
  readonly stale: number;
  /** The port did not take them. */
  readonly lost: number;
  /** How long the first of them waited. */
  readonly longestMs: number;
}

/** Addresses that a guest was last seen to use, network order; null: none. */
export interface SeenAddresses {
  readonly ipv4: Buffer | null;
  readonly ipv6: Buffer | null;
}

export interface DataPlane {
  /** True when the pinned programs of an earlier daemon were taken over as they were. */
  readonly adopted: boolean;

  /** Attaches once; a second call for the same port and program is a no-op that returns the attachment. Never displaces a foreign program. */
  attach(program: ProgramName, ifindex: number, name: string, mode?: AttachMode): Promise<Attachment>;
  /** Idempotent. */
  detach(ifindex: number): void;
  attachments(): readonly Attachment[];

  /** The rows in use: id -> row. */
  vnics(): ReadonlyMap<number, VnicRow>;
  /** Writes the row and its index entry. @throws when the index has no room for this MAC address and VLAN. */
  writeVnic(id: number, row: VnicRow): void;
  /** Withdraws the index entries, then zeroes row, path, steerings, RSS wish and learnt flows. */
  deleteVnic(id: number): void;

  path(id: number): PathState;
  /** One compare-and-swap; the generation rises when the path changes. Returns the state after it. */
  changePath(id: number, change: { readonly path?: VnicPath; readonly vfAllowed?: boolean }): PathState;

  /** Makes the room that `hold` needs, so that it is quick. */
  prepareHold(id: number, bytes: number): void;
  /**
   * Frames for the vNIC are kept back, `bytes` of them at most (a power of two), until `release`, or by themselves after `durationMs`.
   * Of one that is held already, the end is put off.
   */
  hold(id: number, durationMs: number, bytes: number): void;
  /** Puts the vNIC on this path, delivers what was kept back to a port in order, and ends the hold; without one, only the path changes. */
  release(id: number, change: { readonly path: VnicPath; readonly vfAllowed: boolean }, ifindex: number): Promise<HoldReport>;
  /** Is anything kept back, or left of a hold that ended by itself? */
  isHeld(id: number): boolean;
  seenAddresses(id: number): SeenAddresses;

  /** The program where the bridge hands frames to a tap (tc egress): of guests that hear on one path only. Idempotent. */
  attachTap(ifindex: number, name: string): void;
  /** Idempotent. */
  detachTap(ifindex: number): void;
  tapAttachments(): ReadonlySet<number>;

  writePort(ifindex: number, owner: PortOwner | null): void;
  ports(): ReadonlyMap<number, PortOwner>;
  /** Allows or forbids redirects to a netdev. Idempotent. */
  writeTxPort(ifindex: number, allowed: boolean): void;
  txPorts(): ReadonlySet<number>;
  writeSteering(vnic: number, role: PortRole, row: SteeringRow | null): void;
  steering(vnic: number, role: PortRole): SteeringRow | null;

  /** The RSS key of each row, in hexadecimal digits. */
  rssKeys(): readonly string[];
  /** Writes a key and its tables. @throws Error when a steering names the row: a frame could be hashed with half of each key */
  writeRssKey(row: number, key: string): void;
  rssWish(vnic: number): VnicRssWish;
  writeRssWish(vnic: number, wish: VnicRssWish): void;
  hostRssWish(): HostRssWish;
  writeHostRssWish(wish: HostRssWish): void;

  /** What the guest has taught of its flows. */
  learntFlows(vnic: number): LearntFlows;
  /** Those of another host, in the place of what was learnt here; returns how many of them are used. @throws RangeError from a smaller table */
  writeLearntFlows(vnic: number, flows: LearntFlows): number;

  /** How VLANs of bridge ports were before they were changed. */
  bridgeVlanNotes(): readonly BridgeVlanNote[];
  writeBridgeVlanNote(note: BridgeVlanNote): void;
  /** Idempotent. */
  deleteBridgeVlanNote(ifindex: number, vid: number): void;

  /** Of these rows; default of all in use. Row 0 is nobody's: frames of no known vNIC. */
  tallies(ids?: readonly number[]): readonly VnicTally[];
  redirectErrors(): readonly RedirectErrorTally[];
  /** Only what has happened. */
  guestDrops(): readonly GuestDropTally[];
  /** How many events there was no room for: nobody listened, or not often enough. */
  eventsLost(): bigint;
  /** Of the maps that can be full. */
  mapUsage(): readonly MapUsage[];
  programRuns(): readonly ProgramRuns[];

  /** Calls back for every event, in order, from a timer; returns the function that stops it. */
  onEvent(listener: (event: DataPlaneEvent) => void): () => void;

  /** Lets go of the file descriptors; everything pinned goes on working. */
  close(): void;
  /** Detaches every program and removes every pin: the host is as before. */
  remove(): void;
}
