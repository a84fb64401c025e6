/** The functions of libc that are used. Kernel structs they take are in structs.ts. */
import { ffi } from './ffi.js';
import type { Bound } from './ffi_types.js';

const signatures = {
  // memory
  memcpy: ['ptr', ['ptr', 'ptr', 'u64']],
  mmap: ['ptr', ['ptr', 'u64', 'i32', 'i32', 'i32', 'u64']],
  getpagesize: ['i32', []],
  munmap: ['sys', ['ptr', 'u64']],
  // files
  open: ['sys', ['str', 'i32', 'i32']],
  close: ['sys', ['i32']],
  read: ['sys', ['i32', 'ptr', 'u64']],
  write: ['sys', ['i32', 'ptr', 'u64']],
  ioctl: ['sys', ['i32', 'u64', 'ptr']],
  fcntl: ['sys', ['i32', 'i32', 'i32']],
  flock: ['sys', ['i32', 'i32']],
  // -1 (interrupted) is not told from other failures, so it can run on another thread
  poll: ['i32', ['ptr', 'u64', 'i32']],
  // sockets
  socket: ['sys', ['i32', 'i32', 'i32']],
  setsockopt: ['sys', ['i32', 'i32', 'i32', 'ptr', 'u32']],
  getsockopt: ['sys', ['i32', 'i32', 'i32', 'ptr', 'ptr']],
  bind: ['sys', ['i32', 'ptr', 'u32']],
  sendto: ['sys', ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32']],
  // clocks
  clock_getres: ['sys', ['i32', 'ptr']],
  // threads
  setns: ['sys', ['i32', 'i32']],
  sched_getaffinity: ['sys', ['i32', 'u64', 'ptr']],
  sched_setaffinity: ['sys', ['i32', 'u64', 'ptr']],
  // text
  vsnprintf: ['i32', ['ptr', 'u64', 'ptr', 'ptr']],
} as const;

let bound: Bound<typeof signatures> | null = null;

export function libc(): Bound<typeof signatures> {
  bound ??= ffi().open('libc.so.6', signatures);
  return bound;
}
