/** From rounds to ratios: medians of what was measured within one round, because the machine changes from round to round. */
import { PROGRAMS, type MeasuredProgram, type Round, type Sample, type Way, WAYS } from './model.js';

/** A round in which the hypervisor took more than this says nothing. */
export const MAX_STEAL = 0.01;
/**
 * Share of the frames that must arrive. Only the queue between two CPUs loses some: the first stage is faster than the second, the more
 * so when something else runs on the other CPU.
 */
const MUST_ARRIVE: Readonly<Partial<Record<Way, number>>> = { cpumap: 0.01 };

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface WayResult {
  readonly way: Way;
  /** Of frames that arrived. */
  readonly nsPerFrame: Spread;
  readonly framesPerSecond: number;
  readonly timesBridge: Spread;
  readonly timesRedirect: Spread;
  /** 0..1 */
  readonly lost: number;
}

export interface ProgramResult {
  readonly program: MeasuredProgram;
  readonly ns: number;
  readonly netOfEmptyNs: number;
}

export interface Result {
  readonly ways: readonly WayResult[];
  readonly programs: readonly ProgramResult[];
  readonly roundsUsed: number;
  readonly roundsDropped: number;
}

/** A round whose frames did not arrive proves nothing about forwarding. */
export class LostFramesError extends Error {
  override readonly name = 'LostFramesError';

  constructor(readonly way: Way, readonly sample: Sample) {
    super(`${way}: of ${sample.sent} frames ${sample.arrived} arrived at the sink`);
  }
}

/** Median, and the quartiles. @throws RangeError without values */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = share * (sorted.length - 1);
    const below = sorted[Math.floor(position)] ?? 0;
    const above = sorted[Math.ceil(position)] ?? 0;
    return below + (above - below) * (position - Math.floor(position));
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** ns of the sending CPU for each frame that arrived. */
export function nsPerArrival(sample: Sample): number {
  return (sample.nsPerFrame * sample.sent) / sample.arrived;
}

/** @throws LostFramesError unless as many arrived as must */
export function checkArrivals(way: Way, sample: Sample): void {
  const wanted = sample.sent * (MUST_ARRIVE[way] ?? 1);
  if (sample.arrived < wanted || sample.arrived > sample.sent) throw new LostFramesError(way, sample);
}

function isUndisturbed(round: Round): boolean {
  return Object.values(round.ways).every((sample) => sample.steal <= MAX_STEAL);
}

/** @throws Error when every round was disturbed */
export function summarize(rounds: readonly Round[]): Result {
  const used = rounds.filter(isUndisturbed);
  if (used.length === 0) throw new Error(`in all ${rounds.length} rounds the hypervisor took more than ${MAX_STEAL * 100} % of the CPU`);
  const samplesOf = (way: Way): Sample[] => used.flatMap(({ ways }) => ways[way] ?? []);
  const ratiosTo = (reference: Way, way: Way): number[] =>
    used.flatMap(({ ways }) => (ways[way] && ways[reference] ? nsPerArrival(ways[reference]) / nsPerArrival(ways[way]) : []));
  const ways = WAYS.filter((way) => samplesOf(way).length > 0).map((way): WayResult => {
    const samples = samplesOf(way);
    const nsPerFrame = spreadOf(samples.map(nsPerArrival));
    const total = (count: (sample: Sample) => number): number => samples.reduce((sum, sample) => sum + count(sample), 0);
    return {
      way,
      nsPerFrame,
      framesPerSecond: 1e9 / nsPerFrame.median,
      timesBridge: spreadOf(ratiosTo('bridge', way)),
      timesRedirect: spreadOf(ratiosTo('redirect', way)),
      lost: 1 - total(({ arrived }) => arrived) / total(({ sent }) => sent),
    };
  });
  const nsOf = (program: MeasuredProgram): number[] => used.flatMap(({ programs }) => programs[program] ?? []);
  const netOf = (program: MeasuredProgram): number[] =>
    used.flatMap(({ programs: { [program]: ns, empty } }) => (ns === undefined || empty === undefined ? [] : ns - empty));
  const programs = PROGRAMS.filter((program) => nsOf(program).length > 0).map((program): ProgramResult => ({
    program, ns: spreadOf(nsOf(program)).median, netOfEmptyNs: spreadOf(netOf(program)).median,
  }));
  return { ways, programs, roundsUsed: used.length, roundsDropped: rounds.length - used.length };
}
