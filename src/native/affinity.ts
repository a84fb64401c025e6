/** Runs a synchronous call on a chosen CPU. */
import { check } from './errors.js';
import { libc } from './libc.js';

/** Bytes of a cpu_set_t. */
const cpuSetBytes = 128;
const callingThread = 0;

/** @throws NativeError EINVAL when the CPU is not online */
export function onCpu<T>(cpu: number, call: () => T): T {
  if (!Number.isInteger(cpu) || cpu < 0 || cpu >= cpuSetBytes * 8) throw new RangeError(`no such CPU: ${cpu}`);
  const before = Buffer.alloc(cpuSetBytes);
  check('sched_getaffinity', libc().sched_getaffinity(callingThread, before.length, before));
  const only = Buffer.alloc(cpuSetBytes);
  only[cpu >> 3] = 1 << (cpu & 7);
  check('sched_setaffinity', libc().sched_setaffinity(callingThread, only.length, only), `CPU ${cpu}`);
  try {
    return call();
  } finally {
    check('sched_setaffinity', libc().sched_setaffinity(callingThread, before.length, before));
  }
}
