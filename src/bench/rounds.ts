/** Interleaved rounds: every contender once per round, and a round in which the hypervisor took the CPU away is left out. */
import { Rounds, type Round } from './stats.js';
import { readCpuTimes, stealShare } from './steal.js';

/** A round in which the hypervisor took more than this share of a CPU says nothing. */
export const MAX_STEAL = 0.01;
/** So many rounds are tried for each one that is wanted. */
const PATIENCE = 2;

/** Does its work once; returns what it cost, by whatever unit all contenders share. */
export type Contender = () => number | Promise<number>;

export interface RoundOptions {
  readonly rounds: number;
  /** On which the contenders run. */
  readonly cpus: readonly number[];
  readonly progress?: (done: number, wanted: number) => void;
}

/** @throws Error when no round was left undisturbed */
export async function measureRounds<C extends string>(
  contenders: Readonly<Record<C, Contender>>, { rounds, cpus, progress }: RoundOptions,
): Promise<Rounds<C>> {
  const names = Object.keys(contenders) as C[];
  const kept: Round<C>[] = [];
  let dropped = 0;
  while (kept.length < rounds && kept.length + dropped < rounds * PATIENCE) {
    const before = cpus.map(readCpuTimes);
    const round: Partial<Record<C, number>> = {};
    // Forth and back, so that a machine that slows down favours nobody.
    for (const name of (kept.length + dropped) % 2 === 0 ? names : names.toReversed()) round[name] = await contenders[name]();
    const disturbed = cpus.some((cpu, i) => stealShare(before[i]!, readCpuTimes(cpu)) > MAX_STEAL);
    if (disturbed) dropped++;
    else kept.push(round as Round<C>);
    progress?.(kept.length, rounds);
  }
  if (kept.length === 0) throw new Error(`in all ${dropped} rounds the hypervisor took more than ${MAX_STEAL * 100} % of a CPU`);
  return new Rounds(kept, dropped);
}
