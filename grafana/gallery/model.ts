/** What the pictures are drawn from: every panel with what its queries returned. Pure. */
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboards } from '../dashboards/index.js';
import type { Series } from '../live/prometheus.js';
import { panelsOf } from '../queries.js';

/** What the queries of one panel returned, in their order. */
export type PanelData = readonly (readonly Series[])[];

export interface Recording {
  /** Seconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** By name of the panel's picture. */
  readonly panels: Readonly<Record<string, PanelData>>;
}

export interface NamedPanel {
  /** fleet/why-not-accelerated: the picture's file, without its ending. */
  readonly name: string;
  /** As its file is called. */
  readonly dashboard: string;
  readonly panel: Panel;
}

const slug = (title: string): string => title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

export function panelsNamed(all: Readonly<Record<string, Dashboard>> = dashboards): NamedPanel[] {
  return Object.entries(all).flatMap(([dashboard, built]) =>
    panelsOf(built).map((panel) => ({ name: `${dashboard}/${slug(panel.title ?? '')}`, dashboard, panel })),
  );
}
