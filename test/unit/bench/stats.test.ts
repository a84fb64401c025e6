import test from 'ava';
import type { Round, Sample } from '../../../src/bench/model.js';
import { checkArrivals, LostFramesError, nsPerArrival, spreadOf, summarize } from '../../../src/bench/stats.js';
import { alignColumns, renderResult } from '../../../src/bench/table.js';
import { parseReceived } from '../../../src/bench/sink.js';
import { parseCpuTimes, stealShare } from '../../../src/bench/steal.js';
import { udpFrame } from '../../../src/bench/frames.js';
import { frame } from '../../support/packet_builder.js';

const sample = (nsPerFrame: number, more: Partial<Sample> = {}): Sample => ({ sent: 1000, arrived: 1000, nsPerFrame, steal: 0, ...more });
const round = (bridge: number, redirect: number, rfs: number, more: Partial<Sample> = {}): Round => ({
  ways: { bridge: sample(bridge), redirect: sample(redirect, more), rfs: sample(rfs) },
  programs: { empty: 20, redirect: 30 },
});

test('median and quartiles', (t) => {
  t.deepEqual(spreadOf([5, 1, 3]), { median: 3, low: 2, high: 4 });
  t.deepEqual(spreadOf([4, 1]), { median: 2.5, low: 1.75, high: 3.25 });
  t.throws(() => spreadOf([]), { instanceOf: RangeError });
});

test('ratios are taken within a round, then their median', (t) => {
  // The machine is twice as slow in the second and third round: no ratio changes.
  const { ways, programs, roundsUsed } = summarize([round(1000, 100, 125), round(2000, 200, 250), round(2000, 200, 250)]);
  const rfs = ways.find(({ way }) => way === 'rfs');
  t.is(rfs?.timesBridge.median, 8);
  t.is(rfs?.timesRedirect.median, 0.8);
  t.is(rfs?.nsPerFrame.median, 250);
  t.is(rfs?.framesPerSecond, 4e6);
  t.is(roundsUsed, 3);
  t.deepEqual(programs.map(({ netOfEmptyNs }) => netOfEmptyNs), [0, 10]);
});

test('a round in which the hypervisor took the CPU is left out', (t) => {
  const { ways, roundsUsed, roundsDropped } = summarize([round(1000, 100, 125), round(1000, 900, 125, { steal: 0.5 })]);
  t.is(ways.find(({ way }) => way === 'redirect')?.nsPerFrame.median, 100);
  t.deepEqual([roundsUsed, roundsDropped], [1, 1]);
  t.throws(() => summarize([round(1, 1, 1, { steal: 0.5 })]), { message: /all 1 rounds/ });
});

test('only frames that arrived count', (t) => {
  t.is(nsPerArrival(sample(100, { arrived: 500 })), 200);
  const ways = { bridge: sample(1000), redirect: sample(100), cpumap: sample(100, { arrived: 800 }) };
  const result = summarize([{ ways, programs: {} }]);
  const cpumap = result.ways.find(({ way }) => way === 'cpumap');
  t.is(cpumap?.timesRedirect.median, 0.8);
  t.is(cpumap?.lost.toFixed(3), '0.200');
});

test('frames that do not arrive make the round an error, but for a cpumap\'s queue', (t) => {
  t.notThrows(() => checkArrivals('rfs', sample(1)));
  t.throws(() => checkArrivals('rfs', sample(1, { arrived: 999 })), { instanceOf: LostFramesError });
  t.throws(() => checkArrivals('bridge', sample(1, { arrived: 1001 })), { message: 'bridge: of 1000 frames 1001 arrived at the sink' });
  t.notThrows(() => checkArrivals('cpumap', sample(1, { arrived: 500 })));
  t.throws(() => checkArrivals('cpumap', sample(1, { arrived: 0 })), { instanceOf: LostFramesError });
});

test('steal is read from the CPU\'s own line', (t) => {
  const stat = 'cpu  1 1 1 1 1 1 1 1 1 1\ncpu0 100 0 50 800 0 0 10 40 0 0\ncpu10 1 2 3 4 5 6 7 8 9 10\n';
  t.deepEqual(parseCpuTimes(stat, 0), { total: 1000, steal: 40 });
  t.deepEqual(parseCpuTimes(stat, 10), { total: 36, steal: 8 });
  t.throws(() => parseCpuTimes(stat, 1), { message: /CPU 1/ });
  t.is(stealShare({ total: 1000, steal: 40 }, { total: 1200, steal: 50 }), 0.05);
  t.is(stealShare({ total: 1000, steal: 40 }, { total: 1000, steal: 40 }), 0);
});

test('frames that reached the stack are read from the device\'s own line', (t) => {
  const table = 'Inter-|   Receive\n face |bytes packets errs\n    lo:  10  1 0\n  vf0: 6000 100 0 0 0 0 0 0 7 7\n vf01: 1 2 3\n';
  t.is(parseReceived(table, 'vf0'), 100);
  t.throws(() => parseReceived(table, 'vf'), { message: /vf is not in/ });
});

test('the table names every way with its ratios', (t) => {
  const text = renderResult(summarize([round(1000, 100, 125)]), 'xdp');
  t.regex(text, /Linux bridge +1\.00 +1000 +1 +0\.10 \(0\.10-0\.10\) +0 %/);
  t.regex(text, /unipath, RFS hit +8\.00 +125 +8\.00 \(8\.00-8\.00\) +0\.80 \(0\.80-0\.80\) +0 %/);
  t.regex(text, /1 rounds/);
  t.is(alignColumns([['a', 'bb'], ['ccc', 'd']]), 'a    bb\nccc   d');
});

test('the frames are what they say, and the reply is the other way round', (t) => {
  const from = Buffer.from('020000be7cff', 'hex');
  const to = Buffer.from('525400be7c01', 'hex');
  const v4 = frame().ethernet({ from: '02:00:00:be:7c:ff', to: '52:54:00:be:7c:01' }).ip('192.0.2.10', '192.0.2.1');
  const expected = v4.checksum(0x1db1).udp(4096 + 7, 53).fillTo(60).build();
  const zeroed = Buffer.concat([expected.subarray(0, 42), Buffer.alloc(18)]);
  t.is(udpFrame(4, { from, to }, 7).toString('hex'), zeroed.toString('hex'));
  const v6 = frame().ethernet({ from: '52:54:00:be:7c:01', to: '02:00:00:be:7c:ff' }).ip('2001:db8::1', '2001:db8::10');
  t.is(udpFrame(6, { from: to, to: from }, 0, true).toString('hex'), v6.checksum(0x1db1).udp(53, 4096).build().toString('hex'));
});
