/**
 * Families whose values are read elsewhere at each scrape. One update of a client library's object for each series, and its rendering, take
 * many times as long, and of a host with hundreds of vNICs there are tens of thousands: here text is kept (text_block.ts).
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import { type Line, TextBlock } from './text_block.js';


/** One metric family, as it is documented. */
export interface FamilyInfo {
  readonly name: string;
  readonly type: string;
  readonly labelNames: readonly string[];
  readonly help: string;
}

export type Labels = Readonly<Record<string, string>>;

/** One series. Whoever fills very many of them at each scrape keeps them, so that their labels are written once. */
export interface Cell {
  set(value: number | bigint): void;
}

/** Emptied and filled by one scrape after the other. */
export interface Family {
  clear(): void;
  cell(labels: Labels): Cell;
  /** Of a counter: adds to what was set for the same labels since it was emptied. */
  set(labels: Labels, value: number | bigint): void;
}

const SPECIAL = /[\\"\n]/;

function escaped(value: string): string {
  if (!SPECIAL.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** After each family. */
const END = Buffer.from('\n');

class ReadCell implements Cell, Line {
  value = 0;
  /** Round of its family in which it was set. */
  round = -1;
  /** Among those that are rendered. */
  listed = false;
  readonly prefix: string;
  at = 0;
  width = 0;
  shown = 0;

  constructor(
    readonly family: ReadFamily,
    readonly labels: string,
  ) {
    this.prefix = `${family.info.name}${labels} `;
  }

  set(value: number | bigint): void {
    const isFurther = this.round === this.family.round && this.family.info.type === 'counter';
    this.value = (isFurther ? this.value : 0) + Number(value);
    this.round = this.family.round;
    if (!this.listed) this.family.list(this);
  }
}

class ReadFamily implements Family {
  readonly info: FamilyInfo;
  /** Rises when the family is emptied. */
  round = 0;
  readonly head: Buffer;
  readonly #cells = new Map<string, ReadCell>();
  #blocks: TextBlock<ReadCell>[] = [];

  constructor(info: FamilyInfo) {
    this.info = info;
    const { name, type, help } = info;
    this.head = Buffer.from(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  }

  clear(): void {
    this.round += 1;
  }

  cell(labels: Labels): Cell {
    const pairs = this.info.labelNames.map((name) => `${name}="${escaped(labels[name] ?? '')}"`);
    const text = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
    return this.#cells.get(text) ?? new ReadCell(this, text);
  }

  set(labels: Labels, value: number | bigint): void {
    this.cell(labels).set(value);
  }

  list(cell: ReadCell): void {
    cell.listed = true;
    this.#cells.set(cell.labels, cell);
    if (this.#blocks.at(-1)?.add(cell) !== true) this.#blocks.push(new TextBlock(cell));
  }

  /** The text of what was set since it was emptied, and of how many series; the others are forgotten. Holds until the next is asked for. */
  *current(): Generator<readonly [text: Buffer, series: number], void> {
    for (const block of this.#blocks) {
      for (const gone of block.update(this.round)) {
        gone.listed = false;
        this.#cells.delete(gone.labels);
      }
      if (block.lines.length > 0) yield [block.text, block.lines.length];
    }
    this.#blocks = this.#blocks.filter(({ lines }) => lines.length > 0);
  }
}

/** Series of one piece of the text: some 200 kB. */
export const SERIES_A_PIECE = 2000;

export class Readings {
  readonly #families: ReadFamily[] = [];

  gauge(name: string, help: string, labelNames: readonly string[] = []): Family {
    return this.#add({ name, type: 'gauge', help, labelNames });
  }

  counter(name: string, help: string, labelNames: readonly string[]): Family {
    return this.#add({ name, type: 'counter', help, labelNames });
  }

  families(): FamilyInfo[] {
    return this.#families.map(({ info }) => info);
  }

  /** The text, in pieces of at most SERIES_A_PIECE series. Nothing is to be read anew until the last one is taken. They are copies. */
  *pieces(): Generator<Buffer, void> {
    let [parts, series]: [Buffer[], number] = [[], 0];
    for (const family of this.#families) {
      parts.push(family.head);
      for (const [text, count] of family.current()) {
        if (series + count > SERIES_A_PIECE) {
          yield Buffer.concat(parts);
          [parts, series] = [[], 0];
        }
        parts.push(text);
        series += count;
      }
      parts.push(END);
    }
    yield Buffer.concat(parts);
  }

  #add(info: FamilyInfo): Family {
    const family = new ReadFamily(info);
    this.#families.push(family);
    return family;
  }
}
