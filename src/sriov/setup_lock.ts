/** One process at a time changes adapters: what it plans by what it sees must still be so when it does it. */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FolderLock } from '../native/folder_lock.js';
import { AdapterError } from './error.js';
import { stateFolder } from './state_file.js';

/**
 * The process that has locked an inode with flock(2), by /proc/locks (proc_locks(5)); null: none, or one of another PID namespace. File systems
 * in layers show another device there than stat(2): the inode must do.
 */
export function lockHolder(locks: string, inode: number): number | null {
  const pid = locks.split('\n').flatMap((line) => {
    const [, kind, , , holder = '', file = ''] = line.trim().split(/\s+/);
    return kind === 'FLOCK' && file.split(':')[2] === String(inode) ? [Number(holder)] : [];
  })[0];
  return pid === undefined || !(pid > 0) ? null : pid;
}

/** "process 4711 (node build/src/cli.js adapter setup eth0)" */
function holderText(folder: string): string {
  try {
    const pid = lockHolder(readFileSync('/proc/locks', 'utf8'), statSync(folder).ino);
    if (pid === null) return 'another process';
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
    return `process ${pid} (${words})`;
  } catch {
    // It has ended meanwhile.
    return 'another process';
  }
}

const POLL_MS = 50;

async function take(folder: string, waitMs: number): Promise<FolderLock> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const lock = FolderLock.take(folder);
    if (lock !== null) return lock;
    if (performance.now() >= deadline) throw new AdapterError(`${holderText(folder)} is changing adapters`, 'wait until it has ended, and look again at what it has done');
    await sleep(POLL_MS);
  }
}

/**
 * Does `work` while nobody else changes adapters that are noted in `state`. The lock ends with the process, however that ends.
 * @param waitMs how long to wait for whoever has it
 * @throws AdapterError naming who has it
 */
export async function whileLocked<T>(state: string, work: () => Promise<T>, waitMs = 0): Promise<T> {
  const folder = stateFolder(state);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const lock = await take(folder, waitMs);
  try {
    return await work();
  } finally {
    lock.release();
  }
}
