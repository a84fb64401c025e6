/** Every PromQL expression of the dashboards and of the rules, and what they name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboards } from './dashboards/index.js';
import { packageRoot } from '../src/paths.js';

export interface NamedQuery {
  /** Where it is from, for people. */
  readonly where: string;
  readonly expr: string;
  /** Asked for now alone, not over a time. */
  readonly instant: boolean;
}

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export const rulesFile = join(packageRoot, 'grafana/prometheus/unipath.rules.yml');

export function rules(): readonly Rule[] {
  const { groups } = parse(readFileSync(rulesFile, 'utf8')) as { groups: readonly { rules: readonly Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

export function panelsOf(dashboard: Dashboard): Panel[] {
  const isPanel = (panel: Panel | RowPanel): panel is Panel => panel.type !== 'row';
  return (dashboard.panels ?? []).flatMap((panel) => (isPanel(panel) ? [panel] : (panel as RowPanel).panels));
}

interface PromTarget {
  readonly refId?: string;
  readonly expr?: string;
  readonly legendFormat?: string;
  readonly instant?: boolean;
}

export const targetsOf = (panel: Panel): readonly PromTarget[] => (panel.targets ?? []) as readonly PromTarget[];

/** `label_values(series, label)` is a question for series. */
function variableQueries(dashboard: Dashboard): NamedQuery[] {
  return (dashboard.templating?.list ?? []).flatMap((variable) => {
    const text = typeof variable.query === 'object' && variable.query !== null ? String((variable.query as { query?: string }).query) : '';
    const [, expr, label] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? [];
    return expr === undefined ? [] : [{ where: `${dashboard.title}, variable ${variable.name}`, expr: `count by (${label}) (${expr})`, instant: true }];
  });
}

export function dashboardQueries(): NamedQuery[] {
  return Object.values(dashboards).flatMap((dashboard) => [
    ...variableQueries(dashboard),
    ...(dashboard.annotations.list ?? []).map(({ name, expr }) => ({ where: `${dashboard.title}, annotation ${name}`, expr: expr ?? '', instant: false })),
    ...panelsOf(dashboard).flatMap((panel) =>
      targetsOf(panel).map(({ refId, expr = '', instant = false }) => ({
        where: `${dashboard.title}, panel ${panel.title} ${refId}`,
        expr,
        instant,
      })),
    ),
  ]);
}

/** Metrics that an expression names: those of unipath, of its process, and recorded ones. */
export function metricsIn(expr: string): string[] {
  const bare = expr.replace(/"[^"]*"/g, '').replace(/\b(by|on|group_left|without)\s*\([^)]*\)/g, '');
  return [...new Set(bare.match(/\b(?:[a-z_]+:[a-z_0-9:]+|(?:unipath|process|nodejs)_[a-z_0-9]+)/g) ?? [])];
}

/** With the dashboard's variables as they were chosen. @throws Error when one has no value */
export function filledIn(expr: string, values: Readonly<Record<string, string>>): string {
  return expr.replace(/\$(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${expr} has a variable that has no value here: ${name}`);
    return value;
  });
}
