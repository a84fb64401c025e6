/** Waiting until every packet program that is running now has ended, before memory that it may be reading gets a new meaning. */
import { constants } from 'node:os';
import { check } from './errors.js';
import { ffi } from './ffi.js';
import type { Bound } from './ffi_types.js';

const signatures = { syscall: ['sys', ['u64', 'i32', 'u32', 'i32']] } as const;
let bound: Bound<typeof signatures> | null = null;

/** Number of membarrier(2), which libc does not wrap. The second is that of every architecture newer than x86. */
const SYS_MEMBARRIER = process.arch === 'x64' ? 324 : 283;
/** On a machine with more than one CPU the kernel does synchronize_rcu() for it, and XDP programs run under RCU. */
const MEMBARRIER_CMD_GLOBAL = 1;
/** Where CPUs run without a tick (nohz_full), in sandboxes, in kernels built without it. */
const REFUSALS: readonly number[] = [-constants.errno.EINVAL, -constants.errno.EPERM, -constants.errno.ENOSYS];
/** A program runs for microseconds; this is for those whose CPU was taken away meanwhile. */
const FALLBACK_MS = 50;

/** Blocks for one RCU grace period, some 10 ms. */
export function waitForRunningPrograms(): void {
  bound ??= ffi().open('libc.so.6', signatures);
  const rc = bound.syscall(SYS_MEMBARRIER, MEMBARRIER_CMD_GLOBAL, 0, 0);
  if (REFUSALS.includes(rc)) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FALLBACK_MS);
    return;
  }
  check('membarrier', rc);
}
