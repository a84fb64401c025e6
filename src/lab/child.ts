/** A Node process of the lab inside a network namespace, spoken to by JSON lines on its stdin and stdout. */
import { type ChildProcess, spawn } from 'node:child_process';
import { commandEnvironment, missingCommandHint } from '../host/exec.js';
import { type EventLine, JsonLineClient, type Protocol } from './json_lines.js';

/** How much of its stderr is kept for messages. */
const STDERR_LIMIT = 8192;

export interface ChildOptions {
  /** For messages. */
  readonly name: string;
  /** Name below /run/netns, or a path; null is the caller's own. */
  readonly netns: string | null;
  /** The script and its arguments. */
  readonly argv: readonly string[];
  readonly onEvent?: (event: EventLine) => void;
}

export function netnsPath(netns: string): string {
  return netns.includes('/') ? netns : `/run/netns/${netns}`;
}

export class LabChild<P extends Protocol> {
  /** Resolves with how it ended. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #client: JsonLineClient<P>;
  #stderr = '';

  private constructor(options: ChildOptions, onEvent: (event: EventLine) => void) {
    // `nsenter --net` alone: `ip netns exec` would also replace /sys, and with it the BPF file system.
    const prefix = options.netns === null ? [] : ['nsenter', `--net=${netnsPath(options.netns)}`];
    const [file = process.execPath, ...argv] = [...prefix, process.execPath, ...options.argv];
    const child = spawn(file, argv, { stdio: ['pipe', 'pipe', 'pipe'], env: commandEnvironment() });
    this.#child = child;
    this.#client = new JsonLineClient<P>(options.name, child.stdout, child.stdin, onEvent);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_LIMIT);
    });
    this.exited = new Promise((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        this.#client.fail(error.code === 'ENOENT' ? missingCommandHint(file) : error.message);
        resolve({ code: null, signal: null });
      });
      child.once('close', (code, signal) => {
        this.#client.fail(`ended with ${signal ?? `code ${code}`}${this.#stderr === '' ? '' : `: ${this.#stderr.trim()}`}`);
        resolve({ code, signal });
      });
    });
  }

  /** Resolves when the process has said {"event": "ready"}. @throws Error with its stderr when it ends before. */
  static async start<P extends Protocol>(options: ChildOptions, timeoutMs = 15_000): Promise<LabChild<P>> {
    let ready = (): void => {};
    const said = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const child = new LabChild<P>(options, (event) => {
      if (event.event === 'ready') ready();
      options.onEvent?.(event);
    });
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      deadline = setTimeout(() => resolve('late'), timeoutMs);
    });
    const first = await Promise.race([said.then(() => 'ready' as const), child.exited, late]);
    clearTimeout(deadline);
    if (first === 'ready') return child;
    if (first === 'late') child.#child.kill('SIGKILL');
    const how = first === 'late' ? `was not ready within ${timeoutMs} ms` : `ended with ${first.signal ?? `code ${first.code}`}`;
    throw new Error(`${options.name} ${how}${child.#stderr === '' ? '' : `: ${child.#stderr.trim()}`}`);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stderr(): string {
    return this.#stderr;
  }

  request<K extends keyof P & string>(command: K, body: P[K]['request'], timeoutMs?: number): Promise<P[K]['reply']> {
    return this.#client.request(command, body, timeoutMs);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Closes its stdin, which ends it; kills it when that takes too long. */
  async close(timeoutMs = 3000): Promise<void> {
    this.#client.end();
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    await this.exited;
    clearTimeout(deadline);
  }
}
