/** A command that runs for as long as we do and says something line by line; it dies with us. Whoever starts it decides about another try. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { commandEnvironment, commandLine } from './exec.js';

/** How much of its stderr is kept for the message. */
const STDERR_LIMIT = 2000;

export interface LineStreamHandlers {
  /** One line of its stdout, without the line's end. Must not throw. */
  line(text: string): void;
  /** Once, after the last line, unless it was closed: how it ended and what it said on stderr. */
  ended(why: string): void;
}

export class LineStream {
  readonly #child: ChildProcess;
  #closed = false;

  constructor(command: string, args: readonly string[], handlers: LineStreamHandlers) {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: commandEnvironment(),
    });
    this.#child = child;
    let lastWords = '';
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (text) => {
      if (!this.#closed) handlers.line(text);
    });
    child.stderr.on('data', (words: Buffer) => {
      lastWords = (lastWords + words.toString('utf8')).slice(-STDERR_LIMIT);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      lastWords = error.code === 'ENOENT' ? 'command not found: setpriv (install package util-linux)' : error.message;
    });
    child.once('close', (code, signal) => {
      if (this.#closed) return;
      this.#closed = true;
      const words = lastWords.trim().split('\n').join('; ');
      handlers.ended(`\`${commandLine(command, args)}\` ended (${signal ?? code})${words === '' ? '' : `: ${words}`}`);
    });
    // It must not keep the process alive: it has nothing to say that outlives us.
    child.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
  }

  /** Of the command; 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends the command. No handler is called any more. */
  close(): void {
    this.#closed = true;
    this.#child.kill('SIGKILL');
  }
}
