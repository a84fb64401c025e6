/** The results as text. Pure. */
import { type Goal, type GoalId, GOALS, judge } from './goals.js';
import type { SectionReport } from './model.js';
import { type Spread, spreadOf } from './stats.js';

/** First column to the left, the others too where `left` says so. */
export function alignColumns(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ').trimEnd();
  return rows.map(line).join('\n');
}

export function spreadText({ median, low, high }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)}-${high.toFixed(digits)})`;
}

const SIGNS = { 'at most': '<=', 'at least': '>=', 'no worse': '>=', report: '' } as const;

function boundText({ sense, digits = 2 }: Goal, bound: number | undefined): string {
  return bound === undefined || sense === 'report' ? '-' : `${SIGNS[sense]} ${bound.toFixed(digits)}x`;
}

/** The row of a goal, as data; `ratio` is null when it was not measured. */
export interface Row {
  readonly id: GoalId;
  readonly ratio: Spread | null;
  readonly verdict: ReturnType<typeof judge> | 'not measured';
}

export function rowsOf(reports: readonly SectionReport[]): Row[] {
  const sections = new Set(reports.map(({ section }) => section));
  return (Object.keys(GOALS) as GoalId[]).filter((id) => sections.has(GOALS[id].section)).map((id) => {
    const values = reports.flatMap(({ ratios }) => ratios[id] ?? []);
    if (values.length === 0) return { id, ratio: null, verdict: 'not measured' };
    const ratio = spreadOf(values);
    return { id, ratio, verdict: judge(GOALS[id], ratio) };
  });
}

export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map(({ id, ratio, verdict }) => {
    const goal: Goal = GOALS[id];
    const words = verdict === 'stretch' ? 'met, and stretch' : verdict;
    const measured = ratio === null ? '-' : spreadText(ratio, goal.digits ?? 2);
    return [goal.what, goal.against, measured, boundText(goal, goal.goal), boundText(goal, goal.stretch), words];
  });
  return alignColumns([['what', 'against', 'ratio (quartiles)', 'goal', 'stretch', ''], ...cells], [0, 1, 5]);
}

/** Three significant digits, but never fewer than the whole number has. */
function figureText(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

export function renderFigures(reports: readonly SectionReport[]): string {
  const rows = reports.flatMap(({ figures }) => figures).map(({ what, unit, values }) => {
    if (values.length === 0) return [what, '-', unit];
    const { median, low, high } = spreadOf(values);
    return [what, `${figureText(median)} (${figureText(low)}-${figureText(high)})`, unit];
  });
  return alignColumns(rows, [0, 2]);
}
