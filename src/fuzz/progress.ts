/** How far a long run is: a line that is rewritten on a terminal, now and then a plain one in a log. */

const TERMINAL_MS = 250;
const LOG_MS = 30_000;

export class Progress {
  readonly #total: number;
  readonly #started = Date.now();
  #done = 0;
  #shown = 0;

  constructor(total: number) {
    this.#total = total;
  }

  advance(by: number): void {
    this.#done += by;
    if (Date.now() - this.#shown < (process.stdout.isTTY ? TERMINAL_MS : LOG_MS)) return;
    this.#show();
  }

  /** Something else, on lines of its own. */
  print(text: string): void {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    console.log(text);
  }

  end(): void {
    this.#show();
    if (process.stdout.isTTY) process.stdout.write('\n');
  }

  #show(): void {
    this.#shown = Date.now();
    const seconds = (this.#shown - this.#started) / 1000;
    const rate = seconds === 0 ? 0 : Math.round(this.#done / seconds);
    const line = `${this.#done} of ${this.#total} frames, ${seconds.toFixed(0)} s, ${rate} frames/s`;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
    else console.log(line);
  }
}
