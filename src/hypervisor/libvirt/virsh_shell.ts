/**
 * A virsh that is told its commands one after another. To start a virsh and to connect costs 20 to 50 ms, a command to one that runs
 * 2 to 7 ms.
 *
 * It echoes what it is told, writes its prompt, and says on stderr (which is made its stdout here, in the right order: it flushes the
 * one before it writes to the other) what went wrong. An answer is what stands between two marks, which are told in two pieces so
 * that the echo has none.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { commandEnvironment } from '../../host/exec.js';
import { LibvirtError } from './refusals.js';

/** virsh may read its lines with readline, where other characters are keys, or into a buffer of 1024 bytes. */
const LINE_LIMIT = 900;
const PRINTABLE = /^[\x20-\x7e]*$/;
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** One line for virsh, from words or, where there is only one, a script; null when it has to be told otherwise. */
export function shellLine(words: readonly string[]): string | null {
  const [first = ''] = words;
  const line = words.length === 1 ? first : words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return PRINTABLE.test(line) && line.length <= LINE_LIMIT ? line : null;
}

interface Question {
  readonly begin: string;
  readonly end: string;
  readonly answered: (text: string) => void;
  readonly failed: () => void;
}

export class VirshShell {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #output = '';
  #question: Question | null = null;
  #usable = true;

  constructor(uri: string) {
    const virsh = ['sh', '-c', 'exec virsh "$@" 2>&1', 'sh', '--quiet', '--connect', uri];
    // Nothing of it is worth keeping for people who type.
    const env = { ...commandEnvironment(), VIRSH_HISTSIZE: '0', INPUTRC: '/dev/null', TERM: 'dumb' };
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', ...virsh], { stdio: ['pipe', 'pipe', 'ignore'], env });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#said(text));
    this.#child.stdin.on('error', () => this.close());
    this.#child.once('error', () => this.close());
    this.#child.once('close', () => this.close());
    this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout]) (stream as unknown as { unref(): void }).unref();
  }

  get usable(): boolean {
    return this.#usable;
  }

  /**
   * One at a time. null: it was not even begun, because no connection could be made.
   * @returns what virsh said, errors included
   * @throws LibvirtError "late": it may have been done, or may yet be done. The shell is not usable any more then.
   */
  async run(what: string, line: string, deadlineMs: number): Promise<string | null> {
    const mark = randomBytes(8).toString('hex');
    const echo = (end: string): string => `echo ${mark}''${end}`;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string | null>((resolve, reject) => {
        const late = (why: string): void => reject(new LibvirtError('late', `${what}: ${why}; it may yet be done`));
        this.#question = {
          begin: `${mark}b`,
          end: `${mark}e`,
          answered: resolve,
          failed: () => (this.#output.includes(`${mark}b`) ? late('virsh ended before it answered') : resolve(null)),
        };
        if (!this.#usable) return void resolve(null);
        timer = setTimeout(() => {
          late(`no answer from libvirt within ${deadlineMs} ms`);
          this.close();
        }, deadlineMs);
        this.#output = '';
        this.#child.stdin.write(`${echo('b')}; ${line}; ${echo('e')}\n`);
      });
    } finally {
      clearTimeout(timer);
      this.#question = null;
    }
  }

  close(): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#child.kill('SIGKILL');
    this.#question?.failed();
  }

  #said(text: string): void {
    this.#output += text;
    if (this.#question === null) {
      // Such as "error: Disconnected from qemu:///system due to end of file".
      if (this.#output.includes('error:')) this.close();
      this.#output = this.#output.slice(-100);
      return;
    }
    if (this.#output.length > OUTPUT_LIMIT) return this.close();
    const { begin, end, answered } = this.#question;
    const start = this.#output.indexOf(begin);
    const stop = start < 0 ? -1 : this.#output.indexOf(end, start);
    if (stop < 0) return;
    const answer = this.#output.slice(start + begin.length, stop);
    this.#output = '';
    answered(answer);
  }
}

/** So many at once, whatever is asked for; so many stay when nothing is. */
const MOST_SHELLS = 4;
const IDLE_SHELLS = 2;

export class VirshShells {
  readonly #uri: string;
  readonly #idle: VirshShell[] = [];
  readonly #busy = new Set<VirshShell>();
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  constructor(uri: string) {
    this.#uri = uri;
  }

  /** As VirshShell.run. */
  async run(what: string, line: string, deadlineMs: number): Promise<string | null> {
    while (this.#busy.size >= MOST_SHELLS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#closed) return null;
    const shell = this.#take();
    this.#busy.add(shell);
    try {
      return await shell.run(what, line, deadlineMs);
    } finally {
      this.#busy.delete(shell);
      if (shell.usable && !this.#closed && this.#idle.length < IDLE_SHELLS) this.#idle.push(shell);
      else shell.close();
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    this.#closed = true;
    for (const shell of [...this.#idle.splice(0), ...this.#busy]) shell.close();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #take(): VirshShell {
    for (;;) {
      const shell = this.#idle.pop();
      if (shell === undefined) return new VirshShell(this.#uri);
      if (shell.usable) return shell;
    }
  }
}
