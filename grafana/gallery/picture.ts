/** One panel as an SVG, near to how Grafana draws it. Pure. */
import * as echarts from 'echarts';
import type { EChartsOption, SeriesOption } from 'echarts';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Series } from '../live/prometheus.js';
import { targetsOf } from '../queries.js';
import type { PanelData, Recording } from './model.js';
import { written } from './units.js';

/** Of a dashboard's grid of 24 columns and rows of some 30 pixels. */
const COLUMN_PX = 40;
const ROW_PX = 30;
const MARGIN_PX = 12;
const TITLE_PX = 30;
const LEGEND_PX = 15;
/** What the lines themselves need, with the labels of their axes. */
const PLOT_PX = 130;
const FONT = 'sans-serif';
const INK = '#24292f';
const FAINT = '#6e7781';
const LINES = ['#3b7dd8', '#d9822b', '#2f9e5b', '#c23b3b', '#8a5cd1', '#b8a200', '#00a3a3', '#d1589f', '#7a7a7a', '#5a4632'];
/** Grafana's names of colours. */
const COLORS: Readonly<Record<string, string>> = { green: '#2f9e5b', red: '#c23b3b', orange: '#d9822b', blue: '#3b7dd8', text: INK };

interface Line {
  readonly name: string;
  readonly values: Series['values'];
}

interface FieldConfig {
  readonly unit?: string;
  readonly mappings?: readonly { readonly options?: Readonly<Record<string, { readonly text?: string; readonly color?: string }>> }[];
  readonly thresholds?: { readonly steps?: readonly { readonly value: number | null; readonly color: string }[] };
  readonly custom?: { readonly stacking?: { readonly mode?: string }; readonly fillOpacity?: number };
}

const configOf = (panel: Panel): FieldConfig => (panel.fieldConfig?.defaults ?? {}) as FieldConfig;

function legendOf(format: string, labels: Series['labels']): string {
  const name = format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
  return name === '' ? Object.entries(labels).map(([label, value]) => `${label}="${value}"`).join(' ') : name;
}

/** In the order of the queries, and within each by name. */
function linesOf(panel: Panel, data: PanelData): Line[] {
  return targetsOf(panel).flatMap(({ legendFormat = '' }, i) =>
    (data[i] ?? [])
      .map(({ labels, values }) => ({ name: legendOf(legendFormat, labels), values }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
  );
}

function meaningOf(config: FieldConfig, value: number): { readonly text: string; readonly color: string } {
  const mapped = config.mappings?.map(({ options }) => options?.[String(value)]).find((found) => found !== undefined);
  const step = config.thresholds?.steps?.filter(({ value: from }) => from === null || value >= from).at(-1);
  const color = mapped?.color ?? step?.color ?? 'text';
  return { text: mapped?.text ?? written(config.unit ?? 'short', value), color: COLORS[color] ?? color };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

type Text = { readonly at: readonly [x: number, y: number]; readonly text: string; readonly size: number; readonly color: string; readonly bold?: boolean; readonly align?: 'left' | 'center' | 'right' };

const graphicOf = ({ at: [x, y], text, size, color, bold = false, align = 'left' }: Text) =>
  ({ type: 'text' as const, x, y, silent: true, style: { text, fill: color, font: `${bold ? 'bold ' : ''}${size}px ${FONT}`, align, verticalAlign: 'middle' as const } });

/** As much of it as fits, guessed by the mean width of a letter. */
function fitted(text: string, width: number, size: number): string {
  const most = Math.floor(width / (size * 0.58));
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`;
}

const nothing = (size: Size): Text => ({ at: [size.width / 2, size.height / 2], text: 'No data', size: 14, color: FAINT, align: 'center' });

const clock = (seconds: number): string => {
  const total = Math.round(seconds);
  return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, '0')}`;
};

/** Minutes and seconds since the beginning: when that was says nothing. */
const timeAxis = ({ from, to }: Recording) =>
  ({
    type: 'value' as const, min: 0, max: to - from, interval: niceSeconds((to - from) / 6), axisLabel: { color: FAINT, fontSize: 10, fontFamily: FONT, formatter: clock, showMaxLabel: false },
    axisLine: { lineStyle: { color: '#8c959f' } }, splitLine: { show: true, lineStyle: { color: '#eaeef2' } },
  });

function niceSeconds(rough: number): number {
  return [5, 10, 15, 30, 60, 120, 300].find((each) => each >= rough) ?? 600;
}

const finite = (values: Line['values']): number[] => values.map(([, value]) => value).filter(Number.isFinite);

function linesPicture(panel: Panel, lines: readonly Line[], recording: Recording, size: Size): EChartsOption {
  const config = configOf(panel);
  const unit = config.unit ?? 'short';
  const isStacked = config.custom?.stacking?.mode === 'normal';
  const write = (value: number): string => written(unit, value);
  const shown = lines.slice(0, Math.floor((size.height - TITLE_PX - PLOT_PX) / LEGEND_PX));
  const legendTop = size.height - (shown.length + 1) * LEGEND_PX - (lines.length > shown.length ? LEGEND_PX : 0) - 4;
  const numbersAt = size.width - MARGIN_PX;
  const color = (i: number): string => LINES[i % LINES.length] ?? INK;
  const texts: Text[] = [
    { at: [numbersAt - 75, legendTop + 7], text: 'last', size: 10, color: FAINT, align: 'right' },
    { at: [numbersAt, legendTop + 7], text: 'max', size: 10, color: FAINT, align: 'right' },
    ...shown.flatMap(({ name, values }, i): Text[] => {
      const y = legendTop + (i + 1) * LEGEND_PX + 7;
      const numbers = finite(values);
      return [
        { at: [MARGIN_PX + 16, y], text: fitted(name, size.width - 200, 11), size: 11, color: INK },
        { at: [numbersAt - 75, y], text: write(numbers.at(-1) ?? Number.NaN), size: 11, color: INK, align: 'right' },
        { at: [numbersAt, y], text: write(numbers.length === 0 ? Number.NaN : Math.max(...numbers)), size: 11, color: INK, align: 'right' },
      ];
    }),
  ];
  if (lines.length > shown.length) {
    texts.push({ at: [MARGIN_PX + 16, size.height - LEGEND_PX + 3], text: `and ${lines.length - shown.length} more`, size: 11, color: FAINT });
  }
  const marks = shown.map((_, i) => ({
    type: 'rect' as const, shape: { x: MARGIN_PX, y: legendTop + (i + 1) * LEGEND_PX + 5, width: 12, height: 4 }, style: { fill: color(i) },
  }));
  const series = lines.map(({ name, values }, i): SeriesOption => ({
    type: 'line', name, showSymbol: false, animation: false, connectNulls: false, color: color(i), lineStyle: { width: 1.5 },
    ...(isStacked ? { stack: 'all', areaStyle: { opacity: (config.custom?.fillOpacity ?? 30) / 100 } } : {}),
    data: onGrid(values, recording, isStacked),
  }));
  return {
    grid: { left: 70, right: MARGIN_PX + 8, top: TITLE_PX + 12, bottom: size.height - legendTop + 22 },
    xAxis: timeAxis(recording),
    yAxis: {
      type: 'value', min: 0, splitNumber: 4, axisLabel: { color: FAINT, fontSize: 10, fontFamily: FONT, formatter: write, showMaxLabel: true },
      splitLine: { lineStyle: { color: '#eaeef2' } },
    },
    series,
    graphic: [...texts.map(graphicOf), ...marks],
  };
}

/** A gap where nothing was. Stacked lines need a value at every time. */
function onGrid(values: Line['values'], { from, to }: Recording, isStacked: boolean): [number, number | null][] {
  const points = new Map(values.map(([at, value]) => [Math.round((at - from) * 10), value]));
  const step = Math.max(1, (to - from) / 90);
  const times: number[] = [];
  for (let at = from; at <= to + 0.001; at += step) times.push(at - from);
  return times.map((time) => {
    const value = points.get(Math.round(time * 10));
    return [Math.round(time * 10) / 10, value !== undefined && Number.isFinite(value) ? value : isStacked ? 0 : null];
  });
}

interface Band {
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

/** Equal values that follow each other are one. */
function bandsOf(values: Line['values'], step: number): Band[] {
  const bands: { from: number; to: number; value: number }[] = [];
  for (const [at, value] of values) {
    const last = bands.at(-1);
    if (last !== undefined && last.value === value && at - last.to < step / 2) last.to = at + step;
    else bands.push({ from: at, to: at + step, value });
  }
  return bands;
}

function bandsPicture(panel: Panel, lines: readonly Line[], recording: Recording, size: Size): EChartsOption {
  const config = configOf(panel);
  const left = 190;
  const plot = { top: TITLE_PX + 8, bottom: size.height - 30, right: size.width - MARGIN_PX - 8 };
  const row = Math.min(26, (plot.bottom - plot.top) / Math.max(1, lines.length));
  const { from, to } = recording;
  const x = (at: number): number => left + (Math.min(1, Math.max(0, (at - from) / (to - from))) * (plot.right - left));
  const step = Math.max(1, (to - from) / 90);
  const shapes = lines.flatMap(({ name, values }, i) => {
    const y = plot.top + i * row;
    const bands = bandsOf(values, step).flatMap(({ value, ...band }) => {
      const { text, color } = meaningOf(config, value);
      const [begin, width] = [x(band.from), x(band.to) - x(band.from)];
      const rect = { type: 'rect' as const, shape: { x: begin, y: y + 1, width, height: row - 3 }, style: { fill: color === INK ? '#d0d7de' : color, opacity: 0.75 } };
      const label = width > text.length * 7 + 6 && row >= 12 ? [graphicOf({ at: [begin + 4, y + row / 2], text, size: Math.min(11, row - 3), color: color === INK ? INK : '#fff' })] : [];
      return [rect, ...label];
    });
    return [graphicOf({ at: [left - 8, y + row / 2], text: fitted(name, left - 16, 10), size: Math.min(11, Math.max(8, row - 3)), color: INK, align: 'right' }), ...bands];
  });
  return {
    grid: { left, right: size.width - plot.right, top: plot.top, bottom: size.height - plot.bottom },
    xAxis: timeAxis(recording), yAxis: { type: 'value', show: false }, series: [], graphic: shapes,
  };
}

function numberPicture(panel: Panel, lines: readonly Line[], size: Size): EChartsOption {
  const config = configOf(panel);
  const isNamed = (panel.options as { readonly textMode?: string } | undefined)?.textMode === 'name';
  const column = size.width / Math.max(1, lines.length);
  const graphic = lines.map(({ name, values }, i) => {
    const { text, color } = meaningOf(config, finite(values).at(-1) ?? Number.NaN);
    const said = isNamed ? name : text;
    const points = Math.min(34, (column * 1.5) / said.length);
    return graphicOf({ at: [column * (i + 0.5), (size.height + TITLE_PX) / 2], text: said, size: Math.round(points), color: isNamed ? INK : color, bold: true, align: 'center' });
  });
  return { graphic };
}

interface Organize {
  readonly id: string;
  readonly options: { readonly indexByName?: Readonly<Record<string, number>>; readonly renameByName?: Readonly<Record<string, string>> };
}

function tablePicture(panel: Panel, data: PanelData, size: Size): EChartsOption {
  const organize = (panel.transformations as unknown as readonly Organize[] | undefined)?.find(({ id }) => id === 'organize')?.options;
  const columns = Object.entries(organize?.renameByName ?? {});
  const config = configOf(panel);
  const rows = (data[0] ?? []).map(({ labels, values }) => columns.map(([name]) =>
    name === 'Value' ? meaningOf(config, values.at(-1)?.[1] ?? Number.NaN).text : (labels[name] ?? '')));
  const width = (size.width - 2 * MARGIN_PX) / Math.max(1, columns.length);
  const most = Math.floor((size.height - TITLE_PX - 24) / 20);
  const cell = (text: string, row: number, column: number, bold: boolean) =>
    graphicOf({ at: [MARGIN_PX + column * width, TITLE_PX + 12 + row * 20], text: fitted(text, width - 4, 11), size: 11, color: bold ? FAINT : INK, bold });
  return {
    graphic: [
      ...columns.map(([, heading], i) => cell(heading, 0, i, true)),
      ...rows.sort((a, b) => a.join().localeCompare(b.join(), 'en', { numeric: true })).slice(0, most).flatMap((row, r) => row.map((text, c) => cell(text, r + 1, c, false))),
    ],
  };
}

function optionOf(panel: Panel, data: PanelData, recording: Recording, size: Size): EChartsOption {
  const lines = linesOf(panel, data);
  if (lines.length === 0) return { graphic: [graphicOf(nothing(size))] };
  switch (panel.type) {
    case 'timeseries': return linesPicture(panel, lines, recording, size);
    case 'state-timeline': return bandsPicture(panel, lines, recording, size);
    case 'stat': return numberPicture(panel, lines, size);
    case 'table': return tablePicture(panel, data, size);
    default: throw new Error(`the gallery cannot draw a panel of type ${panel.type}: add it in grafana/gallery/picture.ts`);
  }
}

export function sizeOf(panel: Panel): Size {
  const { w = 12, h = 8 } = panel.gridPos ?? {};
  return { width: w * COLUMN_PX, height: h * ROW_PX };
}

/** Nobody points at a picture on a page, and tenths of a pixel are finer than anybody sees. */
const shortened = (svg: string): string =>
  svg
    .replace(/<style[^]*?<\/style>/g, '')
    .replace(/ (?:class|pointer-events|xml:space)="[^"]*"/g, '')
    .replace(/<[^>]*>/g, (tag) => tag.replace(/-?\d+\.\d{2,}/g, (number) => String(Math.round(Number(number) * 10) / 10)));

/** @returns the text of an SVG file */
export function pictureOf(panel: Panel, data: PanelData, recording: Recording): string {
  const size = sizeOf(panel);
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      textStyle: { fontFamily: FONT },
      title: { text: fitted(panel.title ?? '', size.width - 2 * MARGIN_PX, 13), left: MARGIN_PX, top: 8, padding: 0, textStyle: { fontSize: 13, fontWeight: 'bold', color: INK, fontFamily: FONT } },
      ...optionOf(panel, data, recording, size),
    });
    return `${shortened(chart.renderToSVGString())}\n`;
  } finally {
    chart.dispose();
  }
}
