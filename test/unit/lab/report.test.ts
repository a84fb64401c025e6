import test from 'ava';
import { niceStep, smooth } from '../../../src/lab/report/chart.js';
import { html, milliseconds, percent, scriptJson } from '../../../src/lab/report/html.js';
import { renderReport } from '../../../src/lab/report/page.js';
import { madeUpResults } from '../../support/made_up_results.js';

test('text is escaped, HTML is not escaped twice', (t) => {
  t.is(html`<b>${'<i>&"\''}</b>${html`<u>${1}</u>`}${null}`.text, '<b>&lt;i&gt;&amp;&quot;&#39;</b><u>1</u>');
  t.is(scriptJson({ text: '</script><b>' }).text, '{"text":"\\u003c/script>\\u003cb>"}');
});

test('axis steps are 1, 2 or 5 times a power of ten', (t) => {
  t.deepEqual([niceStep(3000, 3), niceStep(55, 12), niceStep(0.7, 3), niceStep(16, 3)], [1000, 5, 0.5, 10]);
});

test('smoothing keeps the level and the length', (t) => {
  t.deepEqual(smooth([2, 2, 2, 2], 1), [2, 2, 2, 2]);
  t.deepEqual(smooth([0, 3, 0], 1), [1.5, 1, 1.5]);
});

test('numbers are written with the digits they deserve', (t) => {
  t.deepEqual([milliseconds(0.123), milliseconds(-1.5), milliseconds(12.34), milliseconds(712.6)], ['0.12', '-1.50', '12.3', '713']);
  t.deepEqual([percent(1, 3), percent(0, 0), percent(5, 5)], ['33.3 %', '–', '100 %']);
});

test('the page of a run that passed', (t) => {
  const page = renderReport(madeUpResults());
  t.true(page.startsWith('<!doctype html>'));
  t.regex(page, /<span class="verdict">passed</);
  t.notRegex(page, /class="card problems"/);
  for (const step of madeUpResults().steps) t.true(page.includes(step.title), step.title);
  t.regex(page, /<rect class="band accelerated"/);
  t.regex(page, /adapter_without_vfs/);
  t.regex(page, /no CPU reaches q2, q3/);
});

test('nothing on the page is fetched', (t) => {
  const page = renderReport(madeUpResults());
  t.notRegex(page, /(?:src|href)\s*=|url\(|@import|fetch\(|XMLHttpRequest|https?:/);
});

test('every opened element is closed', (t) => {
  const body = renderReport(madeUpResults()).replace(/<(style|script)[^>]*>[\s\S]*?<\/\1>/g, '');
  const open: string[] = [];
  for (const [tag, closing, name = '', rest = ''] of body.matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
    if (['meta', 'br'].includes(name) || rest.endsWith('/')) continue;
    if (closing === '') open.push(name);
    else t.is(open.pop(), name, tag);
  }
  t.deepEqual(open, []);
});

test('the page of a run that failed says what and why', (t) => {
  const page = renderReport(madeUpResults({ failure: '7 frames lost, none may be: <flow>' }));
  t.regex(page, /<span class="verdict failed">failed</);
  t.regex(page, /<li>VF unplugged: 7 frames lost, none may be: &lt;flow&gt;<\/li>/);
  t.regex(page, /<tr class="failed">/);
});

test('the data on the page is the data it was made from', (t) => {
  const results = madeUpResults();
  const [, json = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(renderReport(results)) ?? [];
  t.deepEqual(JSON.parse(json).results, results);
});
