import test from 'ava';
import fc from 'fast-check';
import { Pacer } from '../../../src/lab/traffic/pacer.js';

const MS = 1_000_000;

test('the rate is exact over time whatever the ticks, as long as none is late by more than the catch-up', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50_000 }),
      fc.array(fc.integer({ min: 1, max: 19 * MS }), { minLength: 1, maxLength: 500 }),
      (rate, ticks) => {
        const pacer = new Pacer(rate, 5e9);
        let now = 5e9;
        let taken = 0;
        for (const tick of ticks) {
          now += tick;
          taken += pacer.take(now);
        }
        t.is(taken, Math.floor(((now - 5e9) * rate) / 1e9));
        t.is(pacer.skipped, 0);
      },
    ),
  );
});

test('what a sender that was not let run gives up is counted, and the rate goes on as before', (t) => {
  const pacer = new Pacer(1000, 0);
  t.is(pacer.take(10 * MS), 10);
  t.is(pacer.take(1010 * MS), 20);
  t.is(pacer.skipped, 980);
  t.is(pacer.take(1020 * MS), 10);
});

test('a slow flow still sends', (t) => {
  const pacer = new Pacer(2, 0);
  t.is(pacer.take(499 * MS), 0);
  t.is(pacer.take(500 * MS), 1);
  t.is(pacer.take(501 * MS), 0);
  t.throws(() => new Pacer(0, 0), { instanceOf: RangeError });
});
