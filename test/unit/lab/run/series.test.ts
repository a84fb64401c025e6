import test from 'ava';
import type { PlannedFlow } from '../../../../src/lab/flows.js';
import { frameSeries, pathBands, tcpSeries } from '../../../../src/lab/run/series.js';

const flow = (id: number, from: string, to: string): PlannedFlow => ({
  kind: `${from} to ${to}`,
  from,
  to,
  spec: {
    id,
    family: 4,
    from: { address: '10.0.0.1', port: 1 },
    to: { address: '10.0.0.2', port: 2 },
    packetsPerSecond: 1,
    sizes: [64],
    echoEvery: 1,
  },
});
const timeline = (startMs: number, packets: number[]) => ({ binMs: 100, startMs, packets, bytes: packets.map((count) => count * 1000) });

test('an answer runs against its flow', (t) => {
  const flows = [flow(1, 'world', 'g1'), flow(2, 'g1', 'world'), flow(3, 'g1', 'g3')];
  const series = frameSeries(
    flows,
    [
      { flow: 1, stream: 'forward', timeline: timeline(1000, [10, 20]) },
      { flow: 2, stream: 'echo', timeline: timeline(1100, [1, 2]) },
      { flow: 1, stream: 'echo', timeline: timeline(1000, [5]) },
      { flow: 3, stream: 'forward', timeline: timeline(1000, [99]) },
    ],
    1000,
  );
  t.deepEqual(
    series.map(({ name, startMs, values }) => ({ name, startMs, values })),
    [
      { name: 'world to g1', startMs: 0, values: [100, 210, 20] },
      { name: 'g1 to world', startMs: 0, values: [50] },
    ],
  );
});

test('bytes become Mbit/s', (t) => {
  t.deepEqual(tcpSeries('x', timeline(500, [100]), 400), [{ panel: 'TCP stream', name: 'x', unit: 'Mbit/s', startMs: 100, binMs: 100, values: [8] }]);
});

test('bytes of which nobody noted when they came are no line', (t) => {
  t.deepEqual(tcpSeries('x', timeline(0, []), 400), []);
});

test('bands cover the run from one switch to the next', (t) => {
  const switched = (to: 'software' | 'accelerated', atMs: number) =>
    ({ from: 'software', to, atNs: atMs * 1e6, receiveMs: 0, transmitMs: 0 }) as const;
  const bands = pathBands('g1', 'software', [switched('accelerated', 1200), switched('software', 1500)], 1000, 900);
  t.deepEqual(
    bands.map(({ fromMs, toMs, tone }) => [fromMs, toMs, tone]),
    [
      [0, 200, 'software'],
      [200, 500, 'accelerated'],
      [500, 900, 'software'],
    ],
  );
});
