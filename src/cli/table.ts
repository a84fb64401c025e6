/** Columns as `ip` and `bridge` print them: padded, no lines, the first row in capitals. Pure but for the colour codes. */
import { styleText } from 'node:util';

export type Style = 'good' | 'bad' | 'busy' | 'quiet';

/** Text, and how it looks where there is colour. */
export interface Cell {
  readonly text: string;
  readonly style: Style;
}

/** Whether there is colour has been decided already; newer versions of Node would look at the terminal once more. */
const style = styleText as (format: string, text: string, options: { readonly validateStream: boolean }) => string;

const COLOURS = { good: 'green', bad: 'red', busy: 'yellow', quiet: 'gray' } as const;

export function painted(cell: Cell | string, colour: boolean): string {
  if (typeof cell === 'string') return cell;
  return colour ? style(COLOURS[cell.style], cell.text, { validateStream: false }) : cell.text;
}

const widthOf = (cell: Cell | string): number => [...(typeof cell === 'string' ? cell : cell.text)].length;

/** "12", "0.5", "12.3M", "~90"; "-" stands for a number that there is not. */
const isNumeric = (texts: readonly string[]): boolean => texts.some((text) => text !== '-') && texts.every((text) => /^(?:-|~?\d+(?:\.\d+)?[kMGT]?)$/.test(text));

/** Lines, each with its end. Columns that are numbers throughout stand to the right. `headings` null: there are none. */
export function table(headings: readonly string[] | null, rows: readonly (readonly (Cell | string)[])[], colour: boolean): string {
  const all: readonly (readonly (Cell | string)[])[] = headings === null ? rows : [headings, ...rows];
  const columns = all[0] ?? [];
  const widths = columns.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))));
  const numeric = columns.map((_, column) => isNumeric(rows.map((row) => painted(row[column] ?? '', false))));
  const line = (row: readonly (Cell | string)[]): string =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        const shown = painted(cell, colour);
        if (numeric[column] === true) return padding + shown;
        return column === row.length - 1 ? shown : shown + padding;
      })
      .join('  ');
  return all.map((row) => `${line(row)}\n`).join('');
}

/** "key: value" lines, values in one column. */
export function list(entries: readonly (readonly [string, Cell | string])[], colour: boolean): string {
  const width = Math.max(...entries.map(([key]) => key.length));
  return entries.map(([key, value]) => `${key.padEnd(width)}  ${painted(value, colour)}\n`).join('');
}
