import test from 'ava';
import { measureRounds } from '../../../src/bench/rounds.js';
import { Rounds, spreadOf } from '../../../src/bench/stats.js';
import { parseCpuTimes, stealShare } from '../../../src/bench/steal.js';

test('median and quartiles', (t) => {
  t.deepEqual(spreadOf([5, 1, 3]), { median: 3, low: 2, high: 4 });
  t.deepEqual(spreadOf([4, 1]), { median: 2.5, low: 1.75, high: 3.25 });
  t.throws(() => spreadOf([]), { instanceOf: RangeError });
});

test('ratios are taken within a round', (t) => {
  // The machine is twice as slow in the second and third round: no ratio changes.
  const rounds = new Rounds([{ a: 125, b: 100, empty: 20 }, { a: 250, b: 200, empty: 40 }, { a: 250, b: 200, empty: 40 }], 1);
  t.deepEqual(rounds.ratios('a', 'b'), [1.25, 1.25, 1.25]);
  t.deepEqual(rounds.net('b', 'empty'), [80, 160, 160]);
  t.deepEqual(rounds.netRatios('a', 'b', 'empty'), [105 / 80, 210 / 160, 210 / 160]);
  t.deepEqual([rounds.length, rounds.dropped], [3, 1]);
});

test('a round in which what is compared with cost no more than nothing has no net ratio', (t) => {
  const rounds = new Rounds([{ a: 30, b: 20, empty: 20 }, { a: 30, b: 22, empty: 20 }], 0);
  t.deepEqual(rounds.netRatios('a', 'b', 'empty'), [5]);
});

test('contenders take turns, forth and back', async (t) => {
  const order: string[] = [];
  const contender = (name: string, cost: number) => () => {
    order.push(name);
    return cost;
  };
  const progress: number[] = [];
  const rounds = await measureRounds({ a: contender('a', 1), b: contender('b', 2) }, {
    rounds: 3, cpus: [], progress: (done) => progress.push(done),
  });
  t.is(order.join(''), 'abbaab');
  t.deepEqual(rounds.values('b'), [2, 2, 2]);
  t.deepEqual(progress, [1, 2, 3]);
});

test('steal is read from the CPU\'s own line', (t) => {
  const stat = 'cpu  1 1 1 1 1 1 1 1 1 1\ncpu0 100 0 50 800 0 0 10 40 0 0\ncpu10 1 2 3 4 5 6 7 8 9 10\n';
  t.deepEqual(parseCpuTimes(stat, 0), { total: 1000, steal: 40 });
  t.deepEqual(parseCpuTimes(stat, 10), { total: 36, steal: 8 });
  t.throws(() => parseCpuTimes(stat, 1), { message: /CPU 1/ });
  t.is(stealShare({ total: 1000, steal: 40 }, { total: 1200, steal: 50 }), 0.05);
  t.is(stealShare({ total: 1000, steal: 40 }, { total: 1000, steal: 40 }), 0);
});
