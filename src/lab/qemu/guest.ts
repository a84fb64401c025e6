/**
 * A guest: one QEMU process in a network namespace, and a shell in it. It ends with its owner, unless it is started detached; then
 * QemuGuest.open() finds it again by its folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandEnvironment } from '../../host/exec.js';
import { namespacePath } from '../place.js';
import { isAlive, killProcesses, type ProcessIdentity, processStart, startDetached } from '../processes.js';
import { type GuestNic, type GuestPaths, guestPaths, type MachineOptions, qemuArguments } from './arguments.js';
import { bestAccelerator } from './available.js';
import { deadKernelWords } from './dead_kernel.js';
import { emulator } from './emulator.js';
import { guestImage, type ImageKind } from './image.js';
import { findKernel, unpackedKernel } from './kernel.js';
import { lastWords, removeFiles, tail, withLastWords } from './leftovers.js';
import { SerialShell, type ShellOptions, type ShellResult } from './serial_shell.js';

export type { GuestNic, ShellResult };

export interface GuestOptions extends Omit<MachineOptions, 'memoryMiB' | 'accel'> {
  /** Name of the network namespace that has the taps. */
  readonly netns: string;
  /** Made when it is not there; the guest's files go when it stops, and the folder when nothing else is in it. */
  readonly folder: string;
  /** Default base. */
  readonly image?: ImageKind;
  /** Default 256, with the image `node` 1024. */
  readonly memoryMiB?: number;
  /** Default: KVM where there is one. */
  readonly accel?: 'kvm' | 'tcg';
  /** Outlives this process; the mark is how the lab finds its processes. */
  readonly detached?: { readonly mark: string };
}

const MEMORY_MIB: Readonly<Record<ImageKind, number>> = { base: 256, node: 1024 };
const START_MS = 10_000;
const POLL_MS = 10;
/** Boot of an emulated CPU on a busy machine. */
const BOOT_MS = 120_000;

/** The QEMU of a folder; null when it has ended, even if another process has its number now. */
function pidIn(paths: GuestPaths): number | null {
  try {
    const pid = Number(readFileSync(paths.pid, 'utf8'));
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${paths.pid}\0`) ? pid : null;
  } catch {
    return null;
  }
}

/** A QEMU that the kernel kills when this process ends. */
function startTied(netns: string, argv: readonly string[], log: string): ChildProcess {
  const out = openSync(log, 'a');
  try {
    const args = ['--pdeathsig', 'KILL', '--', 'nsenter', `--net=${namespacePath(netns)}`, ...argv];
    return spawn('setpriv', args, { stdio: ['ignore', out, out], env: commandEnvironment() });
  } finally {
    closeSync(out);
  }
}

export class QemuGuest {
  readonly name: string;
  readonly folder: string;
  readonly #paths: GuestPaths;
  readonly #process: ProcessIdentity;
  /** Where it is ours. */
  readonly #child: ChildProcess | null;
  #shell: Promise<SerialShell> | null = null;

  private constructor(name: string, folder: string, process: ProcessIdentity, child: ChildProcess | null = null) {
    this.name = name;
    this.folder = folder;
    this.#paths = guestPaths(folder);
    this.#process = process;
    this.#child = child;
  }

  /** Resolves when QEMU runs; the guest boots then (waitForShell). @throws Error with QEMU's words */
  static async start(options: GuestOptions): Promise<QemuGuest> {
    const { name, folder, netns, image = 'base', detached } = options;
    const paths = guestPaths(folder);
    const kernel = findKernel();
    if (kernel === null) throw new Error('there is no kernel for guests: run `npm run setup -- --guests`');
    const machine = { memoryMiB: MEMORY_MIB[image], accel: bestAccelerator(), ...options };
    const argv = [...emulator(), ...qemuArguments(machine, paths, await unpackedKernel(kernel), await guestImage(image, kernel))];
    const there = pidIn(paths);
    if (there !== null) throw new Error(`a guest runs in ${folder} already (process ${there}): stop it first`);
    mkdirSync(folder, { recursive: true });
    removeFiles(paths);
    const guest =
      detached === undefined
        ? await QemuGuest.#startTied(name, folder, startTied(netns, argv, paths.log))
        : new QemuGuest(name, folder, await startDetached({ netns, argv, log: paths.log, mark: detached.mark }));
    try {
      await guest.#running();
      return guest;
    } catch (error) {
      await guest.stop();
      throw error;
    }
  }

  static async #startTied(name: string, folder: string, child: ChildProcess): Promise<QemuGuest> {
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid ?? 0;
    return new QemuGuest(name, folder, { pid, start: processStart(pid) ?? 0 }, child);
  }

  /** A guest that was started detached, perhaps by another process. @throws Error when it does not run */
  static open(name: string, folder: string): QemuGuest {
    const guest = QemuGuest.find(name, folder);
    if (guest === null) throw new Error(`guest ${name} does not run (${guestPaths(folder).pid})`);
    return guest;
  }

  /** As open(); null when it does not run, or is not ready to be spoken to. */
  static find(name: string, folder: string): QemuGuest | null {
    const paths = guestPaths(folder);
    const pid = pidIn(paths);
    const start = pid === null ? null : processStart(pid);
    return pid === null || start === null || !existsSync(paths.serial) ? null : new QemuGuest(name, folder, { pid, start });
  }

  /** For unipathd: QMP, one client at a time. */
  get qmpSocket(): string {
    return this.#paths.qmp;
  }

  /** For the lab: QMP, too. */
  get labQmpSocket(): string {
    return this.#paths.qmp2;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get running(): boolean {
    return isAlive(this.#process);
  }

  /** The end of the guest kernel's log and of QEMU's words, for messages. */
  console(): string {
    return lastWords(this.#paths);
  }

  /** The first words of its kernel's end, in all that it has said to this QEMU; null while it lives. */
  kernelDeath(): string | null {
    return existsSync(this.#paths.console) ? deadKernelWords(readFileSync(this.#paths.console, 'utf8')) : null;
  }

  /** Resolves when the guest has booted. @throws Error with the console's words */
  async waitForShell(deadlineMs = BOOT_MS): Promise<void> {
    const shell = await this.#connect();
    try {
      await shell.ready(deadlineMs);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** Runs a command line with the guest's `sh -c`; commands run one after another. @throws Error when it does not end in time */
  async shell(command: string, options: ShellOptions = {}): Promise<ShellResult> {
    const shell = await this.#connect();
    try {
      return await shell.run(command, options);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** As shell(), for commands that must succeed. @returns what it said. @throws Error with its words and status */
  async run(command: string, options: ShellOptions = {}): Promise<string> {
    const { status, output } = await this.shell(command, options);
    if (status !== 0) throw new Error(`guest ${this.name}: \`${command}\` failed with exit code ${status}: ${output.trim()}`);
    return output;
  }

  /** Lets another process have the shell; the guest goes on. */
  async detachShell(): Promise<void> {
    (await this.#shell)?.close();
    this.#shell = null;
  }

  /** Ends QEMU at once and removes its files. */
  async stop(): Promise<void> {
    await this.detachShell().catch(() => {});
    await killProcesses([this.#process]);
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      child.ref();
      await once(child, 'exit');
    }
    removeFiles(this.#paths);
    try {
      rmdirSync(this.folder);
    } catch {
      // Somebody else's files are in it.
    }
  }

  /** Until QEMU listens, which it does before the guest runs. */
  async #running(): Promise<void> {
    const deadline = performance.now() + START_MS;
    while (!existsSync(this.#paths.pid) || !existsSync(this.#paths.serial)) {
      if (!this.running) throw new Error(`guest ${this.name}: QEMU ended at once: ${tail(this.#paths.log)}`);
      if (performance.now() > deadline) throw new Error(`guest ${this.name}: QEMU did not start within ${START_MS} ms: ${this.console()}`);
      await sleep(POLL_MS);
    }
    await this.#connect();
  }

  #connect(): Promise<SerialShell> {
    this.#shell ??= SerialShell.connect(`guest ${this.name}`, this.#paths.serial).catch((error: unknown) => {
      this.#shell = null;
      throw this.#explained(error);
    });
    return this.#shell;
  }

  #explained(error: unknown): Error {
    return withLastWords(error, this.running, this.console());
  }
}
