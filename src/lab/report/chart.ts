/** The time chart as inline SVG: lanes of coloured bands on top, one panel per kind of traffic below, events across all of it. */
import type { Band, RunEvent, RunResults, Series } from '../results.js';
import { type Html, grouped, html, seconds } from './html.js';

const WIDTH = 1160;
const LEFT = 74;
const RIGHT = 16;
const MARKERS = 30;
const LANE = 22;
const LANE_GAP = 4;
const PANEL = 128;
const PANEL_GAP = 30;
const AXIS = 22;

const round = (value: number): string => value.toFixed(1);

/** 1, 2 or 5 times a power of ten, so that about `count` steps cover `span`. */
export function niceStep(span: number, count: number): number {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return digit * power;
}

/** Neighbouring bins averaged, so that a bin that a timer left half empty does not look like a loss. */
export function smooth(values: readonly number[], radius: number): number[] {
  return values.map((_, index) => {
    const window = values.slice(Math.max(0, index - radius), index + radius + 1);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
}

class TimeScale {
  constructor(readonly endMs: number) {}

  x(ms: number): number {
    return LEFT + (Math.min(Math.max(ms, 0), this.endMs) / this.endMs) * (WIDTH - LEFT - RIGHT);
  }
}

function lanes(bands: readonly Band[], scale: TimeScale, top: number): { svg: Html[]; height: number } {
  const names = [...new Set(bands.map((band) => band.lane))];
  const svg = names.flatMap((name, index) => {
    const y = top + index * (LANE + LANE_GAP);
    const label = html`<text class="lane" x="${LEFT - 8}" y="${y + LANE / 2 + 4}" text-anchor="end">${name}</text>`;
    const shapes = bands
      .filter((band) => band.lane === name)
      .map((band) => {
        const x = scale.x(band.fromMs);
        const width = Math.max(0, scale.x(band.toMs) - x);
        // A label that does not fit is in the tooltip only.
        const fits = width > band.label.length * 6.4 + 8;
        const [middle, baseline] = [round(x + width / 2), y + LANE / 2 + 4];
        const attributes = html`class="in-${band.tone}" x="${middle}" y="${baseline}" text-anchor="middle"`;
        const text = fits ? html`<text ${attributes}>${band.label}</text>` : null;
        const title = `${name}: ${band.label}, ${seconds(band.fromMs)} to ${seconds(band.toMs)}`;
        return html`<g><title>${title}</title>
<rect class="band ${band.tone}" x="${round(x)}" y="${y}" width="${round(width)}" height="${LANE}" rx="2"/>${text}</g>`;
      });
    return [label, ...shapes];
  });
  return { svg, height: names.length * (LANE + LANE_GAP) };
}

function line(series: Series, scale: TimeScale, y: (value: number) => number): string {
  // The first and the last bin are cut by the start and the end of the traffic.
  const points = smooth(series.values, 1).map((value, index) => {
    const ms = series.startMs + (index + 0.5) * series.binMs;
    return `${round(scale.x(ms))},${round(y(value))}`;
  });
  return points.slice(1, -1).join(' ');
}

function panel(name: string, all: readonly Series[], scale: TimeScale, top: number): Html {
  const max = Math.max(1, ...all.flatMap((series) => smooth(series.values, 1)));
  const unit = all[0]?.unit ?? '';
  const tick = niceStep(max, 3);
  const limit = Math.ceil((max * 1.02) / tick) * tick;
  const y = (value: number): number => top + PANEL - (value / limit) * PANEL;
  const grid: Html[] = [];
  for (let value = 0; value <= limit + tick / 2; value += tick) {
    const at = round(y(value));
    grid.push(html`<line class="${value === 0 ? 'base' : 'grid'}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`);
    grid.push(html`<text class="tick" x="${LEFT - 8}" y="${round(y(value) + 4)}" text-anchor="end">${grouped(value)}</text>`);
  }
  const legend = all.map(
    (series, index) =>
      html`<tspan class="key${index}" dx="${index === 0 ? 12 : 10}">━ </tspan><tspan class="legend">${series.name}</tspan>`,
  );
  const lines = all.map((series, index) => html`<polyline class="series s${index}" points="${line(series, scale, y)}"/>`);
  const heading = html`<text class="panel" x="${LEFT}" y="${top - 10}">${name}<tspan class="unit" dx="6">${unit}</tspan>${legend}</text>`;
  return html`<g>${grid}${heading}${lines}</g>`;
}

function timeAxis(scale: TimeScale, y: number): Html[] {
  const step = niceStep(scale.endMs / 1000, 12) * 1000;
  const ticks: Html[] = [];
  for (let ms = 0; ms <= scale.endMs; ms += step) {
    ticks.push(html`<text class="tick" x="${round(scale.x(ms))}" y="${y}" text-anchor="middle">${(ms / 1000).toFixed(0)} s</text>`);
  }
  return ticks;
}

/** Numbered flags; those that would cover each other move to a second row. */
function markers(events: readonly RunEvent[], scale: TimeScale, bottom: number): Html[] {
  let lastX = -100;
  let row = 0;
  return events.map((event, index) => {
    const x = scale.x(event.atMs);
    row = x - lastX < 17 ? 1 - row : 0;
    lastX = x;
    const y = 9 + row * 14;
    const title = `${index + 1}. ${seconds(event.atMs)} ${event.title}${event.detail === '' ? '' : `: ${event.detail}`}`;
    return html`<g class="marker ${event.tone}"><title>${title}</title>
<line x1="${round(x)}" x2="${round(x)}" y1="${y + 7}" y2="${bottom}"/>
<circle cx="${round(x)}" cy="${y}" r="8"/><text x="${round(x)}" y="${y + 3.5}" text-anchor="middle">${index + 1}</text></g>`;
  });
}

/** What the page's script needs to follow the pointer. */
export interface ChartGeometry {
  readonly left: number;
  readonly right: number;
  readonly width: number;
  readonly endMs: number;
}

/** The whole chart; without a script it is complete but for the crosshair. */
export function timeChart(results: RunResults): { svg: Html; geometry: ChartGeometry } {
  const ends = [results.durationMs, ...results.bands.map((band) => band.toMs)];
  const scale = new TimeScale(Math.max(1, ...ends));
  const laneTop = MARKERS + 10;
  const { svg: laneShapes, height: laneHeight } = lanes(results.bands, scale, laneTop);
  const panels = [...new Set(results.series.map((series) => series.panel))];
  let top = laneTop + laneHeight + PANEL_GAP + 4;
  const panelShapes = panels.map((name) => {
    const shape = panel(
      name,
      results.series.filter((series) => series.panel === name),
      scale,
      top,
    );
    top += PANEL + PANEL_GAP + 6;
    return shape;
  });
  const bottom = top - PANEL_GAP - 6;
  const height = bottom + AXIS;
  const svg = html`<svg id="chart" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Throughput, paths and events over time">
${laneShapes}${panelShapes}${timeAxis(scale, bottom + 17)}${markers(results.events, scale, bottom)}
<line id="crosshair" y1="${laneTop}" y2="${bottom}" visibility="hidden"/></svg>`;
  return { svg, geometry: { left: LEFT, right: RIGHT, width: WIDTH, endMs: scale.endMs } };
}
