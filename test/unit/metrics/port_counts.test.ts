/** What a vNIC is told to have got is what its ports took while they were its own, whatever port it had and whoever had it before. */
import test from 'ava';
import fc from 'fast-check';
import { PortCounts, type PortStatistics } from '../../../src/metrics/port_counts.js';

const VNICS = ['g1', 'g2'] as const;
const PORTS = [11, 12, 13] as const;

const of = (frames: number) => ({ txFrames: frames, txBytes: frames * 100, txDropped: frames % 7 });
const shown = (counts: PortCounts): Record<string, number[]> =>
  Object.fromEntries([...counts.all()].flatMap(([vnic, paths]) => [...paths].map(([path, { frames, bytes, dropped }]) => [`${vnic} ${path}`, [frames, bytes, dropped]])));
const ports = (vnic: string, software: number | null, accelerated: number | null | 'adapter' = null) => ({ vnic, software, accelerated });

test('what was there at the first reading is not of this time; what came since is', (t) => {
  const counts = new PortCounts();
  counts.read([ports('g1', 11, 12)], new Map([[11, of(70)], [12, of(7)]]));
  t.deepEqual(shown(counts), { 'g1 software': [0, 0, 0], 'g1 accelerated': [0, 0, 0] });
  counts.read([ports('g1', 11, 12)], new Map([[11, of(73)], [12, of(7)]]));
  t.deepEqual(shown(counts), { 'g1 software': [3, 300, 3], 'g1 accelerated': [0, 0, 0] });
});

test('a device that is new has counted since it was made', (t) => {
  const counts = new PortCounts();
  counts.read([ports('g1', null)], new Map());
  counts.read([ports('g1', 11)], new Map([[11, of(5)]]));
  t.deepEqual(shown(counts)['g1 software'], [5, 500, 5]);
  // Gone, and made anew under another number; with the old number a driver began anew.
  counts.read([ports('g1', null)], new Map());
  counts.read([ports('g1', 12)], new Map([[12, of(2)]]));
  t.deepEqual(shown(counts)['g1 software'], [7, 700, 7]);
  counts.read([ports('g1', 12)], new Map([[12, of(1)]]));
  t.deepEqual(shown(counts)['g1 software'], [7, 700, 7]);
});

test("nothing is said of a VF behind the adapter's own switch, nor of a vNIC that is gone", (t) => {
  const counts = new PortCounts();
  counts.read([ports('g1', 11, 'adapter'), ports('g2', 12)], new Map());
  t.deepEqual(Object.keys(shown(counts)), ['g1 software', 'g2 software', 'g2 accelerated']);
  counts.read([ports('g1', 11, 12)], new Map());
  t.deepEqual(Object.keys(shown(counts)), ['g1 software', 'g1 accelerated']);
});

test('every frame is told of once, and of the vNIC whose port it was', (t) => {
  const move = fc.record({ vnic: fc.constantFrom(...VNICS), port: fc.constantFrom(null, ...PORTS) });
  const flow = fc.record({ port: fc.constantFrom(...PORTS), frames: fc.nat(1000) });
  fc.assert(
    fc.property(fc.array(fc.oneof(move, flow), { maxLength: 60 }), (steps) => {
      const counts = new PortCounts();
      const sent = new Map<number, number>(PORTS.map((port) => [port, 500]));
      const has = new Map<string, number | null>();
      const got = new Map<string, number>(VNICS.map((vnic) => [vnic, 0]));
      const read = (): void => {
        const now: PortStatistics = new Map([...sent].map(([port, frames]) => [port, of(frames)]));
        counts.read(VNICS.map((vnic) => ports(vnic, null, has.get(vnic) ?? null)), now);
      };
      read();
      for (const step of steps) {
        if ('frames' in step) {
          sent.set(step.port, (sent.get(step.port) ?? 0) + step.frames);
          const owner = VNICS.find((vnic) => has.get(vnic) === step.port);
          if (owner !== undefined) got.set(owner, (got.get(owner) ?? 0) + step.frames);
        } else if (step.port === null || ![...has.values()].includes(step.port)) {
          has.set(step.vnic, step.port);
          read(); // an event tells of it
        }
      }
      read();
      for (const vnic of VNICS) t.is(shown(counts)[`${vnic} accelerated`]?.[0], got.get(vnic));
    }),
  );
});
