/** A terminal that is drawn on: the other screen, keys one by one, and everything as before when it is let go of. */
import { emitKeypressEvents } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Key } from './top_view.js';

export interface Terminal {
  readonly columns: number;
  readonly lines: number;
  /** Replaces what is shown. */
  draw(lines: readonly string[]): void;
  /** Puts the terminal back as it was; more than once does no harm. */
  close(): void;
}

/** Also what `--color` and pipes leave alone. See ctlseqs of xterm: private modes 1049 (other screen) and 25 (cursor). */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const CLEAR = '\u001b[2J';

/** A terminal may say that it has no size at all. */
const SMALLEST = { columns: 20, lines: 3 };

/** Opens the terminal of this process. `changed`: its size has. */
export function openTerminal(input: ReadStream, output: WriteStream, pressed: (key: Key) => void, changed: () => void): Terminal {
  const onKey = (_text: string | undefined, key: Key): void => pressed(key);
  const onResize = (): void => {
    output.write(CLEAR);
    changed();
  };
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    process.removeListener('exit', close);
    input.removeListener('keypress', onKey);
    output.removeListener('resize', onResize);
    input.setRawMode(false);
    input.pause();
    output.write(LEAVE);
  };
  emitKeypressEvents(input);
  input.setRawMode(true);
  input.resume();
  input.on('keypress', onKey);
  output.on('resize', onResize);
  // Whatever ends the process in JavaScript passes here.
  process.once('exit', close);
  output.write(ENTER);
  return {
    get columns() {
      return Math.max(output.columns || 80, SMALLEST.columns);
    },
    get lines() {
      return Math.max(output.rows || 24, SMALLEST.lines);
    },
    // The line is wiped first: at the last column there is no place behind the text.
    draw: (lines) => void output.write(lines.map((line, i) => `\u001b[${i + 1};1H\u001b[2K${line}`).join('')),
    close,
  };
}
