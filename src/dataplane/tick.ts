/** The programs' clock (bpf/lib/clock.h): timer interrupts since boot, shifted. */
import { readFileSync } from 'node:fs';
import { hostKnobs } from '../../maps/generated/contract.js';
import { u32 } from '../btf/codec.js';
import { timerFrequencyHz } from '../native/timer_frequency.js';

/** Where the kernel tells their number, to root: it does not begin at a time that could be computed. */
const TIMER_LIST = '/proc/timer_list';

export interface TickClock {
  /** Modulo 2^32. */
  readonly now: number;
  readonly secondsPerTick: number;
}

/** @param knobs of a loaded program @throws Error when the kernel does not tell */
export function readTickClock(knobs: ReadonlyMap<string, Buffer>): TickClock {
  const number = (name: keyof typeof hostKnobs): number => {
    const value = knobs.get(name);
    if (value === undefined) throw new Error(`the programs do not say what ${name} is`);
    return u32.read(value);
  };
  const shift = number('tick_shift');
  const frozen = number('frozen_tick');
  return {
    now: frozen === 0 ? Number(BigInt.asUintN(32, timerInterrupts() >> BigInt(shift))) : frozen,
    secondsPerTick: 2 ** shift / timerFrequencyHz(),
  };
}

/** jiffies_64 */
export function timerInterrupts(text: string = readFileSync(TIMER_LIST, 'latin1')): bigint {
  const [, jiffies] = /^jiffies: (\d+)$/m.exec(text) ?? [];
  if (jiffies === undefined) throw new Error(`${TIMER_LIST} does not say how many timer interrupts there were`);
  return BigInt(jiffies);
}
