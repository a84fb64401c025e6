/** The page that documents metrics, made from their definitions. Pure. */
import { reasonTexts } from '../capture/reason_texts.js';
import { NOT_ACCELERATED_REASONS } from '../core/model.js';
import type { FamilyInfo } from './readings.js';

/** In the order of the page; a family belongs to the first that fits. */
const SECTIONS: readonly (readonly [title: string, names: RegExp])[] = [
  ['vNICs', /^unipath_(vnic_(?!switch)|port_)/],
  ['Changes of path', /^unipath_(vnic_switch|hold|announcements)/],
  ['Adapters', /^unipath_(adapter|quota)_/],
  ['Other frames', /^unipath_(unknown|redirect_errors)/],
  ['Virtual machines', /^unipath_(vms|migration)/],
  ['Control plane', /^unipath_(build_info|up|reconcile|last_reconcile|event|config)/],
  ['Maps and programs', /^unipath_bpf_/],
  ['Scrapes', /^unipath_scrape_/],
  ['Process', /^(process|nodejs)_/],
];

const LABELS: Readonly<Record<string, string>> = {
  adapter: "the adapter's name in the configuration",
  bridge: 'its bridge',
  collector: 'part of the scrape, each of which can fail by itself',
  direction: '`outgoing`, `incoming`',
  error: 'name of the errno; `none` when the kernel gives none',
  kernel: 'release of Linux',
  kind: 'kind of the event, as in `unipath monitor`; of `unipath_redirect_errors_total` the place: `redirect`, `devmap`, `cpumap`, `exception`',
  mac: 'MAC address',
  map: 'name of the map (`maps/README.md`)',
  outcome: '`completed`, `failed`, `cancelled`',
  path: '`software`, `accelerated`',
  phase: "of a vNIC: `absent`, `software`, `plugging`, `accelerated`, `draining`; of a migration: QEMU's MigrationStatus",
  program: 'name of the packet program (`bpf/README.md`)',
  quota: "the quota's name in the configuration",
  queue: "number of the guest's queue, 0 to 63; only those that were used",
  reason: 'see below',
  result: '`delivered`, `stale` (too old by then), `lost` (not taken by the port)',
  resource: '`vfs`, `queues`, `vectors`',
  state: '`free`, `used`, `reserved`, `quarantined`, `lost`',
  tap: 'netdev of its software path',
  uplink: 'netdev of the PF',
  verdict: '`redirect`, `pass`, `drop`, `held`',
  version: 'of unipath',
  node_version: 'of Node.js',
  vlan: 'its VLANs, 0 is untagged',
  vnic: "the vNIC's name in the configuration; it is the only one that identifies a guest outside of `_info` metrics",
  xdp_mode: '`native`, `generic`, `none`',
};

const HEAD = `# Metrics

What \`unipath metrics\` and \`http://ADDRESS/metrics\` (\`metrics: {listen: 127.0.0.1:9435}\`) show. Made by \`npm run docs\` from the definitions in
\`src/metrics/\`. Dashboards and alert rules on them: \`grafana/\`.

- Units are seconds, bytes, frames and ratios. Counters end in \`_total\`; histograms have \`_bucket\`, \`_sum\` and \`_count\`.
- What the packet programs count lies in pinned maps, per vNIC: it goes on rising when the vNIC changes its VF and when unipathd is restarted, and begins
  at zero when the vNIC is taken down and made anew. What unipathd itself counts (ports, holds, events, histograms) begins at zero with each unipathd, which
  \`rate()\` and \`increase()\` take into account.
- Identity is on \`_info\` metrics only, to be joined: \`unipath_vnic_path * on (instance, vnic) group_left (mac) unipath_vnic_info\`.
- Nothing is labelled by flow, address or port number, so the number of series is bounded: some 115 for a vNIC, and one for each of its queues.
- A scrape of 254 vNICs with 2,048 queues costs a tenth of the CPU that one update of an object of prom-client for each series, and its text, would (\`npm run bench -- --only scrape\`), and
  lets unipathd go on with other work every millisecond or so.
- A collector that fails costs its own metrics only, and is counted.
`;

function sectionOf(name: string): string {
  const section = SECTIONS.find(([, names]) => names.test(name));
  if (section === undefined) throw new Error(`metric ${name} belongs to no section of the page: add one in src/metrics/page.ts`);
  return section[0];
}

/** The process's own come from prom-client, whose texts end as they please. */
const sentence = (help: string): string => help.replaceAll('|', '\\|').replace(/\.?$/, '.');
const code = (text: string): string => `\`${text}\``;

function tableOf(families: readonly FamilyInfo[]): string {
  const rows = families.map(({ name, type, labelNames, help }) => `| ${code(name)} | ${type} | ${labelNames.map(code).join(' ')} | ${sentence(help)} |`);
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function labelTable(families: readonly FamilyInfo[]): string {
  const used = [...new Set(families.flatMap(({ labelNames }) => labelNames))].sort();
  const rows = used.map((label) => {
    const meaning = LABELS[label];
    if (meaning === undefined) throw new Error(`label ${label} is not explained: add it in src/metrics/page.ts`);
    return `| ${code(label)} | ${meaning} |`;
  });
  return ['| label | values |', '|---|---|', ...rows].join('\n');
}

function reasonTable(): string {
  const rows = Object.entries(reasonTexts).map(([reason, text]) => `| ${code(reason)} | ${text.replaceAll('|', '\\|')} |`);
  return ['| reason | meaning |', '|---|---|', ...rows].join('\n');
}

/** @throws Error when a metric or a label has no place on the page */
export function metricsPage(families: readonly FamilyInfo[]): string {
  const own = families.filter(({ name }) => name.startsWith('unipath_'));
  const sections = SECTIONS.map(([title]) => `## ${title}\n\n${tableOf(families.filter(({ name }) => sectionOf(name) === title))}\n`);
  return `${[
    HEAD,
    ...sections,
    `## Labels\n\n${labelTable(own)}\n`,
    `## Reasons of frames\n\nThe first word is the verdict, by which \`verdict\` is labelled; \`control\` is a drop, for such frames are consumed.\n\n${reasonTable()}\n`,
    `## Reasons of vNICs\n\nWhy a vNIC is not accelerated; \`unipath vnic show\` has each in words.\n\n${NOT_ACCELERATED_REASONS.map(code).join(', ')}\n`,
  ].join('\n')}`;
}
