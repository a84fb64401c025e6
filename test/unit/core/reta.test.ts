import test from 'ava';
import fc from 'fast-check';
import { MAX_QUEUES, RETA_SIZE } from '../../../src/core/limits.js';
import { buildReta, MAX_WEIGHT, retaRanges, retaShares, trimWeights, weightsProblem } from '../../../src/core/reta.js';

/** CPUs of 1..MAX_QUEUES queues, some of which none reaches. */
const queueCpus = fc.array(fc.option(fc.integer({ min: 0, max: 511 }), { freq: 3 }), { minLength: 1, maxLength: MAX_QUEUES });
const weights = fc.array(fc.integer({ min: 0, max: MAX_WEIGHT }), { minLength: 1, maxLength: MAX_QUEUES });
const table = fc.array(fc.integer({ min: 0, max: MAX_QUEUES - 1 }), { minLength: RETA_SIZE, maxLength: RETA_SIZE });

/** The share that each queue should have, in buckets, as a fraction. */
function quotas(cpus: readonly (number | null)[], asked: readonly number[]): number[] {
  const equal = cpus.map((cpu) => (cpu === null ? 0 : 1));
  const weighted = cpus.map((cpu, queue) => (cpu === null ? 0 : (asked[queue] ?? 0)));
  const effective: number[] = asked.length > 0 && weighted.some((weight) => weight > 0) ? weighted : equal;
  const sum = effective.reduce((total, weight) => total + weight, 0);
  return effective.map((weight) => (RETA_SIZE * weight) / Math.max(1, sum));
}

test('examples', (t) => {
  const shares = (asked: readonly number[], cpus: readonly (number | null)[] = [0, 1, 2]): number[] => retaShares(buildReta(cpus, asked), cpus.length);
  t.deepEqual(shares([]), [43, 43, 42]);
  t.deepEqual(shares([2, 1, 1]), [64, 32, 32]);
  t.deepEqual(shares([3, 1]), [96, 32, 0], 'a queue beyond the list has weight 0');
  t.deepEqual(shares([2, 1, 1], [0, null, 2]), [85, 0, 43], 'a queue that cannot be reached gets nothing');
  t.deepEqual(shares([0, 1, 0], [0, null, 2]), [64, 0, 64], 'a flow must go somewhere');
  t.deepEqual(shares([1, 255]), [1, 127, 0]);
  t.deepEqual(shares([], [null, null]), [128, 0]);
});

test('a new table of equal shares has the queues in turn, as `ethtool -X equal` does', (t) => {
  for (let queues = 1; queues <= MAX_QUEUES; queues++) {
    const cpus = Array.from({ length: queues }, (_, queue) => queue);
    t.deepEqual(buildReta(cpus), Array.from({ length: RETA_SIZE }, (_, bucket) => bucket % queues), `${queues} queues`);
  }
});

test('weighted queues lie among each other, not in blocks', (t) => {
  t.deepEqual(buildReta([0, 1], [3, 1]).slice(0, 8), [0, 0, 1, 0, 0, 0, 1, 0]);
});

test('every queue is within one bucket of its share, and those without a share get none', (t) => {
  fc.assert(
    fc.property(queueCpus, fc.oneof(fc.constant([]), weights), fc.option(table), (cpus, asked, before) => {
      const reta = buildReta(cpus, asked, before);
      t.is(reta.length, RETA_SIZE);
      if (cpus.every((cpu) => cpu === null)) {
        t.true(reta.every((queue) => queue === 0));
        return;
      }
      const shares = retaShares(reta, cpus.length);
      for (const [queue, quota] of quotas(cpus, asked).entries()) {
        const share = shares[queue] ?? 0;
        t.true(Math.abs(share - quota) < 1, `queue ${queue}: ${share} of ${quota}`);
        if (quota === 0) t.is(share, 0);
      }
    }),
  );
});

test('no bucket moves but those that must: as many as the shares differ', (t) => {
  fc.assert(
    fc.property(queueCpus, weights, table, (cpus, asked, before) => {
      const reta = buildReta(cpus, asked, before);
      if (cpus.every((cpu) => cpu === null)) return;
      const [old, now] = [retaShares(before, MAX_QUEUES), retaShares(reta, MAX_QUEUES)];
      const must = now.reduce((sum, share, queue) => sum + Math.max(0, share - (old[queue] ?? 0)), 0);
      t.is(reta.filter((queue, bucket) => queue !== before[bucket]).length, must);
    }),
  );
});

test('a bucket that two queues have equal claims to stays with who has it, whatever their weights', (t) => {
  const before = Array.from({ length: RETA_SIZE }, (_, bucket) => (bucket < 100 ? 0 : 1));
  const reta = buildReta([0, 1, 2], [1, 3, 252], before);
  t.deepEqual(retaShares(reta, 3), [1, 1, 126]);
  t.deepEqual(buildReta([0, 1, 2], [1, 3, 252], reta), reta);
});

test('it is a fixed point: a table that is as it should be stays, whatever made it', (t) => {
  fc.assert(
    fc.property(queueCpus, fc.oneof(fc.constant([]), weights), fc.option(table), (cpus, asked, before) => {
      const reta = buildReta(cpus, asked, before);
      t.deepEqual(buildReta(cpus, asked, reta), reta);
    }),
  );
});

test('equal shares of equal remainders stay where they are', (t) => {
  const before = Array.from({ length: RETA_SIZE }, (_, bucket) => [2, 1, 0][bucket % 3] ?? 0);
  t.deepEqual(retaShares(before, 3), [42, 43, 43]);
  t.deepEqual(buildReta([0, 1, 2], [], before), before);
});

test('weights that cannot be are named', (t) => {
  t.is(weightsProblem([2, 1], 2), null);
  t.is(weightsProblem([0, 255], 2), null);
  t.regex(weightsProblem([], 2) ?? '', /^name at least one weight/);
  t.regex(weightsProblem([1, 1, 1], 2) ?? '', /^3 weights are more than the 2 queues/);
  t.regex(weightsProblem([256], 2) ?? '', /^256 is no weight: whole numbers in 0\.\.255/);
  t.regex(weightsProblem([1.5], 2) ?? '', /^1\.5 is no weight/);
  t.regex(weightsProblem([0, 0], 2) ?? '', /^all weights are 0/);
  t.deepEqual(trimWeights([2, 0, 1, 0, 0]), [2, 0, 1]);
  t.deepEqual(trimWeights([0]), []);
});

test('ranges of buckets say the same as the table', (t) => {
  t.deepEqual(retaRanges([0, 0, 1, 0]), [{ first: 0, last: 1, queue: 0 }, { first: 2, last: 2, queue: 1 }, { first: 3, last: 3, queue: 0 }]);
  fc.assert(
    fc.property(table, (reta) => {
      const back = retaRanges(reta).flatMap(({ first, last, queue }) => new Array<number>(last - first + 1).fill(queue));
      t.deepEqual(back, reta);
    }),
  );
});
