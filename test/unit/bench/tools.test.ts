import test from 'ava';
import { evenSteering } from '../../../src/bench/even_steering.js';
import { automaticMode } from '../../../src/bench/sections/tcp.js';
import { parseReceived } from '../../../src/bench/sink.js';
import { parseIperf, parseSockperf } from '../../../src/bench/tools.js';
import { toSteering } from '../../../src/dataplane/steering_row.js';

test('the rate is that of the receiver', (t) => {
  t.is(parseIperf('{"end": {"sum_sent": {"bits_per_second": 2e9}, "sum_received": {"bits_per_second": 1e9}}}'), 1e9);
  t.throws(() => parseIperf('{"end": {}}'), { message: /no rate/ });
});

test('the round trip is read from sockperf\'s words', (t) => {
  const text = 'sockperf: [Valid Duration] RunTime=0.550 sec; SentMessages=2000\nsockperf: ====> avg-rtt=27.418 (std-dev=4.2)\n';
  t.is(parseSockperf(text), 27.418);
  t.throws(() => parseSockperf('sockperf: No messages were received'), { message: /no latency/ });
});

test('cut-through is automatic only where the port takes no aggregated frames', (t) => {
  t.is(automaticMode('veth', 'tcp-segmentation-offload: off\n\ttx-tcp-segmentation: off\n'), 'on');
  t.is(automaticMode('veth', 'tcp-segmentation-offload: on\n\ttx-tcp-segmentation: on\n'), 'generic');
  t.is(automaticMode('tso-tap', 'tcp-segmentation-offload: on\n\ttx-tcp-segmentation: on\n'), 'off');
});

test('frames that reached the stack are read from the device\'s own line', (t) => {
  const table = 'Inter-|   Receive\n face |bytes packets errs\n    lo:  10  1 0\n  vf0: 6000 100 0 0 0 0 0 0 7 7\n vf01: 1 2 3\n';
  t.is(parseReceived(table, 'vf0'), 100);
  t.throws(() => parseReceived(table, 'vf'), { message: /vf is not in/ });
});

test('buckets go to the CPUs in turn, by queues congruent to them', (t) => {
  const both = evenSteering(2, [0, 1]);
  t.deepEqual([both.reta.slice(0, 4), both.queueCpus], [[0, 1, 0, 1], [0, 1]]);
  const one = evenSteering(2, [3]);
  t.deepEqual([new Set(one.reta), one.queueCpus], [new Set([1]), [null, 3]]);
  t.notThrows(() => toSteering(one));
});
