import test from 'ava';
import { type Goal, GOALS, judge } from '../../../src/bench/goals.js';
import { SECTION_NAMES, type SectionReport } from '../../../src/bench/model.js';
import { SECTIONS } from '../../../src/bench/sections/index.js';
import { alignColumns, renderFigures, renderTable, rowsOf } from '../../../src/bench/table.js';

const goal = (sense: Goal['sense'], bounds: Partial<Goal> = {}): Goal => ({ section: 'maps', what: 'a', against: 'b', sense, ...bounds });
const spread = (low: number, median: number, high: number) => ({ low, median, high });
const report = (section: SectionReport['section'], more: Partial<SectionReport>): SectionReport => ({
  section, ratios: {}, figures: [], curves: [], remarks: [], roundsDropped: 0, ...more,
});

test('a cost is good when it is small, a rate when it is large', (t) => {
  const cost = goal('at most', { goal: 2, stretch: 1.5 });
  t.deepEqual([1.5, 2, 2.01].map((median) => judge(cost, spread(0, median, 9))), ['stretch', 'met', 'missed']);
  const rate = goal('at least', { goal: 2, stretch: 3 });
  t.deepEqual([3, 2, 1.99].map((median) => judge(rate, spread(0, median, 9))), ['stretch', 'met', 'missed']);
});

test('what the rounds do not tell apart is no worse, and better only by the median', (t) => {
  const same = goal('no worse', { goal: 1, stretch: 1 });
  t.is(judge(same, spread(0.9, 0.97, 1.01)), 'met');
  t.is(judge(same, spread(0.9, 0.95, 0.99)), 'missed');
  t.is(judge(same, spread(0.9, 1.02, 1.1)), 'stretch');
});

test('without a goal there is no verdict', (t) => {
  t.is(judge(goal('report'), spread(0, 0, 0)), 'reported');
});

test('every goal belongs to a section that there is, and every section has one', (t) => {
  const used = new Set(Object.values(GOALS).map(({ section }) => section));
  t.deepEqual([...used].sort(), [...SECTION_NAMES].sort());
  t.deepEqual(Object.keys(SECTIONS).sort(), [...SECTION_NAMES].sort());
});

test('a stretch is never easier than its goal', (t) => {
  for (const [id, { sense, goal: bound, stretch }] of Object.entries(GOALS as Record<string, Goal>)) {
    if (bound === undefined || stretch === undefined) continue;
    t.true(sense === 'at most' ? stretch <= bound : stretch >= bound, id);
  }
});

test('the table has the goals of the sections that ran', (t) => {
  const rows = rowsOf([report('toeplitz', { ratios: { toeplitz4: [40, 41, 42] } })]);
  t.deepEqual(rows.map(({ id, verdict }) => [id, verdict]), [['toeplitz4', 'met'], ['toeplitz6', 'not measured']]);
  const text = renderTable(rows);
  t.regex(text, /^Toeplitz, IPv4 +loop over the bits +41\.0 \(40\.5-41\.5\) +>= 35\.0x +>= 50\.0x +met$/m);
  t.regex(text, /^Toeplitz, IPv6 +loop over the bits +- .* not measured$/m);
});

test('a goal that is met by far says so, and a reported one has no bounds', (t) => {
  const text = renderTable(rowsOf([report('vnics', { ratios: { 'vnics-run': [1.01], 'vnics-live': [1.2] } })]));
  t.regex(text, /TEST_RUN\) +own cost at 1 +1\.01 \(1\.01-1\.01\) +<= 1\.10x +<= 1\.04x +met, and stretch$/m);
  t.regex(text, /live +own cost at 1 +1\.20 \(1\.20-1\.20\) +- +- +reported$/m);
});

test('figures have as many digits as they deserve', (t) => {
  const figures = [{ what: 'a', unit: 'ns', values: [1.234] }, { what: 'b', unit: 'us', values: [123.4] }, { what: 'c', unit: 'us', values: [] }];
  t.is(renderFigures([report('maps', { figures })]), 'a  1.23 (1.23-1.23)  ns\nb     123 (123-123)  us\nc                 -  us');
});

test('columns are aligned, numbers to the right', (t) => {
  t.is(alignColumns([['a', 'bb'], ['ccc', 'd']]), 'a    bb\nccc   d');
  t.is(alignColumns([]), '');
});
