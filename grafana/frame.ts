/** What all dashboards have in common: data source, variables, links to each other, annotations. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder, DashboardBuilder, DashboardCursorSync, DashboardLinkBuilder, DashboardLinkType, type Dashboard, DatasourceVariableBuilder, type Panel,
  QueryVariableBuilder, RowBuilder, VariableRefresh, VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './panels.js';

const TAG = 'unipath';

export interface Row {
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  /** `label_values(...)`. */
  readonly query: string;
  /** May stand for several at once. */
  readonly many: boolean;
}

/** Kept when a link leads from one dashboard to another. */
export const instanceVariable = (many: boolean): Variable => ({
  name: 'instance',
  label: 'Host',
  description: 'unipathd as Prometheus calls it',
  query: 'label_values(unipath_build_info, instance)',
  many,
});

export const vnicVariable = (query: string, many: boolean): Variable => ({ name: 'vnic', label: 'vNIC', description: 'As the configuration calls it', query, many });

/** A mark wherever the query has a value. */
interface Mark {
  readonly name: string;
  readonly color: string;
  readonly expr: string;
  readonly title: string;
}

/** For PromQL. */
const MARKS: readonly Mark[] = [
  {
    name: 'vNICs that come',
    color: 'blue',
    // Wherever it was before: a guest that migrates goes on under its name.
    expr: 'unipath_vnic_info unless on (instance, vnic) unipath_vnic_info offset 1m',
    title: '{{vnic}} came to {{instance}}',
  },
  { name: 'unipathd begins', color: 'orange', expr: 'changes(process_start_time_seconds{job="unipath"}[1m]) > 0', title: 'unipathd of {{instance}} began anew' },
];

function variableBuilder({ name, label, description, query, many }: Variable): QueryVariableBuilder {
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(many)
    .includeAll(many);
  return many ? variable.allValue('.+').current({ text: 'All', value: '$__all', selected: true }) : variable;
}

export interface Outline {
  /** Never changes: links and bookmarks name it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

export function dashboard({ uid, title, description, variables, rows }: Outline): Dashboard {
  const builder = new DashboardBuilder(`unipath / ${title}`)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .link(new DashboardLinkBuilder('unipath').type(DashboardLinkType.Dashboards).tags([TAG]).asDropdown(true).includeVars(true).keepTime(true));
  for (const variable of variables) builder.withVariable(variableBuilder(variable));
  for (const { name, color, expr, title: titleFormat } of MARKS) {
    builder.annotation(new AnnotationQueryBuilder().name(name).datasource(DATASOURCE).enable(true).iconColor(color).expr(expr).titleFormat(titleFormat));
  }
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panel);
  }
  return inSight(builder.build());
}

/** The SDK hides links and annotations in a menu of Grafana's newest versions. */
function inSight(built: Dashboard): Dashboard {
  for (const each of [...(built.links ?? []), ...(built.annotations.list ?? [])]) delete each.placement;
  return built;
}
