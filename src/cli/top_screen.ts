/** The picture of `unipath top`, for a terminal of any size. Pure. */
import type { MonitorEvent } from '../control/protocol.js';
import { type Cell, painted } from './table.js';
import type { TopRow } from './top_rates.js';
import { chosenRows, type View } from './top_view.js';
import { scaled } from './words.js';

export interface Picture {
  readonly columns: number;
  readonly lines: number;
  readonly colour: boolean;
  /** Time of day. */
  readonly time: string;
  readonly rows: readonly TopRow[];
  /** Newest last. */
  readonly events: readonly MonitorEvent[];
  /** What is not as it should be; empty: all is well. */
  readonly problems: readonly string[];
  readonly view: View;
}

const NAME_WIDTH = 14;
const REASON_WIDTH = 24;
const KEYS = 'q quit  sort: p pps b bps d drops i imbalance n name  / filter  a paths  +- pace';
/** With less, rows are worth more than events. */
const LINES_FOR_EVENTS = 12;

interface Column {
  readonly heading: string;
  readonly width: number;
  readonly right: boolean;
  readonly cell: (row: TopRow) => Cell | string;
}

const number = (heading: string, width: number, value: (row: TopRow) => number): Column => ({
  heading, width, right: true, cell: (row) => scaled(value(row)),
});

function pathCell({ path, as_wanted }: TopRow): Cell {
  return { text: path === 'accelerated' ? 'accel' : 'soft', style: as_wanted ? 'good' : 'busy' };
}

function reasonCell({ reason, as_wanted }: TopRow): Cell | string {
  return reason === 'none' ? '-' : { text: reason, style: as_wanted ? 'quiet' : 'busy' };
}

const COLUMNS: readonly Column[] = [
  { heading: 'VNIC', width: NAME_WIDTH, right: false, cell: ({ vnic }) => vnic },
  { heading: 'PATH', width: 5, right: false, cell: pathCell },
  number('TAP-PPS', 7, ({ tap }) => tap.packets_per_second),
  number('TAP-BPS', 7, ({ tap }) => tap.bits_per_second),
  number('VF-PPS', 7, ({ vf }) => vf.packets_per_second),
  number('VF-BPS', 7, ({ vf }) => vf.bits_per_second),
  number('BRIDGE', 7, ({ bridge_packets_per_second }) => bridge_packets_per_second),
  {
    ...number('DROPS', 7, ({ drops_per_second }) => drops_per_second),
    cell: ({ drops_per_second }) => (drops_per_second === 0 ? '0' : { text: scaled(drops_per_second), style: 'bad' }),
  },
  { heading: 'QUEUES-%', width: 11, right: false, cell: ({ queue_percents }) => queuesText(queue_percents) },
];
const REASON: Column = { heading: 'REASON', width: REASON_WIDTH, right: false, cell: reasonCell };

/** "28/72"; of many queues the largest share. */
export function queuesText(percents: readonly number[]): string {
  if (percents.length === 0) return '-';
  const all = percents.join('/');
  return all.length <= 11 ? all : `max ${Math.max(...percents)}/${percents.length}`;
}

const cut = (text: string, width: number): string => {
  const characters = [...text];
  return characters.length <= width ? text : width < 2 ? characters.slice(0, width).join('') : `${characters.slice(0, width - 1).join('')}~`;
};

/** Text and style of a cell in exactly its column's width. */
function fitted({ width, right }: Column, cell: Cell | string, colour: boolean): string {
  const text = cut(typeof cell === 'string' ? cell : cell.text, width);
  const space = ' '.repeat(width - [...text].length);
  const shown = typeof cell === 'string' ? text : painted({ text, style: cell.style }, colour);
  return right ? space + shown : shown + space;
}

/** As many columns as there is room for. */
function columnsFor(width: number): readonly Column[] {
  let used = -1;
  return [...COLUMNS, REASON].filter((column) => {
    used += column.width + 1;
    return used <= width;
  });
}

export const eventLines = (lines: number): number => (lines < LINES_FOR_EVENTS ? 0 : Math.min(5, Math.floor(lines / 5)));

/** Rows that fit beside everything else. */
export function pageSize(lines: number): number {
  const events = eventLines(lines);
  return Math.max(0, lines - 3 - (events === 0 ? 0 : events + 1));
}

/** What matters most stands first: the rest may be cut off. */
function head({ time, rows, problems, view, columns, colour }: Picture): string {
  const accelerated = rows.filter(({ path }) => path === 'accelerated').length;
  const filters = [view.filter === '' ? '' : ` /${view.filter}`, view.paths === 'all' ? '' : ` ${view.paths}`].join('');
  const pace = view.paused ? 'paused' : `every ${view.intervalMs / 1000} s`;
  const state: Cell = problems.length === 0 ? { text: 'OK', style: 'good' } : { text: 'DEGRADED', style: 'bad' };
  const begin = cut(`unipath top ${time} `, columns);
  const shown = cut(state.text, columns - begin.length);
  const end = ` ${pace}, accelerated ${accelerated}/${rows.length}, by ${view.sort}${view.reverse ? ' reversed' : ''}${filters}`;
  return begin + painted({ ...state, text: shown }, colour) + cut(end, columns - begin.length - shown.length);
}

/** In the place of rows. */
function emptyText({ rows, problems }: Picture): string {
  if (rows.length > 0) return 'no vNIC is like that: Esc shows all';
  return problems[0] ?? 'there are no vNICs';
}

/** Most messages say themselves whom they are about. */
function eventLine({ time, vnic, adapter, message }: MonitorEvent): string {
  const who = vnic ?? adapter;
  return `${time.slice(11, 19)} ${who === null || message.includes(who) ? '' : `${who}: `}${message}`;
}

/** At most `lines` lines, none wider than `columns`. */
export function picture(input: Picture): readonly string[] {
  const { columns: width, lines, colour, rows, events, problems, view } = input;
  const columns = columnsFor(width);
  const headings = columns.map((column) => fitted(column, column.heading, false)).join(' ').trimEnd();
  const chosen = chosenRows(rows, view);
  const page = pageSize(lines);
  const start = Math.min(view.scroll, Math.max(0, chosen.length - page));
  const shown = chosen.slice(start, start + page).map((row) => columns.map((column) => fitted(column, column.cell(row), colour)).join(' ').trimEnd());
  const body = chosen.length === 0 ? [cut(emptyText(input), width)].slice(0, page) : shown;
  const padding = Array.from({ length: Math.max(0, page - body.length) }, () => '');
  const many = eventLines(lines);
  const unwell = many === 0 ? [] : problems.slice(0, 1).map((problem) => {
    const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
    return painted({ text: cut(problem, width - more.length) + more, style: 'bad' }, colour);
  });
  const news = events.slice(events.length - Math.max(0, many - unwell.length)).map((event) =>
    painted({ text: cut(eventLine(event), width), style: event.kind === 'error' ? 'bad' : 'quiet' }, colour),
  );
  const below = many === 0 ? [] : ['', ...unwell, ...news, ...Array.from({ length: many - unwell.length - news.length }, () => '')];
  const last = view.typing ? `filter: ${view.filter}_   Enter keeps it, Esc clears it` : KEYS;
  return [head(input), cut(headings, width), ...body, ...padding, ...below, cut(last, width)].slice(0, lines);
}
