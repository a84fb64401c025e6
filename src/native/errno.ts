/** Names of errno values, both ways. */
import { constants } from 'node:os';

/** Numbers the kernel returns but no libc header names. */
const kernelOnly: Readonly<Record<string, number>> = { ENOTSUPP: 524 };

const byNumber = new Map<number, string>();
for (const [name, value] of Object.entries({ ...constants.errno, ...kernelOnly })) {
  // EAGAIN and EWOULDBLOCK, EOPNOTSUPP and ENOTSUP share a number: the first name listed is the usual one.
  if (!byNumber.has(value)) byNumber.set(value, name);
}
// Alphabetical order puts the less usual name first here.
byNumber.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');

/** `16` -> `'EBUSY'`; an unknown number -> `'E<number>'`. */
export function errnoName(errno: number): string {
  return byNumber.get(errno) ?? `E${errno}`;
}

/** The positive numbers that callers compare with. */
export const E = {
  PERM: constants.errno.EPERM,
  NOENT: constants.errno.ENOENT,
  INTR: constants.errno.EINTR,
  BADF: constants.errno.EBADF,
  AGAIN: constants.errno.EAGAIN,
  ACCES: constants.errno.EACCES,
  BUSY: constants.errno.EBUSY,
  EXIST: constants.errno.EEXIST,
  NODEV: constants.errno.ENODEV,
  INVAL: constants.errno.EINVAL,
  RANGE: constants.errno.ERANGE,
  NOSPC: constants.errno.ENOSPC,
  NOLINK: constants.errno.ENOLINK,
  OPNOTSUPP: constants.errno.EOPNOTSUPP,
  NOTSUPP: 524,
} as const;
