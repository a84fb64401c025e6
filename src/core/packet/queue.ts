/**
 * Which queue of the target port: the one on which the guest itself sends the flow (RFS), else the one of the hash and the
 * indirection table (RSS) - but a flow keeps its queue until the old one is surely empty, so that no frame overtakes another.
 */
import { ContractLimit, Reason, type Steering } from '../../../maps/generated/contract.js';
import type { Work } from './decision.js';
import { clearLearnt, flowSlot, type FlowSlot, quietFor, writeRecord } from './flows.js';
import type { Packet } from './ip.js';
import { rssHash } from './rss.js';

const { FLOW_EXPIRY, FLOW_LIFETIME, MAX_QUEUES, QUEUE_UNREACHABLE, QUIET_TICKS, RETA_SIZE } = ContractLimit;

export interface QueueChoice {
  readonly queue: number;
  readonly reason: Reason;
  /** Null where RFS made it needless. */
  readonly hash: number | null;
  readonly bucket: number | null;
}

/** Does the port have this queue, and does a CPU reach it? */
function isUsable(steering: Steering, queue: number): boolean {
  return queue < steering.queues && queue < MAX_QUEUES && steering.queueCpus[queue] !== QUEUE_UNREACHABLE;
}

interface RssChoice {
  readonly queue: number;
  readonly hash: number;
  readonly bucket: number;
}

function byHash(work: Work, steering: Steering, packet: Packet): RssChoice {
  const key = work.state.rss.get(steering.rssRow)?.key;
  const hash = key === undefined ? 0 : rssHash(work.frame, packet, steering.hashTypes, key);
  const bucket = hash % RETA_SIZE;
  return { queue: steering.reta[bucket] ?? 0, hash, bucket };
}

/** The queue on which the guest sends this flow, if that is known, not too old, and usable here. What is too old is forgotten. */
function learntQueue(work: Work, vnic: number, steering: Steering, slot: FlowSlot): number | null {
  const { learnt } = slot.flow;
  if (learnt.valid === 0 || learnt.tag !== slot.tag) return null;
  if (quietFor(work, learnt) > FLOW_EXPIRY) {
    clearLearnt(work, slot);
    work.effects.push({ kind: 'tally', vnic, tally: 'flowsExpired' });
    return null;
  }
  return isUsable(steering, learnt.queue) ? learnt.queue : null;
}

/** @param steering of a port with more than one queue */
export function chooseQueue(work: Work, vnic: number, steering: Steering, packet: Packet): QueueChoice {
  const slot = flowSlot(work, vnic, packet, false);
  if (slot === null) return { ...byHash(work, steering, packet), reason: Reason.REDIRECT_RSS };

  const rfs = learntQueue(work, vnic, steering, slot);
  const { steered } = slot.flow;
  const quiet = quietFor(work, steered);
  const mine = steered.valid !== 0 && steered.tag === slot.tag;
  const others = steered.valid !== 0 && !mine;

  if (mine && rfs !== null && steered.queue === rfs) {
    if (quiet > 0) writeRecord(work, 'steered', slot, rfs);
    else work.fresh = true;
    return { queue: rfs, reason: Reason.REDIRECT_RFS, hash: null, bucket: null };
  }

  const rss = byHash(work, steering, packet);
  // The record still keeps another flow in order: this one goes without a trace.
  if (others && quiet < QUIET_TICKS) return { ...rss, reason: Reason.REDIRECT_RSS };
  // The slot is learnt for another flow, which needs no such neighbour; traces begin before this one may be learnt.
  const { learnt } = slot.flow;
  const learntForOther = learnt.valid !== 0 && learnt.tag !== slot.tag && quietFor(work, learnt) < FLOW_LIFETIME - QUIET_TICKS;
  if (!mine && learntForOther) return { ...rss, reason: Reason.REDIRECT_RSS };

  const wanted = rfs ?? rss.queue;
  const kept = keptQueue();
  const queue = kept ?? wanted;
  if (!mine || quiet > 0 || queue !== steered.queue) writeRecord(work, 'steered', slot, queue);
  else work.fresh = true;
  const reason = kept !== null ? Reason.REDIRECT_DRAIN : rfs !== null ? Reason.REDIRECT_RFS : Reason.REDIRECT_RSS;
  return { ...rss, queue, reason };

  /** The queue that may not be empty yet, when that is another one than wanted. */
  function keptQueue(): number | null {
    // By the record, or - for a flow that had to go without one - by RSS.
    if (mine && quiet < QUIET_TICKS && isUsable(steering, steered.queue)) return steered.queue === wanted ? null : steered.queue;
    if (others && quiet < 2 * QUIET_TICKS) return rss.queue === wanted ? null : rss.queue;
    return null;
  }
}

/** The CPU that a frame for this queue must be handed to; null when the one that has it will do. */
export interface QueueCpu {
  readonly cpu: number | null;
  /** The queue that it really takes: where no CPU reaches the chosen one, the one that this CPU reaches. */
  readonly queue: number;
}

/** Devices take the transmit queue from the CPU that sends: CPU number modulo queues. */
export function cpuFor(steering: Steering, queue: number, here: number): QueueCpu {
  const server = steering.queueCpus[queue];
  if (here % steering.queues === queue || here === server) return { cpu: null, queue };
  if (server === undefined || server === QUEUE_UNREACHABLE) return { cpu: null, queue: here % steering.queues };
  return { cpu: server, queue };
}
