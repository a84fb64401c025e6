/** What the table of flows says about one vNIC: how full, how old, on which queues. It holds tags, not addresses. Pure. */
import { ContractLimit, type Flow, type FlowRecord } from '../../maps/generated/contract.js';
import { ticksSince16 } from '../core/packet/ticks.js';

const { FLOW_EXPIRY, FLOW_LIFETIME, TICK_SHIFT } = ContractLimit;
const SECONDS_PER_TICK = 2 ** TICK_SHIFT / 1e9;
/** Upper bounds of the ages that are told apart; the last ones are where a slot may be taken over, and where it is not used any more. */
const AGES = [1, 5, 15, FLOW_EXPIRY * SECONDS_PER_TICK] as const;

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

export function describeSlots(slots: Iterable<Flow>, tick: number): FlowSlots {
  const ages = AGES.map(() => 0);
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
    const age = ticksSince16(flow.learnt.seen, tick);
    if (age > FLOW_EXPIRY) {
      expired++;
      continue;
    }
    note('learnt', flow.learnt);
    if (flow.steered.valid !== 0 && flow.steered.tag === flow.learnt.tag && flow.steered.queue !== flow.learnt.queue) moving++;
    const at = AGES.findIndex((seconds) => age * SECONDS_PER_TICK <= seconds);
    ages[at === -1 ? AGES.length - 1 : at]!++;
  }
  return {
    slots: all, learnt, expired, steered, moving, learnt_queues: queues.learnt, steered_queues: queues.steered,
    learnt_ages: AGES.map((seconds, i) => ({ seconds: Math.round(seconds * 10) / 10, slots: ages[i] ?? 0 })),
    lifetime_seconds: Math.round(FLOW_LIFETIME * SECONDS_PER_TICK * 100) / 100,
    expiry_seconds: Math.round(FLOW_EXPIRY * SECONDS_PER_TICK * 10) / 10,
  };
}
