/** What the guests' traffic program says (reflector.c), and asking it. */
import type { Gap } from '../traffic/gaps.js';
import type { QemuGuest } from './guest.js';

/** A program started by an emulated CPU on a busy machine. */
const ANSWER_MS = 20_000;

export interface ReflectedFlow {
  readonly flow: number;
  /** `echo` where the program is the one that talks. */
  readonly stream: 'forward' | 'echo';
  /** Answers sent. */
  readonly echoed: number;
  readonly received: number;
  readonly highest: number;
  /** Of the numbers up to the highest. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupt: number;
  /** Numbered too high to be looked at. */
  readonly beyond: number;
  readonly longestGapMs: number;
  /** The first 20 runs [first, last] of numbers that did not arrive. */
  readonly missing: readonly (readonly [number, number])[];
}

export interface ReflectedConnection {
  readonly connected: boolean;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly wrongWords: number;
  readonly longestStallMs: number;
  readonly error: string | null;
}

export interface ReflectorReport {
  readonly name: string;
  readonly running: boolean;
  /** Of a flow that it sends itself. */
  readonly sent: number;
  readonly skipped: number;
  readonly sendErrors: number;
  readonly lastSendError: string | null;
  readonly foreign: number;
  readonly damagedHeaders: number;
  readonly misdelivered: number;
  /** Datagrams that its socket had no room for: lost in the guest, not on the way. */
  readonly socketDrops: number;
  /** Connections beyond 16. */
  readonly refused: number;
  readonly flows: readonly ReflectedFlow[];
  readonly connections: readonly ReflectedConnection[];
}

/** `lap` begins the longest pauses anew; `start` and `stop` are about what it sends by itself. */
export type ReflectorCommand = 'report' | 'lap' | 'start' | 'stop' | 'quit';

/** What became of a range of numbers of one flow. */
export interface ReflectedRange {
  readonly received: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupt: number;
  readonly longestGap: Gap | null;
  /** The first 20 runs [first, last]. */
  readonly missing: readonly (readonly [number, number])[];
}

export interface FlowRange {
  readonly flow: number;
  readonly from: number;
  readonly to: number;
}

/** A guest's shell, or whatever stands for it. */
export type Runs = Pick<QemuGuest, 'run'>;

/**
 * Several questions at once: to start a program takes an emulated CPU long enough. Each is the name of a program and its words.
 * @returns the answers in the order asked. @throws Error when one of them does not run in the guest
 */
export async function askReflectors<T = ReflectorReport>(guest: Runs, questions: readonly (readonly string[])[]): Promise<readonly T[]> {
  if (questions.length === 0) return [];
  const line = questions.map((words) => `reflector ${words.join(' ')}`).join(' && ');
  const output = await guest.run(line, { deadlineMs: ANSWER_MS });
  return output.trimEnd().split('\n').map((each) => JSON.parse(each) as T);
}

/** In the order asked. @throws Error when none runs under this name in the guest */
export async function askReflectorRanges(guest: Runs, name: string, ranges: readonly FlowRange[]): Promise<readonly ReflectedRange[]> {
  const words = ranges.map(({ flow, from, to }) => `${flow} ${from} ${to}`);
  const [answer] = await askReflectors<{ readonly accounts: readonly ReflectedRange[] }>(guest, [[name, 'account', ...words]]);
  return answer?.accounts ?? [];
}

/** @throws Error when none runs under this name in the guest */
export async function askReflector(guest: Runs, name: string, command: ReflectorCommand = 'report'): Promise<ReflectorReport> {
  const [report] = await askReflectors(guest, [[name, command]]);
  if (report === undefined) throw new Error(`reflector ${name} did not answer`);
  return report;
}
