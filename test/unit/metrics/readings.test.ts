import test from 'ava';
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
