/**
 * Network namespaces of threads. A device, a socket and an XDP attachment belong to the namespace of the thread that makes
 * them; the rest of the process is not affected.
 */
import { check } from './errors.js';
import { libc } from './libc.js';

const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const CLONE_NEWNET = 0x4000_0000;

function openPath(path: string): number {
  return check('open', libc().open(path, O_RDONLY | O_CLOEXEC, 0), path);
}

function setNamespace(fd: number, path: string): void {
  check('setns', libc().setns(fd, CLONE_NEWNET), path);
}

/**
 * Moves the thread of JavaScript into a network namespace for good. The threads of libuv's pool, which run asynchronous calls,
 * stay where they are if they run already: to start a whole process in a namespace use `nsenter --net=PATH`.
 * @param path e.g. `/run/netns/NAME`, `/proc/PID/ns/net`
 */
export function enterNetns(path: string): void {
  const fd = openPath(path);
  try {
    setNamespace(fd, path);
  } finally {
    libc().close(fd);
  }
}

/**
 * Runs `call`, which must be synchronous, inside a network namespace, and comes back.
 * @param path e.g. `/run/netns/NAME`
 */
export function inNetns<T>(path: string, call: () => T): T {
  // Not /proc/self: that is the first thread of the process, which a worker is not.
  const home = openPath('/proc/thread-self/ns/net');
  try {
    enterNetns(path);
    try {
      return call();
    } finally {
      setNamespace(home, 'the namespace before');
    }
  } finally {
    libc().close(home);
  }
}
