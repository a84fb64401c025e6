/** The kinds of panels that the dashboards are made of. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode, BigValueGraphMode, BigValueTextMode, LegendDisplayMode, LegendPlacement, SortOrder, StackingMode, TooltipDisplayMode, VisibilityMode,
  ReduceDataOptionsBuilder, StackingConfigBuilder, VizLegendOptionsBuilder, VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId, type Panel, ThresholdsConfigBuilder, ThresholdsMode, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as SeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** Grafana's names of units. */
export type Unit = 'pps' | 'bps' | 's' | 'percentunit' | 'short' | 'bytes' | 'ops' | 'dateTimeFromNow' | 'bool_yes_no';

export interface Query {
  /** PromQL; with the variables of the dashboard. */
  readonly expr: string;
  /** Grafana's legend format: `{{label}}`. */
  readonly legend: string;
}

/** One panel answers one question; `answer` is shown as its description. */
export interface Question {
  readonly title: string;
  readonly answer: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** In columns of 24 and rows of some 30 pixels. */
  readonly width?: number;
  readonly height?: number;
}

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

const GRID_COLUMNS = 24;
const REF_IDS = 'ABCDEFGH';

function target({ expr, legend }: Query, index: number, instant: boolean): DataqueryBuilder {
  const query = new DataqueryBuilder().datasource(DATASOURCE).expr(expr).legendFormat(legend).refId(REF_IDS[index] ?? 'A');
  return instant ? query.instant() : query.range();
}

const targets = ({ queries }: Question, instant: boolean): DataqueryBuilder[] => queries.map((query, index) => target(query, index, instant));

/** Lines over time. `stacked`: they add up to something. */
export function lines(question: Question, stacked = false): Builder<Panel> {
  const { title, answer, unit, width = GRID_COLUMNS / 2, height = 8 } = question;
  return new SeriesBuilder()
    .title(title)
    .description(answer)
    .datasource(DATASOURCE)
    .targets(targets(question, false))
    .unit(unit)
    .min(0)
    .span(width)
    .height(height)
    .fillOpacity(stacked ? 30 : 0)
    .showPoints(VisibilityMode.Never)
    .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None))
    .legend(new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.Table).placement(LegendPlacement.Bottom).showLegend(true).calcs(['lastNotNull', 'max']))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
}

/** The state that a number stands for. */
export interface Meaning {
  readonly value: number;
  readonly text: string;
  readonly color: 'green' | 'orange' | 'red' | 'blue' | 'text';
}

/** Of unipath_vnic_path{path="accelerated"}. */
export const PATHS: readonly Meaning[] = [
  { value: 0, text: 'software', color: 'blue' },
  { value: 1, text: 'accelerated', color: 'green' },
];

function mappings(meanings: readonly Meaning[]): ValueMapping[] {
  if (meanings.length === 0) return [];
  const options = Object.fromEntries(meanings.map(({ value, text, color }, index) => [String(value), { text, color, index }]));
  return [{ type: 'value', options } as ValueMapping];
}

/** Below which value a number is which colour. */
const steps = (all: readonly (readonly [from: number | null, color: string])[]): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(all.map(([value, color]) => ({ value, color })));

/** `goodFrom`: green from there on, red below; `badFrom`: the other way round. */
export interface Judgement {
  readonly goodFrom?: number;
  readonly badFrom?: number;
  readonly meanings?: readonly Meaning[];
  /** Show the series' name and not its value. */
  readonly names?: boolean;
}

/** One number, now. */
export function number(question: Question, { goodFrom, badFrom, meanings = [], names = false }: Judgement = {}): Builder<Panel> {
  const { title, answer, unit, width = 4, height = 4 } = question;
  const judged =
    goodFrom !== undefined ? steps([[null, 'red'], [goodFrom, 'green']]) : badFrom !== undefined ? steps([[null, 'green'], [badFrom, 'red']]) : steps([[null, 'text']]);
  return new StatBuilder()
    .title(title)
    .description(answer)
    .datasource(DATASOURCE)
    .targets(targets(question, true))
    .unit(unit)
    .span(width)
    .height(height)
    .mappings(mappings(meanings))
    .thresholds(judged)
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .textMode(names ? BigValueTextMode.Name : BigValueTextMode.Auto)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
}

/** States over time, a band each. */
export function bands(question: Question, meanings: readonly Meaning[]): Builder<Panel> {
  const { title, answer, unit, width = GRID_COLUMNS, height = 8 } = question;
  return new TimelineBuilder()
    .title(title)
    .description(answer)
    .datasource(DATASOURCE)
    .targets(targets(question, false))
    .unit(unit)
    .span(width)
    .height(height)
    .mappings(mappings(meanings))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .showValue(VisibilityMode.Auto)
    .mergeValues(true);
}

/** Where a click on a cell of the column leads. */
export interface CellLink {
  readonly column: string;
  readonly title: string;
  readonly url: string;
}

/** A host's name leads to its dashboard, with the time kept. */
export const TO_HOST: CellLink = { column: 'instance', title: 'this host', url: '/d/unipath-host?var-instance=${__value.raw}&${__url_time_range}' };
/** A vNIC's name, likewise. */
export const TO_VNIC: CellLink = { column: 'vnic', title: 'this vNIC', url: '/d/unipath-vnic?var-vnic=${__value.raw}&${__url_time_range}' };

/** What a table shows of its series besides their labels. */
export interface Cells {
  readonly links?: readonly CellLink[];
  /** Of the column `Value`. */
  readonly meanings?: readonly Meaning[];
}

/** The labels of one query's series, now. `columns`: label, or `Value`, -> heading, in order; the others are left out. */
export function table(question: Question, columns: Readonly<Record<string, string>>, { links = [], meanings = [] }: Cells = {}): Builder<Panel> {
  const { title, answer, unit, width = GRID_COLUMNS, height = 8 } = question;
  const [query] = question.queries;
  if (query === undefined) throw new RangeError(`table "${title}" has no query`);
  const names = Object.keys(columns);
  const panel = new TableBuilder()
    .title(title)
    .description(answer)
    .datasource(DATASOURCE)
    .withTarget(target(query, 0, true).format(PromQueryFormat.Table))
    .unit(unit)
    .span(width)
    .height(height)
    .filterable(true)
    .mappings(mappings(meanings))
    .withTransformation({ id: 'filterFieldsByName', options: { include: { names } } })
    .withTransformation({ id: 'organize', options: { indexByName: Object.fromEntries(names.map((name, index) => [name, index])), renameByName: columns } });
  const override = (column: string, id: string, value: unknown): void => void panel.overrideByName(columns[column] ?? column, [{ id, value }]);
  if (meanings.length > 0) override('Value', 'custom.cellOptions', { type: 'color-text' });
  for (const { column, title: linkTitle, url } of links) override(column, 'links', [{ title: linkTitle, url }]);
  return panel;
}
