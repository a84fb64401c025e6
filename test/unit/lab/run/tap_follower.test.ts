import test from 'ava';
import { TapFollower } from '../../../../src/lab/run/tap_follower.js';
import { framesIn } from '../../../../src/lab/run/tap_watch.js';

const MS = 1e6;

/** Feeds what had come out by then: [ms, by the tap, by VFs]. */
function fed(...looks: readonly (readonly [number, number, number])[]) {
  const follower = new TapFollower();
  const transitions = looks.flatMap(([ms, software, accelerated]) => follower.observe({ software, accelerated }, ms * MS) ?? []);
  return { follower, transitions };
}

test('a guest that goes on on the other path has changed it, as of its first frame there, in at most so long', (t) => {
  const { follower, transitions } = fed([0, 100, 7], [20, 110, 7], [40, 110, 7], [60, 110, 8], [80, 110, 12]);
  t.deepEqual(transitions, [{ from: 'software', to: 'accelerated', atNs: 60 * MS, receiveMs: null, transmitMs: 60 }]);
  t.is(follower.current, 'accelerated');
});

test('and back', (t) => {
  const { transitions } = fed([0, 0, 0], [20, 0, 9], [40, 0, 18], [60, 9, 18]);
  t.deepEqual(
    transitions.map(({ to, transmitMs }) => [to, transmitMs]),
    [['accelerated', null], ['software', 40]],
  );
});

test('lone frames beside many are no change, nor is what came before anyone looked', (t) => {
  t.deepEqual(fed([0, 5, 900], [20, 15, 901], [40, 25, 902], [60, 35, 903], [80, 45, 904]).transitions, []);
});

test('when both had frames at one look, the next one decides whether that was the change', (t) => {
  const { transitions } = fed([0, 0, 0], [20, 10, 0], [40, 14, 6], [60, 14, 12]);
  t.deepEqual(transitions.map(({ atNs, transmitMs }) => [atNs, transmitMs]), [[40 * MS, 20]]);
  t.deepEqual(fed([0, 0, 0], [20, 10, 0], [40, 14, 6], [60, 20, 6]).transitions, []);
});

test("a device's received frames are the second number of its line", (t) => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
tap-g1: 1234567    4321    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
`;
  t.deepEqual([...framesIn(text)], [['lo', 0], ['tap-g1', 4321]]);
});
