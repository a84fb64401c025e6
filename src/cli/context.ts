/** What every command gets: where to print, how, and the daemon's socket. */
import type { Command } from 'commander';
import { ControlClient } from '../control/client.js';
import { PROTOCOL_SCHEMA } from '../control/protocol.js';
import { DEFAULT_READ_SOCKET, DEFAULT_SOCKET } from '../control/usual_socket.js';
import { CliError, ExitCode } from './exit.js';
import type { Cell } from './table.js';
import { list, painted, table } from './table.js';
import type { Terminal } from './terminal.js';
import type { Key } from './top_view.js';

/** Data goes to `out`, messages to `err`. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Does `out` show colours? */
  readonly colour: boolean;
  /** A signal that is aborted when the user interrupts; without asking for it, an interrupt ends the process. */
  readonly interrupted: () => AbortSignal;
  /** Draws on the terminal from now on; absent: there is none. `changed`: its size has. */
  readonly openTerminal?: (pressed: (key: Key) => void, changed: () => void) => Terminal;
}

export interface GlobalOptions {
  readonly socket?: string;
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly timeout?: string;
  readonly color?: 'auto' | 'always' | 'never';
  readonly brief?: boolean;
  readonly stats?: boolean;
  readonly details?: boolean;
  readonly timestamp?: boolean;
}

const COMMON_OPTIONS: readonly (readonly [string, string])[] = [
  ['-S, --socket <path>', `control socket of unipathd (default: ${DEFAULT_SOCKET}, or, for who may not open that, ${DEFAULT_READ_SOCKET})`],
  ['-j, --json', 'print JSON'],
  ['-p, --pretty', 'print JSON for reading'],
  ['--brief', 'a line for each thing, without headings; also -br'],
  ['-s, --stats', 'with counters, where a command shows vNICs'],
  ['-d, --details', 'everything about each, where a command shows several'],
  ['-t, --timestamp', 'with the time at which it was so'],
  ['--timeout <seconds>', 'how long an answer may take (default: 10)'],
];

/** "--json" and so on. */
export function commonOptionNames(): readonly string[] {
  return [...COMMON_OPTIONS.map(([flags]) => flags), '--color'].flatMap((flags) => /--[\w-]+/.exec(flags) ?? []);
}

/** Options that stand before or behind the command; shown in the help of the whole only. */
export function addCommonOptions(command: Command): void {
  const hidden = command.parent !== null;
  for (const [flags, description] of COMMON_OPTIONS) {
    const option = command.createOption(flags, description);
    // A command may say itself what this one means for it.
    if (!command.options.some(({ long }) => long === option.long)) command.addOption(option.hideHelp(hidden));
  }
  const colour = command.createOption('-c, --color <when>', 'default: auto, on a terminal and unless NO_COLOR is set');
  command.addOption(colour.choices(['auto', 'always', 'never']).hideHelp(hidden));
}

/** "2.5" -> 2500. `least` and `most` in milliseconds. @throws CliError */
export function milliseconds(text: string, option: string, least = 0, most = Number.POSITIVE_INFINITY): number {
  const seconds = Number(text);
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds < 0) {
    throw new CliError(`${option} ${text}: not a number of seconds`, 'usage', null, ExitCode.usage);
  }
  const rounded = Math.round(seconds * 1000);
  if (rounded < least || rounded > most) {
    const range = most === Number.POSITIVE_INFINITY ? `at least ${least / 1000} seconds` : `not from ${least / 1000} to ${most / 1000} seconds`;
    throw new CliError(`${option} ${text}: ${range}`, 'usage', null, ExitCode.usage);
  }
  return rounded;
}

export class Context {
  constructor(
    readonly io: Io,
    readonly options: GlobalOptions,
  ) {}

  get json(): boolean {
    return this.options.json === true || this.options.pretty === true;
  }

  get brief(): boolean {
    return this.options.brief === true;
  }

  get stats(): boolean {
    return this.options.stats === true;
  }

  get details(): boolean {
    return this.options.details === true;
  }

  /** Does what is printed have colours? */
  get colour(): boolean {
    const { color = 'auto' } = this.options;
    return color === 'auto' ? this.io.colour : color === 'always';
  }

  client(): ControlClient {
    const { socket, timeout } = this.options;
    return new ControlClient(socket, timeout === undefined ? undefined : milliseconds(timeout, '--timeout', 1));
  }

  /** The line that leads in what was so at this time; nothing unless asked for. JSON documents have it by themselves. */
  printTime(): void {
    if (this.options.timestamp === true && !this.json) this.printLine({ text: new Date().toISOString(), style: 'quiet' });
  }

  /** A JSON document with its schema number; `body` may carry one, and a time, already. */
  printJson(body: object): void {
    const time = this.options.timestamp === true ? { time: new Date().toISOString() } : {};
    const document = { schema: PROTOCOL_SCHEMA, ...time, ...body };
    this.io.out(`${this.options.pretty === true ? JSON.stringify(document, null, 2) : JSON.stringify(document)}\n`);
  }

  /** Without its headings where it shall be brief. */
  printTable(headings: readonly string[], rows: readonly (readonly (Cell | string)[])[]): void {
    this.io.out(table(this.brief ? null : headings, rows, this.colour));
  }

  printList(entries: readonly (readonly [string, Cell | string])[]): void {
    this.io.out(list(entries, this.colour));
  }

  printLine(...parts: readonly (Cell | string)[]): void {
    this.io.out(`${parts.map((part) => painted(part, this.colour)).join('')}\n`);
  }
}
