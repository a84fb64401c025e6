/** Times as they may stand in the maps: at every boundary of the contract, a little ahead, and a whole turn of the clock ago. */
import { ContractLimit } from '../../maps/generated/contract.js';
import type { Random } from './random.js';

const { CLOCK_SKEW, FLOW_EXPIRY, FLOW_LIFETIME, QUIET_TICKS, REMOTE_LIFETIME } = ContractLimit;

const BOUNDARIES: readonly number[] = [
  0, QUIET_TICKS, 2 * QUIET_TICKS, FLOW_LIFETIME - QUIET_TICKS, FLOW_LIFETIME, FLOW_EXPIRY, REMOTE_LIFETIME, -CLOCK_SKEW, -1,
].flatMap((age) => [age - 1, age, age + 1]);

/** Mostly young, because there most is decided. */
function anyAge(random: Random): number {
  if (random.chance(0.6)) return random.between(0, 2 * QUIET_TICKS + 1);
  return random.chance(0.8) ? random.pick(BOUNDARIES) : random.word();
}

/** 32 bits. */
export function anyTick(random: Random, now: number): number {
  return (now - anyAge(random)) >>> 0;
}

/** Its low 16 bits. */
export function anySeen(random: Random, now: number): number {
  return anyTick(random, now) & 0xffff;
}
