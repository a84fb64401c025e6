/** How often the kernel's timer interrupt comes. */
import { check } from './errors.js';
import { libc } from './libc.js';

const CLOCK_MONOTONIC_COARSE = 6;
const NS_PER_SECOND = 1_000_000_000n;

/** CONFIG_HZ of the running kernel: a coarse clock moves with the timer interrupt, and its resolution says so (clock_getres(2)). */
export function timerFrequencyHz(): number {
  const timespec = Buffer.alloc(16);
  check('clock_getres', libc().clock_getres(CLOCK_MONOTONIC_COARSE, timespec), 'CLOCK_MONOTONIC_COARSE');
  const resolutionNs = timespec.readBigInt64LE(0) * NS_PER_SECOND + timespec.readBigInt64LE(8);
  return Math.round(1e9 / Number(resolutionNs));
}
