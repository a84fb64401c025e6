import test from 'ava';
import fc from 'fast-check';
import { Arrivals, sumAccounts } from '../../../src/lab/traffic/arrivals.js';

/** The slow way: remembers everything. */
function naiveAccount(sequences: readonly number[], from: number, to: number) {
  const seen = new Set<number>();
  let highest = -1;
  let duplicated = 0;
  let reordered = 0;
  for (const sequence of sequences) {
    const counts = sequence >= from && sequence < to;
    if (seen.has(sequence)) duplicated += counts ? 1 : 0;
    else if (sequence < highest) reordered += counts ? 1 : 0;
    seen.add(sequence);
    highest = Math.max(highest, sequence);
  }
  const missing: number[] = [];
  for (let sequence = from; sequence < to; sequence++) if (!seen.has(sequence)) missing.push(sequence);
  return { lost: missing.length, received: Math.max(0, to - from) - missing.length, duplicated, reordered, missing };
}

function feed(sequences: readonly number[]): Arrivals {
  const arrivals = new Arrivals();
  sequences.forEach((sequence, i) => {
    arrivals.add(sequence, 1_000_000 + i * 1000, 1_000_000 + i * 1000 - 500);
  });
  return arrivals;
}

const expand = (runs: readonly [number, number][]): number[] =>
  runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));

// A run as networks make them: consecutive numbers with some taken out, doubled or moved.
const fault = fc.record({ at: fc.nat(5000), kind: fc.constantFrom('lose', 'double', 'late'), by: fc.integer({ min: 1, max: 1500 }) });
const disturbedRun = fc
  .record({
    length: fc.integer({ min: 0, max: 5000 }),
    faults: fc.array(fault, { maxLength: 40 }),
  })
  .map(({ length, faults }) => {
    const sequences = Array.from({ length }, (_, i) => i);
    for (const { at, kind, by } of faults) {
      if (at >= sequences.length) continue;
      const [sequence] = kind === 'double' ? sequences.slice(at, at + 1) : sequences.splice(at, 1);
      if (kind !== 'lose' && sequence !== undefined) sequences.splice(Math.min(sequences.length, at + by), 0, sequence);
    }
    return sequences;
  });

test('counts agree with the slow way, for any range, whatever was lost, doubled or moved', (t) => {
  fc.assert(
    fc.property(disturbedRun, fc.nat(5200), fc.nat(5200), (sequences, a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const arrivals = feed(sequences);
      const { missing, ...expected } = naiveAccount(sequences, from, to);
      t.like(arrivals.account(from, to), { sent: to - from, ...expected, corrupt: 0 });
      t.deepEqual(expand(arrivals.missing(from, to, Number.POSITIVE_INFINITY)), missing);
      t.is(arrivals.received, new Set(sequences).size);
    }),
  );
});

test('adjoining ranges add up to the whole', (t) => {
  fc.assert(
    fc.property(disturbedRun, fc.nat(5000), (sequences, cut) => {
      const arrivals = feed(sequences);
      const whole = arrivals.account(0, 5000);
      const parts = sumAccounts([arrivals.account(0, cut), arrivals.account(cut, 5000)]);
      for (const count of ['sent', 'received', 'lost', 'duplicated', 'reordered'] as const) t.is(parts[count], whole[count]);
    }),
  );
});

test('a corrupt datagram is received, not lost, and belongs to its step', (t) => {
  const arrivals = new Arrivals();
  for (let i = 0; i < 10; i++) arrivals.add(i, 1000 * i, 0, i === 7);
  t.like(arrivals.account(0, 10), { received: 10, lost: 0, corrupt: 1 });
  t.is(arrivals.account(0, 7).corrupt, 0);
});

test('only as many missing runs as asked for', (t) => {
  const arrivals = feed([0, 2, 4, 6]);
  t.deepEqual(arrivals.missing(0, 10, 2), [
    [1, 1],
    [3, 3],
  ]);
  t.deepEqual(arrivals.missing(5, 10, 5), [
    [5, 5],
    [7, 9],
  ]);
});

test('the longest gap is that of the asked range and says when it began', (t) => {
  const arrivals = new Arrivals();
  const at = [0, 1, 2, 52, 53, 153, 154].map((ms) => ms * 1e6 + 1e9);
  at.forEach((ns, i) => {
    arrivals.add(i, ns, ns);
  });
  t.deepEqual(arrivals.account(0, 7).longestGap, { sequence: 5, startNs: 1e9 + 53e6, lengthNs: 100e6 });
  t.deepEqual(arrivals.account(0, 5).longestGap, { sequence: 3, startNs: 1e9 + 2e6, lengthNs: 50e6 });
  t.is(arrivals.account(0, 3).longestGap, null);
});

test('gaps stay bounded over a long bad run and the longest is never forgotten', (t) => {
  const arrivals = new Arrivals();
  let now = 0;
  for (let i = 0; i < 50_000; i++) {
    now += i === 123 ? 5e9 : 3e6 + i;
    arrivals.add(i, now, now);
  }
  t.is(arrivals.account(0, 50_000).longestGap?.sequence, 123);
});

test('latency percentiles are within a bucket of the truth', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1_000, max: 5_000_000_000 }), { minLength: 1, maxLength: 300 }), (latencies) => {
      const arrivals = new Arrivals();
      latencies.forEach((ns, i) => {
        arrivals.add(i, 10e9 + ns, 10e9);
      });
      const sorted = [...latencies].sort((a, b) => a - b);
      const { latency } = arrivals.account(0, latencies.length);
      t.is(latency.samples, latencies.length);
      for (const [share, got] of [[0.5, latency.p50Us], [0.9, latency.p90Us], [0.99, latency.p99Us], [1, latency.maxUs]] as const) {
        const truth = (sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0) / 1000;
        t.true(got >= truth * 0.99 - 0.1 && got <= truth * 1.1 + 0.1, `${got} us for ${truth} us`);
      }
    }),
  );
});
