import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { dashboardFiles, dashboards } from '../../../grafana/dashboards/index.js';
import { allFamilies } from '../../../src/metrics/families.js';
import { packageRoot } from '../../../src/paths.js';
import { dashboardQueries, metricsIn, panelsOf, rules } from '../../../grafana/queries.js';

const generated = join(packageRoot, 'grafana/generated');

test('the generated dashboards are fresh', (t) => {
  const files = dashboardFiles();
  t.deepEqual(readdirSync(generated).sort(), [...files.keys()].sort(), 'run: npm run dashboards');
  for (const [name, text] of files) t.is(readFileSync(join(generated, name), 'utf8'), text, `${name} is old; run: npm run dashboards`);
});

test('each dashboard has a name of its own for links, and says what it is for', (t) => {
  const uids = Object.values(dashboards).map(({ uid }) => uid);
  t.is(new Set(uids).size, uids.length);
  for (const { uid, description, tags } of Object.values(dashboards)) {
    t.regex(uid ?? '', /^unipath-[a-z-]+$/);
    t.regex(description ?? '', /\.$/);
    t.deepEqual(tags, ['unipath']);
  }
  const linked = [...dashboardFiles().values()].flatMap((text) => [...text.matchAll(/"url": "\/d\/([^?"]+)/g)].map(([, uid]) => uid));
  t.true(linked.length > 0);
  for (const uid of linked) t.true(uids.includes(uid), uid);
});

test('each panel has a title, a sentence, a unit, a place and something to show', (t) => {
  for (const dashboard of Object.values(dashboards)) {
    const panels = panelsOf(dashboard);
    t.true(panels.length >= 8, dashboard.title);
    const titles = panels.map(({ title }) => title);
    t.is(new Set(titles).size, titles.length, `${dashboard.title}: ${titles.join(', ')}`);
    for (const panel of panels) {
      const where = `${dashboard.title}, ${panel.title}`;
      t.regex(panel.description ?? '', /^[A-Z"].*\.$/i, where);
      t.true(typeof panel.fieldConfig?.defaults?.unit === 'string', where);
      t.true((panel.targets ?? []).length > 0, where);
      const { x = 0, y = 0, w = 0, h = 0 } = panel.gridPos ?? {};
      t.true(w > 0 && h > 0 && x + w <= 24, where);
      const overlaps = panels.some(({ gridPos: other }) => {
        if (other === undefined || other === panel.gridPos) return false;
        return x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h;
      });
      t.false(overlaps, where);
    }
  }
});

test('every query names metrics that are exported, or recorded by a rule', (t) => {
  const exported = new Set(
    allFamilies().flatMap(({ name, type }) => (type === 'histogram' ? ['bucket', 'sum', 'count'].map((what) => `${name}_${what}`) : [name])),
  );
  const recorded = new Set(rules().flatMap(({ record }) => record ?? []));
  const queries = [...dashboardQueries(), ...rules().map(({ alert, record, expr }) => ({ where: `rule ${alert ?? record}`, expr }))];
  t.true(queries.length > 100);
  for (const { where, expr } of queries) {
    const names = metricsIn(expr);
    t.true(names.length > 0 || /\b(up|ALERTS)\b/.test(expr), `${where} asks for nothing`);
    for (const name of names) t.true(exported.has(name) || recorded.has(name), `${where}: ${name}`);
  }
});

test('every metric of ours but those of the scrape itself is on a dashboard or in a rule', (t) => {
  const named = new Set([...dashboardQueries(), ...rules()].flatMap(({ expr }) => metricsIn(expr)));
  const unseen = allFamilies().filter(
    ({ name }) => name.startsWith('unipath_') && ![name, ...['bucket', 'sum', 'count'].map((what) => `${name}_${what}`)].some((each) => named.has(each)),
  );
  t.deepEqual(unseen.map(({ name }) => name), []);
});

test('what is taken for the metrics of an expression', (t) => {
  const expr = 'sum by (le, process_id) (rate(unipath_up{job="unipath_x"}[5m])) / on (instance) a_b:unipath_c:rate5m + process_open_fds';
  t.deepEqual(metricsIn(expr), ['unipath_up', 'a_b:unipath_c:rate5m', 'process_open_fds']);
});
