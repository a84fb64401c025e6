/** What a run of the scenario found: the data behind the table, the page and the JSON file. Data only. */
import type { NotAcceleratedReason, VnicPath } from '../core/model.js';
import type { GuestKind } from './model.js';
import type { StepKind } from './scenario.js';

export const RESULTS_SCHEMA = 1;

/** Exact counts of numbered frames. */
export interface FrameCounts {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Arrived after a higher number of the same flow. */
  readonly reordered: number;
  readonly corrupt: number;
}

export interface FlowResult {
  readonly name: string;
  readonly frames: FrameCounts;
  /** Longest time without a frame; null when it never was worth noting. */
  readonly longestGapMs: number | null;
}

/** Frames that a guest's port was given by redirect, by queue. */
export interface PortSpread {
  readonly port: 'tap' | 'vf';
  readonly frames: readonly number[];
  /** Queues that no CPU of this machine reaches. */
  readonly unreachable: readonly number[];
}

/** How frames toward one guest were steered after the changes of a step. */
export interface GuestSteering {
  readonly guest: string;
  readonly ports: readonly PortSpread[];
  /** Queue on which the guest itself sends that flow. */
  readonly rfs: number;
  /** Queue by the hash. */
  readonly rss: number;
  /** The port has one queue. */
  readonly single: number;
  /** Frames that went by the bridge. */
  readonly bridge: number;
}

/** From the last frame on the old path to the first on the new, as the guest saw it; negative: the two overlapped. */
export interface SwitchTimes {
  readonly receiveMs: number | null;
  readonly transmitMs: number | null;
}

export interface Where {
  readonly host: string;
  readonly path: VnicPath;
  readonly reason: NotAcceleratedReason;
}

export interface StepResult {
  readonly name: string;
  readonly title: string;
  readonly kind: StepKind;
  /** Since the start of the run. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Where the guest that travels was at the end of the step. */
  readonly where: Where;
  readonly frames: FrameCounts;
  readonly flows: readonly FlowResult[];
  readonly framesPerSecond: number;
  readonly switchTimes: SwitchTimes;
  /** Longest time in which a flow between the world and the guest that travels received nothing. */
  readonly longestGapMs: number | null;
  readonly steering: readonly GuestSteering[];
  readonly tcpBytes: number;
  readonly tcpLongestGapMs: number | null;
  /** Frames that a host's kernel did not deliver after a program had decided where to. */
  readonly redirectErrors: number;
  /** Frames that may be lost in this step; 0 for everything planned. */
  readonly lossAllowed: number;
  /** Which those are: "in flight"; empty when none may be. */
  readonly lossReason: string;
  /** Empty when everything was as it must be. */
  readonly failures: readonly string[];
}

export interface Series {
  /** Series of one panel share an axis. */
  readonly panel: string;
  readonly name: string;
  readonly unit: string;
  readonly startMs: number;
  readonly binMs: number;
  readonly values: readonly number[];
}

export interface Band {
  readonly lane: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly label: string;
  readonly tone: 'software' | 'accelerated' | 'place';
}

export interface RunEvent {
  readonly atMs: number;
  readonly title: string;
  readonly detail: string;
  readonly tone: 'change' | 'fault';
}

export interface RunResults {
  readonly schema: number;
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly quick: boolean;
  readonly guests: GuestKind;
  readonly machine: { readonly kernel: string; readonly cpus: number; readonly node: string };
  readonly steps: readonly StepResult[];
  readonly series: readonly Series[];
  readonly bands: readonly Band[];
  readonly events: readonly RunEvent[];
  readonly tcp: { readonly bytes: number; readonly wrongWords: number; readonly alive: boolean };
  /** Facts about the run worth a line: queues no CPU reaches, redirect errors, ... */
  readonly notes: readonly string[];
  /** What went wrong that belongs to no step. */
  readonly failures: readonly string[];
}

export const noFrames: FrameCounts = { sent: 0, received: 0, lost: 0, duplicated: 0, reordered: 0, corrupt: 0 };

export function addFrames(a: FrameCounts, b: FrameCounts): FrameCounts {
  return {
    sent: a.sent + b.sent,
    received: a.received + b.received,
    lost: a.lost + b.lost,
    duplicated: a.duplicated + b.duplicated,
    reordered: a.reordered + b.reordered,
    corrupt: a.corrupt + b.corrupt,
  };
}

export const totalFrames = (results: RunResults): FrameCounts => results.steps.map((step) => step.frames).reduce(addFrames, noFrames);

/** Every failure of the run, those of a step with its title; empty when the run passed. */
export function allFailures(results: RunResults): string[] {
  return [...results.steps.flatMap((step) => step.failures.map((failure) => `${step.title}: ${failure}`)), ...results.failures];
}

/** The longer of the two directions; null when nothing switched. */
export function worstSwitchMs(times: SwitchTimes): number | null {
  const known = [times.receiveMs, times.transmitMs].filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
