import test from 'ava';
import type { PluginPath, PluginState } from '../../../../maps/generated/contract.js';
import { PathFollower } from '../../../../src/lab/run/path_follower.js';

const MS = 1_000_000;
const ms = (value: number): bigint => BigInt(value * MS);

interface Times {
  readonly rxFirst?: number;
  readonly rxLast?: number;
  readonly txFirst?: number;
  readonly txLast?: number;
}

const record = ({ rxFirst = 0, rxLast = 0, txFirst = 0, txLast = 0 }: Times): PluginPath => ({
  rxPackets: 0n,
  txPackets: 0n,
  rxFirstNs: ms(rxFirst),
  rxLastNs: ms(rxLast),
  txFirstNs: ms(txFirst),
  txLastNs: ms(txLast),
});

const state = (tap: Times, vf: Times): PluginState => ({
  vfIfindex: 0,
  interfaceIfindex: 0,
  drained: 0,
  mac: new Uint8Array(6),
  tap: record(tap),
  vf: record(vf),
});

test('a switch is from the last frame on the old path to the first on the new', (t) => {
  const follower = new PathFollower();
  const { transition, reset } = follower.observe(state({ rxLast: 100, txLast: 101 }, { rxFirst: 104, txFirst: 103 }), 110 * MS);
  t.deepEqual(transition, { from: 'software', to: 'accelerated', atNs: 103 * MS, receiveMs: 4, transmitMs: 2 });
  t.is(reset, 'software');
  t.is(follower.current, 'accelerated');
});

test('and back', (t) => {
  const follower = new PathFollower();
  follower.current = 'accelerated';
  const { transition, reset } = follower.observe(state({ rxFirst: 220, txFirst: 221 }, { rxLast: 219, txLast: 222 }), 230 * MS);
  t.deepEqual(transition, { from: 'accelerated', to: 'software', atNs: 221 * MS, receiveMs: 1, transmitMs: -1 });
  t.is(reset, 'accelerated');
});

test('nothing on the other path is no switch', (t) => {
  t.deepEqual(new PathFollower().observe(state({ rxLast: 100, txLast: 100 }, {}), 110 * MS), { transition: null, reset: null });
});

test('a frame that was only received is waited for, then forgotten', (t) => {
  const follower = new PathFollower();
  const seen = state({ rxLast: 100, txLast: 100 }, { rxFirst: 105 });
  t.deepEqual(follower.observe(seen, 150 * MS), { transition: null, reset: null });
  t.deepEqual(follower.observe(seen, 206 * MS), { transition: null, reset: 'accelerated' });
  t.is(follower.current, 'software');
});

test('a guest that only transmits has switched all the same', (t) => {
  const follower = new PathFollower();
  const seen = state({ rxLast: 100, txLast: 100 }, { txFirst: 105 });
  t.is(follower.observe(seen, 200 * MS).transition, null);
  t.deepEqual(follower.observe(seen, 406 * MS).transition, {
    from: 'software',
    to: 'accelerated',
    atNs: 105 * MS,
    receiveMs: null,
    transmitMs: 5,
  });
});
