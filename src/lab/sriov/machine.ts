/**
 * A machine that plays a KVM host: one QEMU process with an IOMMU and SR-IOV adapters that QEMU emulates. Its root is that of the machine
 * outside, read-only, with memory laid over it: programs, Node.js and this project are simply there, and nothing that it writes stays.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandEnvironment } from '../../host/exec.js';
import { packageRoot } from '../../paths.js';
import { isAlive, killProcesses, type ProcessIdentity, processStart } from '../processes.js';
import { bestAccelerator } from '../qemu/available.js';
import { emulator } from '../qemu/emulator.js';
import { unpackedKernel } from '../qemu/kernel.js';
import { lastWords, removeFiles, withLastWords } from '../qemu/leftovers.js';
import { SerialShell, type ShellOptions, type ShellResult } from '../qemu/serial_shell.js';
import { hostMachineArguments, type HostMachineOptions, type HostMachinePaths, hostMachinePaths } from './arguments.js';
import { hostKernel } from './available.js';
import { hostImage } from './image.js';

const START_MS = 15_000;
const POLL_MS = 10;
/** Boot of an emulated CPU on a busy machine. */
const BOOT_MS = 120_000;

export interface HostMachineStart extends Omit<HostMachineOptions, 'accel'> {
  /** Made when it is not there; the machine's files go when it stops, and the folder when nothing else is in it. */
  readonly folder: string;
  /** Network namespace that QEMU runs in; default: that of this process. */
  readonly netns?: string;
  /** How long its boot may take; default 120 s. */
  readonly bootMs?: number;
  /** Release, or its beginning ("6.12"); default: the newest there is. */
  readonly kernel?: string;
}

export class HostMachine {
  readonly name: string;
  /** Of its kernel: "6.12.117+deb13-amd64". */
  readonly release: string;
  readonly #folder: string;
  readonly #paths: HostMachinePaths;
  readonly #child: ChildProcess;
  readonly #identity: ProcessIdentity;
  #shell: SerialShell | null = null;

  private constructor(name: string, release: string, folder: string, child: ChildProcess) {
    this.name = name;
    this.release = release;
    this.#folder = folder;
    this.#paths = hostMachinePaths(folder);
    this.#child = child;
    const pid = child.pid ?? 0;
    this.#identity = { pid, start: processStart(pid) ?? 0 };
  }

  /** Resolves when the machine has booted and its shell answers. It ends with this process. @throws Error with QEMU's and the kernel's words */
  static async start(options: HostMachineStart): Promise<HostMachine> {
    const { name, folder } = options;
    const paths = hostMachinePaths(folder);
    const kernel = hostKernel(options.kernel);
    const machine = { accel: bestAccelerator(), ...options };
    const args = hostMachineArguments(machine, paths, await unpackedKernel(kernel), await hostImage(kernel), packageRoot, kernel.modules);
    mkdirSync(folder, { recursive: true });
    removeFiles(paths);
    const out = openSync(paths.log, 'a');
    const within = options.netns === undefined ? [] : ['nsenter', `--net=/run/netns/${options.netns}`];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...within, ...emulator(), ...args], {
      stdio: ['ignore', out, out],
      env: commandEnvironment(),
    });
    closeSync(out);
    await once(child, 'spawn');
    child.unref();
    const host = new HostMachine(name, kernel.release, folder, child);
    try {
      await host.#boot(options.bootMs ?? BOOT_MS);
      return host;
    } catch (error) {
      const explained = host.#explained(error);
      await host.stop();
      throw explained;
    }
  }

  /** This project's folder, which is where it is outside. */
  get project(): string {
    return packageRoot;
  }

  get running(): boolean {
    return isAlive(this.#identity);
  }

  /** The end of the kernel's log and of QEMU's words, for messages. */
  console(): string {
    return lastWords(this.#paths);
  }

  /** Runs a command line with the machine's `sh -c`; commands run one after another. @throws Error when it does not end in time */
  async shell(command: string, options: ShellOptions = {}): Promise<ShellResult> {
    if (this.#shell === null) throw new Error(`${this.name}: its shell is closed`);
    try {
      return await this.#shell.run(command, options);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** As shell(), for commands that must succeed. @returns what it said. @throws Error with its words and status */
  async run(command: string, options: ShellOptions = {}): Promise<string> {
    const { status, output } = await this.shell(command, options);
    if (status !== 0) throw new Error(`${this.name}: \`${command}\` failed with exit code ${status}: ${output.trim()}`);
    return output;
  }

  /** Ends QEMU at once and removes its files. */
  async stop(): Promise<void> {
    this.#shell?.close();
    this.#shell = null;
    await killProcesses([this.#identity]);
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.ref();
      await once(this.#child, 'exit');
    }
    removeFiles(this.#paths);
    try {
      rmdirSync(this.#folder);
    } catch {
      // Somebody else's files are in it.
    }
  }

  async #boot(deadlineMs: number): Promise<void> {
    this.#shell = await this.#connect(performance.now() + START_MS);
    await this.#shell.ready(deadlineMs);
  }

  /** A socket that is there already may not be listened to yet. */
  async #connect(deadline: number): Promise<SerialShell> {
    for (;;) {
      try {
        return await SerialShell.connect(this.name, this.#paths.serial);
      } catch (error) {
        if (!this.running) throw new Error(`${this.name}: QEMU ended at once`);
        if (performance.now() > deadline) throw new Error(`${this.name}: QEMU did not start within ${START_MS} ms: ${(error as Error).message}`);
        await sleep(POLL_MS);
      }
    }
  }

  #explained(error: unknown): Error {
    return withLastWords(error, this.running, this.console());
  }
}
