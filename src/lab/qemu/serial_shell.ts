/**
 * Commands in a guest over its second serial line. Each command's output comes between two lines with control characters and a
 * number, so that nothing that the guest says besides, or said too late, is taken for it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ShellResult {
  /** Exit status. */
  readonly status: number;
  /** stdout and stderr, as they came. */
  readonly output: string;
}

export interface ShellOptions {
  /** Default 10 s. */
  readonly deadlineMs?: number;
  /** Interrupts the command, as the deadline does. */
  readonly signal?: AbortSignal;
}

const DEFAULT_DEADLINE_MS = 10_000;
/** A command that took too long is interrupted; this long it may take to end. */
const INTERRUPT_MS = 3000;
/** Asked again this often until the shell answers; what is said before it is there is lost, or read later. */
const ASK_AGAIN_MS = 200;
const INTERRUPT = '\x03';
const EXCERPT = 400;

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A command line of these words, none of which the shell changes. */
export const shellWords = (argv: readonly string[]): string => argv.map(quoted).join(' ');

/** One line for the guest's shell. The command is a shell of its own: it cannot leave the outer one in the middle of something. */
export function framedCommand(command: string, id: string): string {
  return `printf '\\001%s\\n' ${id}; sh -c ${quoted(command)} </dev/null 2>&1; printf '\\002%s %d\\n' ${id} $?\n`;
}

/** @returns null while the end is not there */
export function findFrame(received: string, id: string): ShellResult | null {
  const begin = received.indexOf(`\x01${id}\n`);
  if (begin < 0) return null;
  const start = begin + id.length + 2;
  const end = new RegExp(`\x02${id} (\\d+)\n`).exec(received.slice(start));
  return end === null ? null : { status: Number(end[1]), output: received.slice(start, start + end.index) };
}

export class SerialShell {
  readonly #name: string;
  readonly #socket: Socket;
  #received = '';
  #commands = 0;
  /** Why there will be no more answers. */
  #ended: string | null = null;
  #onData: (() => void) | null = null;
  /** Commands run one after another. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(name: string, socket: Socket) {
    this.#name = name;
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      this.#received += text;
      this.#onData?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended ??= 'the serial line closed';
      this.#onData?.();
    });
  }

  /** @param name for messages. @throws when nobody listens on the socket */
  static async connect(name: string, path: string): Promise<SerialShell> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new SerialShell(name, socket);
  }

  /** Resolves when the guest's shell answers: at once, or when it has booted. @throws Error when it does not in time */
  async ready(deadlineMs: number): Promise<void> {
    await this.#inTurn(async () => {
      const deadline = performance.now() + deadlineMs;
      const number = ++this.#commands;
      const answer = `unipath-ready-${process.pid + number}`;
      while (performance.now() < deadline) {
        // No quotes: when only the end of it is read, that is harmless.
        this.#socket.write(`\necho unipath-ready-$((${process.pid}+${number}))\n`);
        if (await this.#until(() => (this.#received.includes(answer) ? true : null), ASK_AGAIN_MS)) return;
        this.#throwIfEnded();
      }
      throw new Error(`${this.#name}: its shell did not answer within ${deadlineMs} ms`);
    });
  }

  /** Runs a command line with the guest's `sh -c`. @throws Error when it does not end in time (it is interrupted then) */
  run(command: string, options: ShellOptions = {}): Promise<ShellResult> {
    const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    return this.#inTurn(async () => {
      this.#throwIfEnded();
      const id = `${process.pid}.${++this.#commands}`;
      this.#received = '';
      this.#socket.write(framedCommand(command, id));
      const find = (): ShellResult | null => findFrame(this.#received, id);
      const result = await this.#until(find, deadlineMs, options.signal);
      if (result !== null) return result;
      this.#throwIfEnded();
      const output = (this.#received.split(`\x01${id}\n`)[1] ?? '').slice(-EXCERPT).trim();
      // The shell forgets the rest of its line, and with it the end of the frame.
      this.#socket.write(`${INTERRUPT}printf '\\002%s 130\\n' ${id}\n`);
      const interrupted = (await this.#until(find, INTERRUPT_MS)) !== null;
      throw new Error(
        `${this.#name}: \`${command}\` ${options.signal?.aborted === true ? 'was interrupted' : `did not end within ${deadlineMs} ms`}` +
          `${interrupted ? '' : ' and could not be interrupted'}${output === '' ? '' : `; it said: ${output}`}`,
      );
    });
  }

  close(): void {
    this.#ended ??= 'the shell was closed';
    this.#socket.destroy();
  }

  #throwIfEnded(): void {
    if (this.#ended !== null) throw new Error(`${this.#name}: ${this.#ended}`);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** What `find` finds in what is received; null when the time is over, it is broken off, or the line closed. */
  async #until<T>(find: () => T | null, withinMs: number, signal?: AbortSignal): Promise<T | null> {
    const late = new AbortController();
    const interrupt = (): void => {
      done = true;
      this.#onData?.();
    };
    const timer = sleep(withinMs, undefined, { signal: late.signal }).catch(() => {});
    let done = signal?.aborted === true;
    void timer.then(interrupt);
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      for (;;) {
        const found = find();
        if (found !== null || done || this.#ended !== null) return found;
        await new Promise<void>((resolve) => {
          this.#onData = resolve;
        });
      }
    } finally {
      this.#onData = null;
      signal?.removeEventListener('abort', interrupt);
      late.abort();
    }
  }
}
