import test from 'ava';
import { sumTimelines, Timeline } from '../../../src/lab/traffic/timeline.js';

const MS = 1_000_000;

test('arrivals are counted in the 100 ms they fall in, silent bins included', (t) => {
  const timeline = new Timeline();
  for (const ms of [1010, 1099, 1100, 1399]) timeline.add(ms * MS, 10);
  t.deepEqual(timeline.data(), { binMs: 100, startMs: 1000, packets: [2, 1, 0, 1], bytes: [20, 10, 0, 10] });
});

test('timelines that began at different times are added bin by bin', (t) => {
  const early = new Timeline();
  early.add(1000 * MS, 1);
  early.add(1250 * MS, 1);
  const late = new Timeline();
  late.add(1210 * MS, 5);
  late.add(1410 * MS, 5);
  const sum = sumTimelines([early.data(), new Timeline().data(), late.data()]);
  t.deepEqual(sum, { binMs: 100, startMs: 1000, packets: [1, 0, 2, 0, 1], bytes: [1, 0, 6, 0, 5] });
  t.deepEqual(sumTimelines([]).packets, []);
});
