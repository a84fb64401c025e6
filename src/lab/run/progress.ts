/** What the reader sees while it runs: on a terminal a line that moves, elsewhere plain lines. */
import { grouped, milliseconds } from '../report/html.js';
import { type StepResult, worstSwitchMs } from '../results.js';

export interface Progress {
  /** Something is being done that takes a while; empty: nothing is. */
  doing(text: string): void;
  /** A line that stays. */
  line(text: string): void;
  step(index: number, count: number, result: StepResult): void;
  end(): void;
}

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const CLEAR_LINE = '\r\x1b[K';
const REDRAW_MS = 100;
/** A terminal that does not tell its width says 0. */
const FALLBACK_COLUMNS = 80;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** One step in one line. */
export function stepLine(index: number, count: number, step: StepResult): string {
  const { frames, where } = step;
  const switched = worstSwitchMs(step.switchTimes);
  const facts = [
    `${grouped(frames.sent)} sent`,
    `${frames.lost} lost`,
    `${frames.duplicated} duplicated`,
    `${frames.corrupt} corrupt`,
    ...(switched === null ? [] : [`switch ${milliseconds(switched)} ms`]),
    `${grouped(Math.round(step.framesPerSecond))} frames/s`,
  ];
  const place = `${where.host} ${where.path}${where.reason === 'none' ? '' : ` (${where.reason})`}`;
  const verdict = step.failures.length === 0 ? 'ok  ' : 'FAIL';
  return `${verdict} ${String(index + 1).padStart(2)}/${count} ${step.title}: ${place}; ${facts.join(', ')}`;
}

class PlainProgress implements Progress {
  readonly #out: Terminal;

  constructor(out: Terminal) {
    this.#out = out;
  }

  doing(_text: string): void {}

  line(text: string): void {
    this.#out.write(`${text}\n`);
  }

  step(index: number, count: number, result: StepResult): void {
    this.line(stepLine(index, count, result));
    for (const failure of result.failures) this.line(`          ${failure}`);
  }

  end(): void {}
}

class LiveProgress extends PlainProgress {
  readonly #terminal: Terminal;
  readonly #started = Date.now();
  readonly #timer: NodeJS.Timeout;
  #doing = '';
  #frame = 0;

  constructor(terminal: Terminal) {
    super(terminal);
    this.#terminal = terminal;
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  override doing(text: string): void {
    this.#doing = text;
    if (text === '') this.#terminal.write(CLEAR_LINE);
    this.#draw();
  }

  override line(text: string): void {
    this.#terminal.write(CLEAR_LINE);
    super.line(text);
    this.#draw();
  }

  override end(): void {
    clearInterval(this.#timer);
    this.#doing = '';
    this.#terminal.write(CLEAR_LINE);
  }

  #draw(): void {
    if (this.#doing === '') return;
    this.#frame = (this.#frame + 1) % SPINNER.length;
    const elapsed = ((Date.now() - this.#started) / 1000).toFixed(1);
    const text = `${SPINNER[this.#frame]} ${elapsed.padStart(5)} s  ${this.#doing}`;
    this.#terminal.write(`${CLEAR_LINE}${text.slice(0, (this.#terminal.columns || FALLBACK_COLUMNS) - 1)}`);
  }
}

export const progressOn = (out: Terminal): Progress => (out.isTTY === true ? new LiveProgress(out) : new PlainProgress(out));
