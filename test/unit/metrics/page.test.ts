import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { allFamilies } from '../../../src/metrics/families.js';
import { metricsPage } from '../../../src/metrics/page.js';
import { packageRoot } from '../../../src/paths.js';

test('docs/metrics.md is fresh', (t) => {
  t.is(readFileSync(join(packageRoot, 'docs/metrics.md'), 'utf8'), metricsPage(allFamilies()), 'run: npm run docs');
});

test('every metric is on the page once', (t) => {
  const page = metricsPage(allFamilies());
  for (const { name } of allFamilies()) t.is(page.split(`\n| \`${name}\` |`).length, 2, name);
});

test('a metric or a label that the page does not know is an error that says where to add it', (t) => {
  const family = { name: 'unipath_vnic_x', type: 'gauge', help: 'X.', labelNames: ['colour'] };
  t.throws(() => metricsPage([family]), { message: /label colour is not explained: add it in src\/metrics\/page\.ts/ });
  t.throws(() => metricsPage([{ ...family, name: 'other' }]), { message: /metric other belongs to no section/ });
});
