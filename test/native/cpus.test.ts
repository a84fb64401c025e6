import { cpus } from 'node:os';
import test from 'ava';
import fc from 'fast-check';
import { onlineCpus, parseCpuList, possibleCpus } from '../../src/native/cpus.js';

test('lists of CPUs as the kernel writes them', (t) => {
  t.deepEqual(parseCpuList('0\n'), [0]);
  t.deepEqual(parseCpuList('0-3\n'), [0, 1, 2, 3]);
  t.deepEqual(parseCpuList('0-1,4,6-7'), [0, 1, 4, 6, 7]);
  for (const text of ['', '1-', 'a', '0,,1', '-1']) t.throws(() => parseCpuList(text), { message: /not a list of CPUs/ });
});

test('any set of CPUs survives being written as a list', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(600), { minLength: 1 }), (numbers) => {
      const sorted = numbers.sort((a, b) => a - b);
      t.deepEqual(parseCpuList(sorted.join(',')), sorted);
    }),
  );
});

test('this machine has as many as Node says', (t) => {
  t.is(onlineCpus().length, cpus().length);
  t.true(possibleCpus() >= cpus().length);
});
