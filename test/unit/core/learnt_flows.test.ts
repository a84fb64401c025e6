import test from 'ava';
import fc from 'fast-check';
import { fitFlows, type LearntFlow } from '../../../src/core/learnt_flows.js';

const entry = (slots: number): fc.Arbitrary<LearntFlow> =>
  fc.record({ slot: fc.nat(slots - 1), tag: fc.nat(0xffff_ffff), queue: fc.nat(63), ageMs: fc.nat(40_000) });
const tables = fc.tuple(fc.nat(6), fc.nat(6)).filter(([from, to]) => to <= from).map(([from, to]) => ({ from: 2 ** from, to: 2 ** to }));

test('every flow is where its hash leads in the smaller table, and of two in a slot the younger one stays', (t) => {
  const property = fc.property(
    tables.chain(({ from, to }) => fc.record({ from: fc.constant(from), to: fc.constant(to), flows: fc.uniqueArray(entry(from), { selector: ({ slot }) => slot }) })),
    ({ from, to, flows }) => {
      const fitted = fitFlows({ seed: 1n, slots: from, flows }, to);
      const wanted = new Set(flows.map(({ slot }) => slot % to));
      t.deepEqual(new Set(fitted.map(({ slot }) => slot)), wanted, 'no slot is forgotten, none twice');
      t.is(fitted.length, wanted.size);
      for (const { slot, ageMs } of fitted) t.is(ageMs, Math.min(...flows.filter((flow) => flow.slot % to === slot).map((flow) => flow.ageMs)));
    },
  );
  fc.assert(property);
});

test('a larger table is refused', (t) => {
  t.throws(() => fitFlows({ seed: 1n, slots: 16, flows: [] }, 32), { instanceOf: RangeError, message: /32 flows cannot take those of one of 16/ });
});
