/** The one switch that builds. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../control/client.js';
import { run } from '../host/exec.js';
import type { Journal } from './journal.js';
import { namespacePath } from './place.js';
import { unlessAborted } from './interrupt.js';
import { isAlive, startDetached, type ProcessIdentity } from './processes.js';
import { guestPaths } from './qemu/arguments.js';
import { QemuGuest } from './qemu/guest.js';
import type { Action } from './steps.js';

const READY_MS = 20_000;
/** An emulated CPU on a busy machine. */
const BOOT_MS = 120_000;
const POLL_MS = 50;
const LOG_LINES = 12;
const READY_LINE = /"event": ?"ready"/;

/** What performing needs to know and to remember. */
export interface Builder {
  readonly mark: string;
  readonly journal: Journal;
  /** Processes by name, filled by `start-process`. */
  readonly processes: Map<string, ProcessIdentity>;
  /** What takes long is broken off. */
  readonly signal?: AbortSignal;
}

/** Something started by the lab did not come up; the message ends with the last lines of its log. */
export class LabProcessError extends Error {
  override readonly name = 'LabProcessError';

  constructor(
    process: string,
    what: string,
    readonly log: string,
  ) {
    const lines = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_LINES) : [];
    super(`${process} ${what}; the end of its log (${log}):\n${lines.map((line) => `  ${line}`).join('\n')}`);
  }
}

async function awaitReady(builder: Builder, process: string, log: string, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    builder.signal?.throwIfAborted();
    if (await isReady()) return;
    const identity = builder.processes.get(process);
    if (identity !== undefined && !isAlive(identity)) throw new LabProcessError(process, 'has ended', log);
    if (Date.now() > deadline) throw new LabProcessError(process, `is not ready after ${READY_MS / 1000} s`, log);
    await sleep(POLL_MS);
  }
}

async function daemonIsReady(socket: string): Promise<boolean> {
  try {
    return (await new ControlClient(socket).status()).last_reconcile_age_ms !== null;
  } catch {
    return false;
  }
}

/** A QEMU that runs and can be spoken to; its guest need not. @throws LabProcessError */
export async function openMachine(builder: Builder, process: string, guest: string, folder: string): Promise<QemuGuest> {
  let machine: QemuGuest | null = null;
  await awaitReady(builder, process, guestPaths(folder).log, async () => {
    machine = QemuGuest.find(guest, folder);
    return machine !== null;
  });
  return machine ?? QemuGuest.open(guest, folder);
}

async function awaitMachine(builder: Builder, { process, guest, folder }: Extract<Action, { kind: 'await-machine' }>): Promise<void> {
  const machine = await openMachine(builder, process, guest, folder);
  try {
    await unlessAborted(machine.waitForShell(BOOT_MS), builder.signal);
  } finally {
    await machine.detachShell();
  }
}

/** @throws CommandError, LabProcessError, or what the file system says */
export async function performAction(action: Action, builder: Builder): Promise<void> {
  switch (action.kind) {
    case 'command': {
      const [command, ...args] = action.argv;
      await run(command ?? '', args);
      return;
    }
    case 'sysctl': {
      const settings = Object.entries(action.settings).map(([key, value]) => `${key}=${value}`);
      // -e: a kernel without br_netfilter does not have its settings either, and needs none.
      await run('nsenter', [`--net=${namespacePath(action.netns)}`, 'sysctl', '-q', '-e', '-w', ...settings]);
      return;
    }
    case 'make-directory':
      mkdirSync(action.path, { recursive: true });
      return;
    case 'write-file':
      writeFileSync(action.path, action.text);
      return;
    case 'mount-bpffs':
      await run('mount', ['-n', '-t', 'bpf', 'bpf', action.path]);
      return;
    case 'start-process': {
      const identity = await startDetached({ netns: action.netns, argv: action.argv, log: action.log, mark: builder.mark });
      builder.journal.add({ kind: 'process', name: action.name, ...identity });
      builder.processes.set(action.name, identity);
      return;
    }
    case 'await-daemon':
      return awaitReady(builder, action.process, action.log, () => daemonIsReady(action.socket));
    case 'await-ready':
      return awaitReady(builder, action.process, action.log, async () => READY_LINE.test(readFileSync(action.log, 'utf8')));
    case 'await-machine':
      return awaitMachine(builder, action);
    default:
      action satisfies never;
  }
}
