/** What becomes of a frame, as data: verdict, reason, way, and everything that it changes. */
import {
  type Event, type FlowRecord, type PathWord, type PortRole, Reason, type Remote, type SeenAddresses,
} from '../../../maps/generated/contract.js';
import type { Held } from './hold.js';
import type { PacketState } from './state.js';

/** Where a frame comes in. `steer_queue` and `steer_tap` have functions of their own. */
export interface Arrival {
  readonly program: 'steer_uplink' | 'steer_guest';
  readonly ifindex: number;
  readonly rxQueue: number;
  /** That runs the program. */
  readonly cpu: number;
  /** Bytes of the frame that lie in its first buffer; only these can be read. Default: all. */
  readonly firstBuffer?: number;
  /** Bytes that can be put before the frame. Default: ample, as every driver leaves it. */
  readonly headroom?: number;
}

/**
 * XDP_PASS to the bridge, XDP_DROP, XDP_REDIRECT; XDP_ABORTED only where the programs say "cannot happen". Of `steer_tap` TC_ACT_OK to the
 * tap, TC_ACT_SHOT, TC_ACT_REDIRECT.
 */
export type Verdict = 'pass' | 'drop' | 'redirect' | 'aborted';

/** Counters of struct vnic_counters that count one thing. */
export type Tally = 'cpuHandovers' | 'flowsLearnt' | 'flowsMoved' | 'flowsReplaced' | 'flowsExpired' | 'pathChanges';

/** One thing that a frame changes. Rows of maps are given whole, as they are afterwards. */
export type Effect =
  | { readonly kind: 'reason'; readonly vnic: number; readonly reason: Reason; readonly bytes: number }
  | { readonly kind: 'received'; readonly vnic: number; readonly role: PortRole; readonly bytes: number }
  | { readonly kind: 'queue'; readonly vnic: number; readonly role: PortRole; readonly queue: number }
  | { readonly kind: 'tally'; readonly vnic: number; readonly tally: Tally }
  | { readonly kind: 'path'; readonly vnic: number; readonly path: PathWord }
  | { readonly kind: 'learnt' | 'steered'; readonly row: number; readonly record: FlowRecord }
  | { readonly kind: 'remote'; readonly slot: number; readonly remote: Remote }
  | { readonly kind: 'event'; readonly event: Omit<Event, 'timeNs'> }
  | { readonly kind: 'seen'; readonly vnic: number; readonly seen: SeenAddresses }
  /** Waits in the vNIC's ring, of which it takes `record` bytes. */
  | { readonly kind: 'held'; readonly vnic: number; readonly held: Held; readonly bytes: Uint8Array; readonly record: number };

export interface Decision {
  readonly verdict: Verdict;
  /** Null: not counted here - a redirect of the second stage, which the first has counted; left to the tap; or XDP_ABORTED. */
  readonly reason: Reason | null;
  /** Whose counters; 0 = no known vNIC's. */
  readonly vnic: number;
  /** ifindex of a redirect's target, also when the frame goes there by way of another CPU; 0 = no redirect. */
  readonly target: number;
  /** Which port of `vnic` the target is; null for the uplink, and without a redirect. */
  readonly role: PortRole | null;
  /** Of the target port; null when none was chosen. */
  readonly queue: number | null;
  /** That the frame was handed to; null when it stays on this one. */
  readonly cpu: number | null;
  /** RSS hash; null when it was not needed. */
  readonly hash: number | null;
  /** Of the indirection table, when that chose the queue. */
  readonly bucket: number | null;
  readonly effects: readonly Effect[];
  /** As it leaves the program: tag put in or taken off, handover before it. The very same array when nothing was changed. */
  readonly frame: Uint8Array;
}

/** One frame on its way to a decision. */
export interface Work {
  readonly state: PacketState;
  readonly arrival: Arrival;
  readonly frame: Uint8Array;
  /** So far, in order. */
  readonly effects: Effect[];
  /** Another frame of its flow was steered in the same tick: it has told all that is to be known. */
  fresh: boolean;
}

const NO_WAY = { target: 0, role: null, queue: null, cpu: null, hash: null, bucket: null } as const;

function counted(work: Work, verdict: Verdict, vnic: number, reason: Reason): Decision {
  work.effects.push({ kind: 'reason', vnic, reason, bytes: work.frame.length });
  return { verdict, reason, vnic, ...NO_WAY, effects: work.effects, frame: work.frame };
}

/** To the bridge, as it came. */
export function pass(work: Work, vnic: number, reason: Reason): Decision {
  return counted(work, 'pass', vnic, reason);
}

/** @param frame as it leaves; default: as it came */
export function drop(work: Work, vnic: number, reason: Reason, frame = work.frame): Decision {
  return { ...counted(work, 'drop', vnic, reason), frame };
}

/** Its way was gone after its VLAN tag had been changed: the bridge would take it for another VLAN's. @param frame as it leaves */
export function retagged(work: Work, vnic: number, frame: Uint8Array): Decision {
  return drop(work, vnic, Reason.DROP_RETAGGED, frame);
}

export function aborted(work: Work, vnic: number): Decision {
  return { verdict: 'aborted', reason: null, vnic, ...NO_WAY, effects: work.effects, frame: work.frame };
}

/** Way of a redirect. */
export type Way = Pick<Decision, 'target' | 'role' | 'queue' | 'cpu' | 'hash' | 'bucket'>;

/** @param frame as it leaves */
export function redirect(work: Work, vnic: number, reason: Reason, way: Way, frame: Uint8Array): Decision {
  work.effects.push({ kind: 'reason', vnic, reason, bytes: work.frame.length });
  return { verdict: 'redirect', reason, vnic, ...way, effects: work.effects, frame };
}
