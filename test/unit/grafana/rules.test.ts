import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { dashboards } from '../../../grafana/dashboards/index.js';
import { packageRoot } from '../../../src/paths.js';
import { needsProgram, promtool } from '../../support/prometheus_programs.js';
import { rules, rulesFile } from '../../../grafana/queries.js';
import { testWith } from '../../support/require.js';

const promtoolTest = testWith(needsProgram('promtool'));
const ruleTests = rulesFile.replace('.rules.yml', '.rules.test.yml');

/** GitHub's: lower case, words joined by hyphens, everything else left out. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));

test('each alert says what it is, how bad it is, and where to read on', (t) => {
  const anchors = anchorsOf(readFileSync(join(packageRoot, 'docs/troubleshooting.md'), 'utf8'));
  const alerts = rules().filter(({ alert }) => alert !== undefined);
  t.true(alerts.length > 10);
  for (const { alert = '', labels = {}, annotations = {} } of alerts) {
    t.regex(alert, /^Unipath[A-Z]/);
    t.true(['info', 'warning', 'critical'].includes(labels['severity'] ?? ''), alert);
    t.regex(annotations['summary'] ?? '', /\$labels\.instance/, alert);
    t.regex(annotations['description'] ?? '', /\.$/, alert);
    const [page, anchor = ''] = (annotations['runbook_url'] ?? '').split('#');
    t.is(page, 'docs/troubleshooting.md', alert);
    t.is(anchor, alert.toLowerCase());
    t.true(anchors.includes(anchor), `docs/troubleshooting.md has no section ${alert}`);
    const [, uid, query = ''] = /^\/d\/([a-z-]+)(?:\?(.+))?$/.exec(annotations['dashboard_url'] ?? '') ?? [];
    const dashboard = Object.values(dashboards).find((each) => each.uid === uid);
    const variables = dashboard?.templating?.list?.map(({ name }) => `var-${name}`) ?? [];
    t.truthy(dashboard, `${alert} leads to no dashboard`);
    for (const [, variable = '', label] of query.matchAll(/([\w-]+)=\{\{ \$labels\.(\w+) \}\}/g)) {
      t.true(variables.includes(variable), `${alert}: ${uid} has no ${variable}`);
      t.is(variable, `var-${label}`, alert);
    }
  }
  const names = alerts.map(({ alert }) => alert?.toLowerCase());
  t.deepEqual(anchors.filter((anchor) => anchor.startsWith('unipath') && !names.includes(anchor)), [], 'sections of alerts that are gone');
});

test('every alert has a test in which it fires, and one in which it does not', (t) => {
  const text = readFileSync(ruleTests, 'utf8');
  for (const { alert } of rules()) if (alert !== undefined) t.true(text.includes(`alertname="${alert}", instance="bad"`), alert);
});

promtoolTest('promtool has no complaint about the rules', (t) => {
  const { content, output } = promtool(['check', 'rules', '--lint-fatal', rulesFile]);
  t.true(content, output);
});

promtoolTest('the rules do what their tests say', (t) => {
  const { content, output } = promtool(['test', 'rules', ruleTests]);
  t.true(content, output);
});

test('the files for provisioning are read as they are meant', (t) => {
  const read = (path: string): unknown => parse(readFileSync(join(packageRoot, 'grafana', path), 'utf8'));
  t.like(read('provisioning/datasources/unipath.yml'), { apiVersion: 1, datasources: [{ type: 'prometheus' }] });
  t.like(read('provisioning/dashboards/unipath.yml'), { apiVersion: 1, providers: [{ type: 'file' }] });
  t.like(read('prometheus/scrape.yml'), [{ job_name: 'unipath' }]);
});
