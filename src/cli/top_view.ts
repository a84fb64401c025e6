/** What is looked at in `unipath top`, and what keys do to it. Pure. */
import type { TopRow } from './top_rates.js';

export const SORTS = ['pps', 'bps', 'drops', 'imbalance', 'name'] as const;
export type Sort = (typeof SORTS)[number];

export const FILTERS = ['all', 'accelerated', 'software', 'not as wanted'] as const;
export type PathFilter = (typeof FILTERS)[number];

export interface View {
  readonly sort: Sort;
  readonly reverse: boolean;
  /** Part of a vNIC's or an adapter's name. */
  readonly filter: string;
  /** The filter is being typed. */
  readonly typing: boolean;
  readonly paths: PathFilter;
  readonly paused: boolean;
  /** Rows that have been scrolled by. */
  readonly scroll: number;
  readonly intervalMs: number;
}

export const FIRST_VIEW: View = {
  sort: 'pps', reverse: false, filter: '', typing: false, paths: 'all', paused: false, scroll: 0, intervalMs: 1000,
};

/** Also what `--interval` takes. */
export const INTERVALS_MS = { least: 100, most: 60_000 } as const;

/** A key, as `node:readline` names it. */
export interface Key {
  readonly name?: string | undefined;
  readonly sequence?: string | undefined;
  readonly ctrl?: boolean | undefined;
}

/** The same key again turns the order around. */
const sortedBy = (view: View, sort: Sort): View => ({ ...view, scroll: 0, sort, reverse: view.sort === sort && !view.reverse });

const paced = (view: View, intervalMs: number): View => ({
  ...view,
  intervalMs: Math.min(INTERVALS_MS.most, Math.max(INTERVALS_MS.least, Math.round(intervalMs))),
});

const scrolled = (view: View, by: number): View => ({ ...view, scroll: Math.max(0, view.scroll + by) });

const isChar = (text: string | undefined): text is string => text !== undefined && /^[\x21-\x7e]$/.test(text);

function type(view: View, key: Key): View {
  if (key.name === 'return' || key.name === 'enter') return { ...view, typing: false };
  if (key.name === 'escape') return { ...view, typing: false, filter: '' };
  if (key.name === 'backspace') return { ...view, filter: view.filter.slice(0, -1), scroll: 0 };
  return isChar(key.sequence) ? { ...view, filter: view.filter + key.sequence, scroll: 0 } : view;
}

/** null: the user has seen enough. `page`: rows that fit. */
export function press(view: View, key: Key, page: number): View | null {
  if (key.ctrl === true && (key.name === 'c' || key.name === 'd')) return null;
  if (view.typing) return type(view, key);
  switch (key.name ?? key.sequence) {
    case 'q':
      return null;
    case 'p':
      return sortedBy(view, 'pps');
    case 'b':
      return sortedBy(view, 'bps');
    case 'd':
      return sortedBy(view, 'drops');
    case 'i':
      return sortedBy(view, 'imbalance');
    case 'n':
      return sortedBy(view, 'name');
    case 'a':
      return { ...view, scroll: 0, paths: FILTERS[(FILTERS.indexOf(view.paths) + 1) % FILTERS.length] ?? 'all' };
    case 'space':
      return { ...view, paused: !view.paused };
    case 'escape':
      return { ...view, filter: '', paths: 'all', scroll: 0 };
    case 'up':
    case 'k':
      return scrolled(view, -1);
    case 'down':
    case 'j':
      return scrolled(view, 1);
    case 'pageup':
      return scrolled(view, -page);
    case 'pagedown':
      return scrolled(view, page);
    case 'home':
      return { ...view, scroll: 0 };
    default:
      break;
  }
  if (key.sequence === '/') return { ...view, typing: true, filter: '' };
  if (key.sequence === '+') return paced(view, view.intervalMs * 2);
  if (key.sequence === '-') return paced(view, view.intervalMs / 2);
  return view;
}

/** Largest share of a queue, in shares of an even spread: 1 = even. 0: nothing was spread. */
export function imbalanceOf({ queue_percents }: TopRow): number {
  return queue_percents.length === 0 ? 0 : (Math.max(...queue_percents) * queue_percents.length) / 100;
}

/** What comes first is larger. */
const SIZES: Readonly<Record<Exclude<Sort, 'name'>, (row: TopRow) => number>> = {
  pps: ({ tap, vf }) => tap.packets_per_second + vf.packets_per_second,
  bps: ({ tap, vf }) => tap.bits_per_second + vf.bits_per_second,
  drops: ({ drops_per_second }) => drops_per_second,
  imbalance: imbalanceOf,
};

const PASSES: Readonly<Record<PathFilter, (row: TopRow) => boolean>> = {
  all: () => true,
  accelerated: ({ path }) => path === 'accelerated',
  software: ({ path }) => path === 'software',
  'not as wanted': ({ as_wanted }) => !as_wanted,
};

/** Those that are looked for, in their order; of equals, by name. */
export function chosenRows(rows: readonly TopRow[], view: View): readonly TopRow[] {
  const text = view.filter.toLowerCase();
  const isChosen = ({ vnic, adapter }: TopRow): boolean => vnic.toLowerCase().includes(text) || adapter.toLowerCase().includes(text);
  const byName = (a: TopRow, b: TopRow): number => a.vnic.localeCompare(b.vnic, 'en', { numeric: true });
  const compare = (a: TopRow, b: TopRow): number => {
    if (view.sort === 'name') return byName(a, b) * (view.reverse ? -1 : 1);
    const size = SIZES[view.sort];
    return (size(b) - size(a)) * (view.reverse ? -1 : 1) || byName(a, b);
  };
  return rows.filter((row) => isChosen(row) && PASSES[view.paths](row)).sort(compare);
}
