/**
 * The lab's processes: started detached, found again by number and start time, ended for good.
 * All carry the lab's mark in their environment, so that one whose number was never written down is found as well.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandEnvironment, commandLine } from '../host/exec.js';
import { namespacePath } from './place.js';

/** A process number is used again; together with the start time (clock ticks since boot) it is not. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly start: number;
}

export const MARK_VARIABLE = 'UNIPATH_LAB';

/** Longest wait for an orderly end before SIGKILL. */
const GRACE_MS = 3000;
const POLL_MS = 10;

/** null when there is no such process, or it has ended and only waits to be collected. */
export function processStart(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name may hold spaces and brackets; the fields after it do not.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : Number(fields[19]);
  } catch {
    return null;
  }
}

export const isAlive = (identity: ProcessIdentity): boolean => processStart(identity.pid) === identity.start;

export interface StartOptions {
  /** Name of the network namespace; null is the caller's. */
  readonly netns: string | null;
  readonly argv: readonly string[];
  /** File that receives stdout and stderr. */
  readonly log: string;
  readonly mark: string;
}

/** Starts a process that outlives its parent. @throws Error when it cannot be started */
export async function startDetached(options: StartOptions): Promise<ProcessIdentity> {
  const argv = options.netns === null ? options.argv : ['nsenter', `--net=${namespacePath(options.netns)}`, ...options.argv];
  const [command, ...args] = argv;
  if (command === undefined) throw new RangeError('a process needs a command');
  const log = openSync(options.log, 'a');
  try {
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { ...commandEnvironment(), HOME: '/root', [MARK_VARIABLE]: options.mark },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Error(`cannot start \`${commandLine(command, args)}\`: ${error.message}`)));
    });
    child.unref();
    const pid = child.pid ?? 0;
    const start = processStart(pid);
    if (start === null) throw new Error(`\`${commandLine(command, args)}\` ended at once; its log is ${options.log}`);
    return { pid, start };
  } finally {
    closeSync(log);
  }
}

function signal(identity: ProcessIdentity, name: 'SIGTERM' | 'SIGKILL' | 'SIGCONT'): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch {
    // It ended between the look and the signal.
  }
}

async function gone(identities: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (identities.some(isAlive)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** SIGTERM, and SIGKILL to those that do not go. @throws Error when one survives even that */
export async function stopProcesses(identities: readonly ProcessIdentity[], graceMs = GRACE_MS): Promise<void> {
  for (const identity of identities) signal(identity, 'SIGTERM');
  for (const identity of identities) signal(identity, 'SIGCONT');
  if (await gone(identities, graceMs)) return;
  await killProcesses(identities);
}

/** SIGKILL at once. @throws Error when one survives */
export async function killProcesses(identities: readonly ProcessIdentity[]): Promise<void> {
  for (const identity of identities) signal(identity, 'SIGKILL');
  if (await gone(identities, GRACE_MS)) return;
  throw new Error(
    `processes do not end: ${identities
      .filter(isAlive)
      .map(({ pid }) => pid)
      .join(', ')}`,
  );
}

/** Every process but this one that was started with this mark, or inherited it. */
export function markedProcesses(mark: string): ProcessIdentity[] {
  const wanted = Buffer.from(`${MARK_VARIABLE}=${mark}\0`);
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${pid}/environ`).includes(wanted)) continue;
    } catch {
      continue;
    }
    const start = processStart(pid);
    if (start !== null) found.push({ pid, start });
  }
  return found;
}
