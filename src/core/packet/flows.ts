/**
 * The table of flows: every vNIC has a slice of it, every flow one slot there with two records - where the guest sends it
 * (`learnt`), and where its last frame to the guest went (`steered`).
 */
import { ContractLimit, type Flow, type FlowRecord } from '../../../maps/generated/contract.js';
import type { Work } from './decision.js';
import { flowHash } from './flow_hash.js';
import { L4, type Packet } from './ip.js';
import { ticksSince16 } from './ticks.js';

const { QUIET_TICKS, FLOW_LIFETIME } = ContractLimit;

const NO_RECORD: FlowRecord = { tag: 0, seen: 0, queue: 0, valid: 0 };

export interface FlowSlot {
  /** Of map `flows`. */
  readonly row: number;
  /** Tells the flows of one slot apart. */
  readonly tag: number;
  readonly flow: Flow;
}

/** Null: the packet has no ports, or there is no such row. @param reverse sent by the guest */
export function flowSlot(work: Work, vnic: number, packet: Packet, reverse: boolean): FlowSlot | null {
  if (packet.l4 === L4.none) return null;
  const { flowsPerVnic } = work.state.knobs;
  const { low, high } = flowHash(work.frame, packet, work.state.flowSeeds.get(vnic) ?? 0n, reverse);
  const row = vnic * flowsPerVnic + ((low & (flowsPerVnic - 1)) >>> 0);
  const flow = work.state.flows.get(row);
  return flow === undefined ? null : { row, tag: high, flow };
}

/** Ticks since the record's last frame. */
export function quietFor(work: Work, record: FlowRecord): number {
  return ticksSince16(record.seen, work.state.tick);
}

export function writeRecord(work: Work, kind: 'learnt' | 'steered', slot: FlowSlot, queue: number): void {
  const record = { tag: slot.tag, seen: work.state.tick & 0xffff, queue, valid: 1 };
  work.effects.push({ kind, row: slot.row, record });
}

export function clearLearnt(work: Work, slot: FlowSlot): void {
  work.effects.push({ kind: 'learnt', row: slot.row, record: NO_RECORD });
}

/**
 * RFS: remembers the queue on which the guest sends this flow. A known flow moves to another queue only after it has been quiet on
 * the old one, and another flow takes its place only after FLOW_LIFETIME.
 */
export function learnFlow(work: Work, vnic: number, packet: Packet, queue: number): void {
  const slot = flowSlot(work, vnic, packet, true);
  if (slot === null) return;
  const { learnt } = slot.flow;
  const quiet = quietFor(work, learnt);
  if (learnt.valid === 0) {
    work.effects.push({ kind: 'tally', vnic, tally: 'flowsLearnt' });
  } else if (learnt.tag !== slot.tag) {
    if (quiet < FLOW_LIFETIME) return;
    work.effects.push({ kind: 'tally', vnic, tally: 'flowsReplaced' });
  } else if (learnt.queue !== queue) {
    if (quiet < QUIET_TICKS) return;
    work.effects.push({ kind: 'tally', vnic, tally: 'flowsMoved' });
  } else if (quiet === 0) {
    return; // says so already
  }
  writeRecord(work, 'learnt', slot, queue);
}
