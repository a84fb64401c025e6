import test from 'ava';
import { Repeats } from '../../../src/reconcile/repeats.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

test('what goes on is said at once, then ever more seldom, and at least once an hour', (t) => {
  let nowMs = 5;
  const repeats = new Repeats({ nowMs: () => nowMs });
  const said: number[] = [];
  for (; nowMs < 5 * HOUR_MS; nowMs += 2000) if (repeats.of('the host cannot be looked at') !== null) said.push(Math.round(nowMs / MINUTE_MS));
  t.deepEqual(said, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
});

test('how often it went unsaid is told, and what has rested is news again', (t) => {
  let nowMs = 0;
  const repeats = new Repeats({ nowMs: () => nowMs });
  t.is(repeats.of('a'), 0);
  t.is(repeats.of('a'), null);
  t.is(repeats.of('b'), 0);
  t.is(repeats.of('a'), null);
  nowMs += MINUTE_MS;
  t.is(repeats.of('a'), 2);
  nowMs += 2 * MINUTE_MS;
  t.is(repeats.of('a'), 0);
  nowMs += MINUTE_MS;
  t.is(repeats.of('a'), 0);
});

test('a thousand different ones are remembered', (t) => {
  const repeats = new Repeats({ nowMs: () => 0 });
  for (let i = 0; i < 1001; i++) t.is(repeats.of(`${i}`), 0);
  t.is(repeats.of('1000'), null);
  t.is(repeats.of('0'), 0);
});
