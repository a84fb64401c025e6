/** Ages in ticks (maps/contract.h). The clock wraps, and CPUs do not read it at the same moment. */
import { ContractLimit } from '../../../maps/generated/contract.js';

function age(then: number, now: number, modulus: number): number {
  const since = (((now - then) % modulus) + modulus) % modulus;
  // What another CPU wrote may be CLOCK_SKEW ahead: that was just now, not a whole turn of the clock ago.
  return since >= modulus - ContractLimit.CLOCK_SKEW ? 0 : since;
}

/** Of two 32-bit ticks. */
export function ticksSince(then: number, now: number): number {
  return age(then, now, 0x1_0000_0000);
}

/** Where only the low 16 bits of `then` were kept. */
export function ticksSince16(then: number, now: number): number {
  return age(then, now, 0x1_0000);
}
