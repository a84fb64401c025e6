/** The page with the pictures of all dashboards, laid out as they are. Pure. */
import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboards } from '../dashboards/index.js';
import { type NamedPanel, panelsNamed } from './model.js';

const HEAD = `# Gallery of dashboards

Every panel of every dashboard in \`grafana/\`, drawn by \`npm run gallery\` from what a real Prometheus has of labs that it makes and removes: guests
that are network namespaces, and for the dashboard of migrations guests of QEMU, where those were recorded, each with traffic, VFs that come, go and die, a unipathd that is
killed, and a guest that goes to other hosts. Scraped once a second, rates over five seconds; times are minutes and seconds since the beginning.
Grafana draws the same data in its own style, and marks what comes and begins anew, which is left out here. The numbers are those of a
small machine with other work.
`;

/** Of the page that the widest picture takes. */
const PERCENT_OF_COLUMN = 98 / 24;

const quoted = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

function image({ name, panel }: NamedPanel): string {
  const width = Math.floor((panel.gridPos?.w ?? 12) * PERCENT_OF_COLUMN);
  return `<img src="gallery/${name}.svg" width="${width}%" alt="${quoted(panel.title ?? '')}" title="${quoted(panel.description ?? '')}">`;
}

function section(file: string, { title, description, panels = [] }: Dashboard): string {
  const named = new Map<Panel, NamedPanel>(panelsNamed().filter(({ dashboard }) => dashboard === file).map((each) => [each.panel, each]));
  const parts = panels.map((panel: Panel | RowPanel) => {
    if (panel.type === 'row') return `\n### ${panel.title ?? ''}\n`;
    const found = named.get(panel as Panel);
    return found === undefined ? '' : image(found);
  });
  return `## ${title ?? file}\n\n${description ?? ''}\n${parts.join('\n')}\n`;
}

export function galleryPage(): string {
  return [HEAD, ...Object.entries(dashboards).map(([file, dashboard]) => section(file, dashboard))].join('\n');
}
