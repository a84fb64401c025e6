import test from 'ava';
import fc from 'fast-check';
import { MAX_QUEUES, RETA_SIZE } from '../../../src/core/limits.js';
import { planQueueCpus, planSteering, sameSteering, unreachableQueues } from '../../../src/core/queue_plan.js';
import { buildReta } from '../../../src/core/reta.js';

const cpus = fc.uniqueArray(fc.integer({ min: 0, max: 511 }), { minLength: 1, maxLength: 64 }).map((list) => list.sort((a, b) => a - b));
const queues = fc.integer({ min: 1, max: MAX_QUEUES });
const salt = fc.integer({ min: 0, max: 1023 });

test('examples', (t) => {
  t.deepEqual(planQueueCpus(4, [0, 1, 2, 3]), [0, 1, 2, 3]);
  t.deepEqual(planQueueCpus(2, [0, 1, 2, 3], 1), [2, 3]);
  t.deepEqual(planQueueCpus(4, [0, 1]), [0, 1, null, null]);
  t.deepEqual(planQueueCpus(4, [2, 6]), [null, null, 2, null]);
  t.deepEqual(planQueueCpus(2, [600]), [null, null]);
});

test('a queue has a congruent, usable CPU if there is one, and no CPU serves two queues', (t) => {
  fc.assert(
    fc.property(queues, cpus, salt, (count, usable, offset) => {
      const plan = planQueueCpus(count, usable, offset);
      t.is(plan.length, count);
      const used = plan.filter((cpu) => cpu !== null);
      t.is(new Set(used).size, used.length);
      for (const [queue, cpu] of plan.entries()) {
        const reachable = usable.some((candidate) => candidate % count === queue);
        t.is(cpu !== null, reachable);
        if (cpu !== null) t.true(cpu % count === queue && usable.includes(cpu));
      }
    }),
  );
});

test('ports with different salts spread over all congruent CPUs', (t) => {
  const used = new Set([0, 1, 2, 3].flatMap((offset) => planQueueCpus(2, [0, 1, 2, 3, 4, 5, 6, 7], offset)));
  t.is(used.size, 8);
});

test('the indirection table gives reachable queues equal shares, and others none', (t) => {
  fc.assert(
    fc.property(queues, cpus, (count, usable) => {
      const plan = planQueueCpus(count, usable);
      const reta = buildReta(plan);
      t.is(reta.length, RETA_SIZE);
      const shares = plan.map((cpu, queue) => ({ cpu, share: reta.filter((entry) => entry === queue).length }));
      const reachable = shares.filter(({ cpu }) => cpu !== null).map(({ share }) => share);
      if (reachable.length === 0) return;
      t.true(Math.max(...reachable) - Math.min(...reachable) <= 1);
      t.true(shares.every(({ cpu, share }) => cpu !== null || share === 0));
    }),
  );
});

test('unreachable queues are named', (t) => {
  const row = planSteering(4, [0, 2]);
  t.deepEqual(row && unreachableQueues(row), [1, 3]);
});

test('a port with more queues than can be told apart is not spread over; one without queues has no row', (t) => {
  t.is(planSteering(MAX_QUEUES, [0])?.queues, MAX_QUEUES);
  const row = planSteering(MAX_QUEUES + 1, [0, 1, 2, 3]);
  t.is(row?.queues, 1);
  t.true(row?.reta.every((queue) => queue === 0));
  t.is(planSteering(0, [0]), null);
});

test('what stands for an unreachable queue does not make rows different, anything else does', (t) => {
  const row = planSteering(4, [0, 2]);
  t.truthy(row);
  if (row === null) return;
  t.true(sameSteering(row, { ...row, queueCpus: [0, 9, 2, 9] }));
  t.false(sameSteering(row, { ...row, queueCpus: [4, null, 2, null] }));
  t.false(sameSteering(row, { ...row, reta: row.reta.map((queue, index) => (index === 0 ? 2 : queue)) }));
  t.false(sameSteering(row, { ...row, queues: 8 }));
  t.false(sameSteering(row, null));
  t.true(sameSteering(null, null));
});
