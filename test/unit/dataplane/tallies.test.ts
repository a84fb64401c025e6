import test from 'ava';
import fc from 'fast-check';
import { runsOf, sumBlocks } from '../../../src/dataplane/tallies.js';

test('rows that follow each other are read together, in order, and no more of them than asked for', (t) => {
  t.deepEqual(runsOf([0, 1, 2, 5, 4, 5, 6, 7], 3), [[0, 3], [5, 1], [4, 3], [7, 1]]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1023 })), fc.integer({ min: 1, max: 9 }), (ids, most) => {
      const runs = runsOf(ids, most);
      t.deepEqual(runs.flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i)), ids);
      t.true(runs.every(([, count]) => count <= most));
    }),
  );
});

test('counters of all CPUs are added up, wherever in memory they lie, and wrap at 64 bits', (t) => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(fc.array(fc.tuple(u64, u64), { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 7 }), (cpus, shift) => {
      const values = Buffer.alloc(shift + cpus.length * 16).subarray(shift);
      for (const [cpu, words] of cpus.entries()) for (const [i, word] of words.entries()) values.writeBigUInt64LE(word, cpu * 16 + i * 8);
      const sum = sumBlocks(values, 16);
      for (const i of [0, 1] as const) t.is(sum.readBigUInt64LE(i * 8), BigInt.asUintN(64, cpus.reduce((all, words) => all + words[i], 0n)));
    }),
  );
});
