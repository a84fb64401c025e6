/** Reading, writing and waiting on non-blocking descriptors that Node's own streams cannot watch (taps, sockets). */
import { E } from './errno.js';
import { check } from './errors.js';
import { libc } from './libc.js';
import { pollfd } from './structs.js';

export { enterNetns, inNetns } from './netns.js';

const POLLIN = 0x001;
/** Reported without being asked for: error, hang-up, closed descriptor. */
const POLLERR_HUP_NVAL = 0x008 | 0x010 | 0x020;

/** Bytes read into `buffer`; 0 = nothing there now. @throws NativeError, e.g. EBADFD from a tap that is down */
export function readNonBlocking(fd: number, buffer: Buffer): number {
  const rc = libc().read(fd, buffer, buffer.length);
  if (rc === -E.AGAIN || rc === -E.INTR) return 0;
  return check('read', rc, `fd ${fd}`);
}

/** Writes the first `length` bytes as one message; false = no room now. @throws NativeError */
export function writeNonBlocking(fd: number, buffer: Buffer, length: number): boolean {
  if (length > buffer.length) throw new RangeError(`${length} bytes of a buffer of ${buffer.length}`);
  const rc = libc().write(fd, buffer, length);
  if (rc === -E.AGAIN || rc === -E.INTR) return false;
  check('write', rc, `fd ${fd}`);
  return true;
}

function makePollSet(fds: readonly number[]): Buffer {
  const set = Buffer.alloc(fds.length * pollfd.size);
  fds.forEach((fd, i) => {
    set.writeInt32LE(fd, i * pollfd.size + pollfd.at.fd);
    set.writeInt16LE(POLLIN, i * pollfd.size + pollfd.at.events);
  });
  return set;
}

function readable(set: Buffer, fds: readonly number[]): number[] {
  return fds.filter((_, i) => (set.readInt16LE(i * pollfd.size + pollfd.at.revents) & (POLLIN | POLLERR_HUP_NVAL)) !== 0);
}

/** Those of `fds` that have something to read, or an error to report; none when a signal came. Blocks up to `timeoutMs`. */
export function pollReadableSync(fds: readonly number[], timeoutMs: number): number[] {
  const set = makePollSet(fds);
  return libc().poll(set, fds.length, timeoutMs) > 0 ? readable(set, fds) : [];
}

/**
 * The same on a thread of the pool. It occupies that thread (there are four), and the process does not exit before it is
 * over: keep `timeoutMs` at 250 or below.
 */
export async function pollReadable(fds: readonly number[], timeoutMs: number): Promise<number[]> {
  const set = makePollSet(fds);
  return (await libc().poll.async(set, fds.length, timeoutMs)) > 0 ? readable(set, fds) : [];
}

/** @throws NativeError EBADF when it is not open */
export function closeFd(fd: number): void {
  check('close', libc().close(fd), `fd ${fd}`);
}

/** CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns(). */
export function monotonicNs(): bigint {
  return process.hrtime.bigint();
}
