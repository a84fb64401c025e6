/**
 * Bytes as they arrive to lines, however they were cut. Pure.
 *
 * `push(bytes)` returns the lines that are complete now, without their "\n" (a "\r" before it stays; JSON does not mind) and
 * as text: a character of several bytes may have been cut, too. What is incomplete is kept, up to `maxLineBytes`.
 */

/** A line grew beyond what is kept of one; what came is thrown away, and the splitter is of no more use. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError';
}

const NEWLINE = 0x0a;

export class LineSplitter {
  readonly #maxLineBytes: number;
  #pieces: Buffer[] = [];
  #size = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** @throws LineTooLongError */
  push(bytes: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      this.#keep(bytes.subarray(start, end));
      lines.push(Buffer.concat(this.#pieces).toString('utf8'));
      this.#drop();
      start = end + 1;
    }
    this.#keep(bytes.subarray(start));
    return lines;
  }

  #keep(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#size > this.#maxLineBytes) {
      this.#drop();
      throw new LineTooLongError(`a line of more than ${this.#maxLineBytes} bytes`);
    }
    if (piece.length > 0) this.#pieces.push(piece);
  }

  #drop(): void {
    this.#pieces = [];
    this.#size = 0;
  }
}
