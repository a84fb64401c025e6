/** Curves as one self-contained SVG: a panel each, number on a logarithmic axis, median as a line, quartiles as a band. Pure. */
import { type Html, html } from '../lab/report/html.js';
import type { Curve } from './model.js';
import { spreadOf } from './stats.js';

const WIDTH = 640;
const PANEL = 240;
const GAP = 70;
const LEFT = 60;
const RIGHT = 20;
const TOP = 40;

const STYLE = 'text{font:12px sans-serif;fill:#333}.title{font-size:14px;font-weight:bold}.grid{stroke:#ddd}.axis{stroke:#888}' +
  '.median{fill:none;stroke:#1f6fb2;stroke-width:2}.band{fill:#1f6fb2;opacity:.18}.dot{fill:#1f6fb2}';

/** 1, 2 or 5 times a power of ten, so that about `count` steps cover `span`. */
export function niceStep(span: number, count: number): number {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10) * power;
}

/** 4096 -> "4k", 1040384 -> "1M". */
export function shortCount(value: number): string {
  if (value >= 1e6) return `${Math.round(value / 1e6)}M`;
  return value >= 1000 ? `${Math.round(value / 1024)}k` : String(value);
}

function panel(curve: Curve, top: number): Html {
  const points = curve.points.filter(({ values }) => values.length > 0).map(({ x, values }) => ({ at: x, ...spreadOf(values) }));
  const last = Math.log2(Math.max(2, ...points.map(({ at }) => at)));
  const highest = Math.max(1, ...points.map(({ high }) => high));
  const step = niceStep(highest, 4);
  const limit = Math.ceil(highest / step) * step;
  const x = (value: number): string => (LEFT + (Math.log2(value) / last) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number): string => (top + PANEL - (value / limit) * PANEL).toFixed(1);
  const lines: Html[] = [];
  for (let value = 0; value <= limit + step / 2; value += step) {
    lines.push(html`<line class="${value === 0 ? 'axis' : 'grid'}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/>`);
    lines.push(html`<text x="${LEFT - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${Number(value.toPrecision(6))}</text>`);
  }
  const band = [...points.map(({ at, high }) => `${x(at)},${y(high)}`), ...points.toReversed().map(({ at, low }) => `${x(at)},${y(low)}`)];
  const median = points.map(({ at, median: value }) => `${x(at)},${y(value)}`);
  const marks = points.map(({ at, median: value, low, high }) => {
    const title = `${at} ${curve.x}: ${value.toFixed(1)} ${curve.unit} (${low.toFixed(1)}-${high.toFixed(1)})`;
    return html`<circle class="dot" cx="${x(at)}" cy="${y(value)}" r="3"><title>${title}</title></circle>
<text x="${x(at)}" y="${top + PANEL + 18}" text-anchor="middle">${shortCount(at)}</text>
`;
  });
  return html`<g><text class="title" x="${LEFT}" y="${top - 14}">${curve.name} (${curve.unit} per frame; median and quartiles)</text>
${lines}<polygon class="band" points="${band.join(' ')}"/><polyline class="median" points="${median.join(' ')}"/>${marks}
<text x="${WIDTH - RIGHT}" y="${top + PANEL + 36}" text-anchor="end">${curve.x}</text></g>`;
}

/** @returns the text of an SVG file */
export function plotCurves(curves: readonly Curve[]): string {
  const height = TOP + curves.length * (PANEL + GAP);
  const panels = curves.map((curve, i) => panel(curve, TOP + i * (PANEL + GAP)));
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<style>${STYLE}</style><rect width="${WIDTH}" height="${height}" fill="#fff"/>
${panels}</svg>
`.text;
}
