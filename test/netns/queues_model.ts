/** What queues_scenarios.ts prints and queues.test.ts reads. */
import type { Arrival } from './live_frames.js';

/** Frames of many flows, sent at once. Index = queue. */
export interface QueueRun {
  readonly role: 'vf' | 'tap';
  readonly queues: number;
  /** Name of the indirection table. */
  readonly reta: string;
  readonly by: 'rss' | 'rfs';
  /** On which the frames were sent. */
  readonly cpu: number;
  readonly frames: number;
  readonly byQueue: readonly number[];
  readonly expected: readonly number[];
}

/** A flow of which not every frame, or not only those, arrived where it should. */
export interface WrongFrame {
  readonly run: object;
  readonly frame: string;
  readonly expected: number;
  readonly arrived: readonly number[];
}

export interface Exactness {
  readonly runs: readonly QueueRun[];
  readonly wrong: readonly WrongFrame[];
  readonly wrongCount: number;
  /** Of the planned steering for 1, 2, ... queues. */
  readonly unreachable: readonly (readonly number[])[];
  /** What the programs counted, by vNIC. */
  readonly counted: readonly { readonly queues: number; readonly counted: readonly number[] }[];
  readonly errors: readonly unknown[];
  readonly seconds: number;
}

/** One change of a flow's queue. Numbers of frames: `from` .. `pause` were sent without a pause, the rest up to `end` after one. */
export interface OrderPhase {
  readonly by: 'reta' | 'rfs';
  /** The new queue. */
  readonly to: number;
  readonly from: number;
  readonly pause: number;
  readonly end: number;
  /** Frames that were sent to the old queue because it may not have been empty. */
  readonly drained: number;
}

/** Frames by queue. */
export interface PhaseSeen extends OrderPhase {
  readonly beforePause: readonly number[];
  readonly afterPause: readonly number[];
}

export interface OrderSeen {
  readonly arrived: number;
  /** Frames that arrived after one with a higher number. */
  readonly overtaken: number;
  /** Where the flow took another queue: number of the first frame there, and the time since the one before it was sent. */
  readonly moves: readonly { readonly number: number; readonly gapMs: number }[];
  readonly phases: readonly PhaseSeen[];
}

export interface Ordered extends OrderSeen {
  readonly sent: number;
  readonly errors: readonly unknown[];
}

function byQueue(arrivals: readonly Arrival[], from: number, to: number): number[] {
  const counts = [0, 0];
  for (const { number, queue } of arrivals) if (number >= from && number < to) counts[queue] = (counts[queue] ?? 0) + 1;
  return counts;
}

/** @param arrivals in the order of arrival */
export function judgeOrder(arrivals: readonly Arrival[], phases: readonly OrderPhase[]): OrderSeen {
  let [overtaken, highest] = [0, -1];
  for (const { number } of arrivals) {
    if (number < highest) overtaken++;
    else highest = number;
  }
  const sent = [...arrivals].sort((a, b) => a.number - b.number);
  const moves = sent.flatMap((arrival, i) => {
    const before = sent[i - 1];
    if (before === undefined || before.queue === arrival.queue) return [];
    return [{ number: arrival.number, gapMs: Number(arrival.sentNs - before.sentNs) / 1e6 }];
  });
  const seen = phases.map((phase) => ({
    ...phase, beforePause: byQueue(sent, phase.from, phase.pause), afterPause: byQueue(sent, phase.pause, phase.end),
  }));
  return { arrived: arrivals.length, overtaken, moves, phases: seen };
}
