/**
 * Families whose values are read elsewhere at each scrape. They are written as text as they are read: one update of a client library's
 * object for each series, and its rendering, take several times as long, and of a host with hundreds of vNICs there are tens of thousands.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

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

class ReadCell implements Cell {
  value = 0;
  /** Round of its family in which it was set. */
  round = -1;
  /** Among those that are rendered. */
  listed = false;
  /** Of its line, up to the value. */
  readonly prefix: string;

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
  readonly #cells = new Map<string, ReadCell>();

  constructor(info: FamilyInfo) {
    this.info = info;
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
  }

  get head(): string {
    const { name, type, help } = this.info;
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  /** What was set since it was emptied; the others are forgotten. */
  *current(): Generator<ReadCell, void> {
    for (const [key, cell] of this.#cells) {
      if (cell.round === this.round) yield cell;
      else {
        cell.listed = false;
        this.#cells.delete(key);
      }
    }
  }
}

/** Series of one piece of the text: some 40 kB. */
export const SERIES_A_PIECE = 500;

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

  /**
   * The text, in pieces of at most SERIES_A_PIECE series. Nothing is to be read anew until the last one is taken. They are bytes: strings that
   * are still in parts when the next ones are made cost the garbage collector more than all the rest.
   */
  *pieces(): Generator<Buffer, void> {
    let [text, series] = ['', 0];
    for (const family of this.#families) {
      text += family.head;
      for (const { prefix, value } of family.current()) {
        text += prefix + value + '\n';
        series += 1;
        if (series < SERIES_A_PIECE) continue;
        yield Buffer.from(text);
        [text, series] = ['', 0];
      }
      text += '\n';
    }
    yield Buffer.from(text);
  }

  #add(info: FamilyInfo): Family {
    const family = new ReadFamily(info);
    this.#families.push(family);
    return family;
  }
}
