import test from 'ava';
import fc from 'fast-check';
import { fromVnicRate, NO_RATE, toVnicRate } from '../../../src/dataplane/rate_row.js';

test('a rate as the packet programs count it', (t) => {
  t.deepEqual(toVnicRate(null), NO_RATE);
  // 8 Mbit/s is a byte in a microsecond; 128 KiB take longer than 10 ms.
  t.deepEqual(toVnicRate(8), { freeAtNs: 0n, burstNs: 131_072_000n, psPerByte: 1_000_000 });
  t.deepEqual(toVnicRate(10_000), { freeAtNs: 0n, burstNs: 10_000_000n, psPerByte: 800 });
  t.is(fromVnicRate(NO_RATE), null);
});

test('what is read back is what was written, as far as picoseconds tell', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), (rate) => {
      const back = fromVnicRate(toVnicRate(rate)) ?? 0;
      return rate <= 2000 ? back === rate : Math.abs(back - rate) / rate < 0.01;
    }),
  );
  t.pass();
});
