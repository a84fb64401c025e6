/** The result as text. Pure. */
import { type MeasuredProgram, type SinkKind, WAY_TITLES } from './model.js';
import type { Result, Spread } from './stats.js';

const PROGRAM_TITLES: Readonly<Record<MeasuredProgram, string>> = {
  empty: 'empty program',
  redirect: WAY_TITLES.redirect,
  rfs: WAY_TITLES.rfs,
  rss4: WAY_TITLES.rss4,
  rss6: WAY_TITLES.rss6,
  cpumap: 'unipath, RSS, first stage of cpumap',
};

/** First column to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ').trimEnd();
  return rows.map(line).join('\n');
}

function ratio({ median, low, high }: Spread): string {
  return `${median.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
}

const SINK_TITLES: Readonly<Record<SinkKind, string>> = {
  xdp: 'dropped there by a program',
  stack: 'dropped there by the guest\'s network stack',
};

export function renderResult(result: Result, sink: SinkKind): string {
  const ways = result.ways.map((way) => [
    WAY_TITLES[way.way],
    (way.framesPerSecond / 1e6).toFixed(2),
    way.nsPerFrame.median.toFixed(0),
    way.way === 'bridge' ? '1' : ratio(way.timesBridge),
    way.way === 'redirect' ? '1' : ratio(way.timesRedirect),
    `${(way.lost * 100).toFixed(way.lost > 0 ? 1 : 0)} %`,
  ]);
  const programs = result.programs.map(({ program, ns, netOfEmptyNs }) =>
    [PROGRAM_TITLES[program], ns.toFixed(0), netOfEmptyNs.toFixed(0)]);
  return [
    `Forwarding, uplink -> guest port (live frames, one core, veth; ${SINK_TITLES[sink]}):`,
    alignColumns([['', 'Mpps', 'ns/frame', 'x bridge', 'x redirect', 'lost'], ...ways]),
    '',
    'The programs alone (BPF_PROG_TEST_RUN, no redirect carried out):',
    alignColumns([['', 'ns', 'net of empty'], ...programs]),
    '',
    `${result.roundsUsed} rounds, medians of per-round ratios (quartiles)` +
      (result.roundsDropped > 0 ? `; ${result.roundsDropped} dropped because the hypervisor took the CPU away` : ''),
  ].join('\n');
}
