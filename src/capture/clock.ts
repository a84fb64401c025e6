/** From the kernel's monotonic clock, which frames are stamped with, to the time of day. */
import { performance } from 'node:perf_hooks';
import { monotonicNs } from '../native/io.js';

const NS_PER_MS = 1e6;

/** Nanoseconds to add; true until somebody sets the clock. */
export function wallClockOffsetNs(): bigint {
  // Kept in two parts: as one double, 1970 is too far away for microseconds.
  const start = BigInt(Math.round(performance.timeOrigin * 1000)) * 1000n;
  return start + BigInt(Math.round(performance.now() * NS_PER_MS)) - monotonicNs();
}

/** "20:15:01.123456", local time. */
export function timeOfDay(wallNs: bigint): string {
  const date = new Date(Number(wallNs / 1_000_000n));
  const two = (number: number): string => String(number).padStart(2, '0');
  const micros = String((wallNs / 1000n) % 1_000_000n).padStart(6, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${micros}`;
}
