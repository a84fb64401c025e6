/** What the table of flows says about one vNIC: how full, how old, on which queues. It holds tags, not addresses. Pure. */
import { ContractLimit, type Flow, type FlowRecord } from '../../maps/generated/contract.js';
import type { TickClock } from '../dataplane/tick.js';
import { ticksSince16 } from '../core/packet/ticks.js';

const { FLOW_EXPIRY, FLOW_LIFETIME } = ContractLimit;
/** Upper bounds of the ages that are told apart; the last one is where it is not used any more. */
const AGES = [1, 5, 15] as const;

export interface FlowSlots {
  readonly slots: number;
  readonly learnt: number;
  /** Learnt, but too long ago to be used. */
  readonly expired: number;
  readonly steered: number;
  /** Learnt and steered, of the same flow, but not yet on the same queue. */
  readonly moving: number;
  /** Queue -> slots whose flow the guest sends there, the expired ones not counted. */
  readonly learnt_queues: Readonly<Record<string, number>>;
  readonly steered_queues: Readonly<Record<string, number>>;
  /** Learnt slots by age: at most so many seconds, and more than the one before. */
  readonly learnt_ages: readonly { readonly seconds: number; readonly slots: number }[];
  readonly lifetime_seconds: number;
  readonly expiry_seconds: number;
}

export function describeSlots(slots: Iterable<Flow>, { now, secondsPerTick }: TickClock): FlowSlots {
  const bounds = [...AGES, FLOW_EXPIRY * secondsPerTick];
  const ages = bounds.map(() => 0);
  const queues = { learnt: {} as Record<string, number>, steered: {} as Record<string, number> };
  const note = (of: 'learnt' | 'steered', { queue }: FlowRecord): void => {
    queues[of][queue] = (queues[of][queue] ?? 0) + 1;
  };
  let [all, learnt, expired, steered, moving] = [0, 0, 0, 0, 0];
  for (const flow of slots) {
    all++;
    if (flow.steered.valid !== 0) {
      steered++;
      note('steered', flow.steered);
    }
    if (flow.learnt.valid === 0) continue;
    learnt++;
    const age = ticksSince16(flow.learnt.seen, now);
    if (age > FLOW_EXPIRY) {
      expired++;
      continue;
    }
    note('learnt', flow.learnt);
    if (flow.steered.valid !== 0 && flow.steered.tag === flow.learnt.tag && flow.steered.queue !== flow.learnt.queue) moving++;
    const at = bounds.findIndex((seconds) => age * secondsPerTick <= seconds);
    ages[at] = (ages[at] ?? 0) + 1;
  }
  return {
    slots: all,
    learnt,
    expired,
    steered,
    moving,
    learnt_queues: queues.learnt,
    steered_queues: queues.steered,
    learnt_ages: bounds.map((seconds, i) => ({ seconds: Math.round(seconds * 10) / 10, slots: ages[i] ?? 0 })),
    lifetime_seconds: Math.round(FLOW_LIFETIME * secondsPerTick * 100) / 100,
    expiry_seconds: Math.round(FLOW_EXPIRY * secondsPerTick * 10) / 10,
  };
}
