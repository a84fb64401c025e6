/**
 * Lines of samples as bytes that are kept from one scrape to the next: a number that did not change stays as it is, and one with as many
 * digits as before is written over the old one. All else makes the block anew. Pure.
 */

/** One sample. What is below `prefix` belongs to its block. */
export interface Line {
  readonly value: number;
  /** The reading in which the value was set. */
  readonly round: number;
  /** Up to the value. */
  readonly prefix: string;
  /** Where the value stands in the block's text, how many bytes it has there, and what it is there. */
  at: number;
  width: number;
  shown: number;
}

/** So few that making one anew takes no time to speak of, and so many that joining them does not. */
const LINES_A_BLOCK = 64;
const MOST_DIGITS = 15;
/** The least number of so many digits. 0 has one. */
const LEAST = Float64Array.from({ length: MOST_DIGITS + 2 }, (_, digits) => (digits <= 1 ? 0 : 10 ** (digits - 1)));
const HALF = 1e9;
const HALF_DIGITS = 9;
const ZERO = 0x30;

/** As client libraries of Prometheus write it. */
function textOf(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'Nan' : value > 0 ? '+Inf' : '-Inf';
}

/** Is it written in exactly so many digits, and nothing else? */
function hasDigits(value: number, digits: number): boolean {
  return digits <= MOST_DIGITS && value >= LEAST[digits]! && value < LEAST[digits + 1]! && Math.floor(value) === value;
}

/** Below 10^9, right-aligned; V8 keeps such numbers whole. */
function writeHalf(text: Buffer, value: number, at: number, digits: number): void {
  let rest = value | 0;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = (rest / 10) | 0;
    text[i] = ZERO + rest - next * 10;
    rest = next;
  }
}

function writeDigits(text: Buffer, value: number, at: number, digits: number): void {
  if (digits <= HALF_DIGITS) {
    writeHalf(text, value, at, digits);
    return;
  }
  const high = Math.floor(value / HALF);
  writeHalf(text, high, at, digits - HALF_DIGITS);
  writeHalf(text, value - high * HALF, at + digits - HALF_DIGITS, HALF_DIGITS);
}

export class TextBlock<T extends Line> {
  lines: T[];
  /** Of the last update. Holds until the next. */
  text: Buffer = Buffer.alloc(0);
  #isWhole = false;

  constructor(first: T) {
    this.lines = [first];
  }

  /** False: there is no room. */
  add(line: T): boolean {
    if (this.lines.length >= LINES_A_BLOCK) return false;
    this.lines.push(line);
    this.#isWhole = false;
    return true;
  }

  /** Brings the text up to date. Those whose value was set in another round are taken out and returned. */
  update(round: number): readonly T[] {
    if (this.#isWhole && this.#patch(round)) return [];
    const gone = this.lines.filter((line) => line.round !== round);
    if (gone.length > 0) this.lines = this.lines.filter((line) => line.round === round);
    this.#make();
    return gone;
  }

  /** False where that is not enough. */
  #patch(round: number): boolean {
    for (const line of this.lines) {
      if (line.round !== round) return false;
      const { value } = line;
      if (value === line.shown) continue;
      if (!hasDigits(value, line.width)) return false;
      writeDigits(this.text, value, line.at, line.width);
      line.shown = value;
    }
    return true;
  }

  #make(): void {
    let [text, at] = ['', 0];
    for (const line of this.lines) {
      const value = textOf(line.value);
      line.at = at + Buffer.byteLength(line.prefix);
      line.width = value.length;
      line.shown = line.value;
      at = line.at + value.length + 1;
      text += `${line.prefix}${value}\n`;
    }
    this.text = Buffer.from(text);
    this.#isWhole = true;
  }
}
