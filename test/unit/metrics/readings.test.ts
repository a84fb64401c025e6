import test from 'ava';
import fc from 'fast-check';
import { Gauge, Registry } from 'prom-client';
import { Readings } from '../../../src/metrics/readings.js';

const text = (readings: Readings): string => Buffer.concat([...readings.pieces()]).toString();
const samples = (readings: Readings): string[] => text(readings).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('a family as text', (t) => {
  const readings = new Readings();
  readings.gauge('a_seconds', 'What a is.').set({}, 1.5);
  readings.counter('b_total', 'What b is.', ['x', 'y']).set({ y: 'Y', x: 'a"b\\c\nd' }, 7n);
  t.is(
    text(readings),
    '# HELP a_seconds What a is.\n# TYPE a_seconds gauge\na_seconds 1.5\n\n' +
      '# HELP b_total What b is.\n# TYPE b_total counter\nb_total{x="a\\"b\\\\c\\nd",y="Y"} 7\n\n',
  );
});

test('a counter adds up what is set for the same labels, a gauge has the last; both begin anew when they are emptied', (t) => {
  const readings = new Readings();
  const gauge = readings.gauge('a', 'A.', ['x']);
  const counter = readings.counter('b', 'B.', ['x']);
  for (const family of [gauge, counter]) {
    family.set({ x: '1' }, 3);
    family.set({ x: '1' }, 4n);
  }
  t.deepEqual(samples(readings), ['a{x="1"} 4', 'b{x="1"} 7']);
  for (const family of [gauge, counter]) family.clear();
  counter.set({ x: '1' }, 2);
  t.deepEqual(samples(readings), ['b{x="1"} 2']);
});

test('what is not set after the family was emptied is not shown; a series that is kept comes again when it is', (t) => {
  const readings = new Readings();
  const family = readings.counter('a', 'A.', ['x']);
  const kept = family.cell({ x: 'kept' });
  t.deepEqual(samples(readings), []);
  kept.set(1);
  family.set({ x: 'other' }, 1);
  t.deepEqual(samples(readings).sort(), ['a{x="kept"} 1', 'a{x="other"} 1']);
  family.clear();
  t.deepEqual(samples(readings), []);
  family.clear();
  kept.set(5);
  family.set({ x: 'kept' }, 1);
  t.deepEqual(samples(readings), ['a{x="kept"} 6'], 'one series, whoever sets it');
});

/** Whole numbers of all lengths and the edges between them, fractions, and what is no number. */
const value = fc.oneof(
  fc.nat(20),
  fc.integer({ min: 0, max: 16 }).chain((digits) => fc.constantFrom(10 ** digits - 1, 10 ** digits, 10 ** digits + 1)),
  fc.maxSafeNat(), fc.integer(), fc.double(), fc.constantFrom(-0, 1e9, 999_999_999, 1e15, 1e21),
);
/** More than a block of lines has. */
const series = fc.tuple(fc.nat(99), fc.constantFrom('', 'a', 'ü"\\\n', '猫')).map(([x, y]) => ({ x: String(x), y }));

test('the text is that of prom-client, reading after reading, whatever changes, comes and goes', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(fc.tuple(series, value), { maxLength: 200 }), { minLength: 1, maxLength: 6 }), async (rounds) => {
      const readings = new Readings();
      const family = readings.gauge('a', 'What a is.', ['x', 'y']);
      for (const round of rounds) {
        const registry = new Registry();
        const gauge = new Gauge({ name: 'a', help: 'What a is.', labelNames: ['x', 'y'], registers: [registry] });
        family.clear();
        for (const [labels, number] of round) {
          family.set(labels, number);
          gauge.set(labels, number);
        }
        const [own, theirs] = [text(readings), `${await registry.metrics()}\n`].map((all) => all.split('\n').sort());
        t.deepEqual(own, theirs);
      }
    }),
    { numRuns: 200 },
  );
});

test('numbers that go up, digit by digit, where they stood before', (t) => {
  const readings = new Readings();
  const counters = readings.counter('a_total', 'A.', ['x']);
  for (let turn = 0; turn < 400; turn++) {
    counters.clear();
    // Through every number of digits, each series at its own pace.
    const values = Array.from({ length: 150 }, (_, x) => Math.floor(1.08 ** turn * (1 + x / 7)));
    values.forEach((each, x) => counters.set({ x: String(x) }, each));
    t.deepEqual(samples(readings), values.map((each, x) => `a_total{x="${x}"} ${each}`));
  }
});
