/** Names of errno values, both ways. */
import { constants } from 'node:os';

/** Numbers that no libc header names: one of the kernel, those of libbpf (enum libbpf_errno). */
const others: Readonly<Record<string, number>> = {
  ENOTSUPP: 524,
  LIBBPF_ERRNO__LIBELF: 4000,
  LIBBPF_ERRNO__FORMAT: 4001,
  LIBBPF_ERRNO__KVERSION: 4002,
  LIBBPF_ERRNO__ENDIAN: 4003,
  LIBBPF_ERRNO__INTERNAL: 4004,
  LIBBPF_ERRNO__RELOC: 4005,
  LIBBPF_ERRNO__LOAD: 4006,
  LIBBPF_ERRNO__VERIFY: 4007,
  LIBBPF_ERRNO__PROG2BIG: 4008,
  LIBBPF_ERRNO__KVER: 4009,
  LIBBPF_ERRNO__PROGTYPE: 4010,
  LIBBPF_ERRNO__WRNGPID: 4011,
  LIBBPF_ERRNO__INVSEQ: 4012,
  LIBBPF_ERRNO__NLPARSE: 4013,
};

const byNumber = new Map<number, string>();
for (const [name, value] of Object.entries({ ...constants.errno, ...others })) {
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
  NOSYS: constants.errno.ENOSYS,
  NOLINK: constants.errno.ENOLINK,
  OPNOTSUPP: constants.errno.EOPNOTSUPP,
  NOTSUPP: 524,
} as const;
