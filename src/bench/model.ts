/** What is measured, and what a measurement is. Pure: the process that prints and those that measure share it. */
import type { GoalId } from './goals.js';

/** In the order in which they run. */
export const SECTION_NAMES = ['steering', 'headers', 'toeplitz', 'vnics', 'flows', 'cpumap', 'taps', 'maps', 'tcp', 'scrape'] as const;
export type SectionName = (typeof SECTION_NAMES)[number];

/** Names below /run/netns. */
export interface Netns {
  readonly wire: string;
  readonly host: string;
  readonly guest: string;
}

/** What a section is told. */
export interface SectionContext {
  readonly netns: Netns;
  /** The CPU that measures. */
  readonly cpu: number;
  /** One that serves another queue, or null: there is none. */
  readonly otherCpu: number | null;
  /** Interleaved rounds; sections whose rounds are long take a share of them. */
  readonly rounds: number;
  /** ns of work that one contender gets in a round, about. */
  readonly sliceNs: number;
  /** The host's programs. */
  readonly object: string;
}

/** An absolute value, and what it was in each round that counts. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly values: readonly number[];
}

export interface CurvePoint {
  readonly x: number;
  /** In each round that counts. */
  readonly values: readonly number[];
}

/** Something against a number that grows. */
export interface Curve {
  readonly name: string;
  /** What x counts. */
  readonly x: string;
  readonly unit: string;
  readonly points: readonly CurvePoint[];
}

export interface SectionReport {
  readonly section: SectionName;
  /** By goal: the ratio in each round that counts. */
  readonly ratios: Readonly<Partial<Record<GoalId, readonly number[]>>>;
  readonly figures: readonly Figure[];
  readonly curves: readonly Curve[];
  /** What one must know to read the numbers. */
  readonly remarks: readonly string[];
  /** Rounds left out because the hypervisor took the CPU away. */
  readonly roundsDropped: number;
}
