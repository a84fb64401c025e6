import test from 'ava';
import fc from 'fast-check';
import { changePathWord, PathWords, readPathWord } from '../../../src/dataplane/path_word.js';

test('a word has the path in its low byte, the permission in bit 8, the hold in bits 9 and 10, the generation above', (t) => {
  t.deepEqual(readPathWord(0n), { path: 'software', vfAllowed: false, hold: 'none', generation: 0 });
  t.deepEqual(readPathWord(0x0000_0007_0000_0101n), { path: 'accelerated', vfAllowed: true, hold: 'none', generation: 7 });
  t.deepEqual(readPathWord(0xffff_ffff_0000_0100n), { path: 'software', vfAllowed: true, hold: 'none', generation: 0xffffffff });
  t.deepEqual(readPathWord(0x200n), { path: 'software', vfAllowed: false, hold: 'holding', generation: 0 });
  t.deepEqual(readPathWord(0x601n), { path: 'accelerated', vfAllowed: false, hold: 'releasing', generation: 0 });
  t.is(readPathWord(0x400n).hold, 'none', 'nothing is released that is not held');
  t.throws(() => readPathWord(2n), { instanceOf: RangeError, message: /names path 2/ });
});

test('the generation rises with the path, and only with it', (t) => {
  t.is(changePathWord(0n, { path: 'accelerated' }), 0x1_0000_0001n);
  t.is(changePathWord(0n, { path: 'software' }), 0n);
  t.is(changePathWord(0n, { vfAllowed: true }), 0x100n);
  t.is(changePathWord(0x1_0000_0101n, { path: 'software', vfAllowed: false }), 0x2_0000_0000n);
  t.is(changePathWord(0xffff_ffff_0000_0000n, { path: 'accelerated' }), 1n);
});

test('a hold begins, is released and ends without a change of path', (t) => {
  t.is(changePathWord(0x7_0000_0101n, { hold: 'holding' }), 0x7_0000_0301n);
  t.is(changePathWord(0x7_0000_0301n, { hold: 'releasing' }), 0x7_0000_0701n);
  t.is(changePathWord(0x7_0000_0701n, { hold: 'holding' }), 0x7_0000_0301n);
  t.is(changePathWord(0x7_0000_0701n, { hold: 'none' }), 0x7_0000_0101n);
  t.is(changePathWord(0x7_0000_0301n, { path: 'software', hold: 'releasing' }), 0x8_0000_0700n, 'both in one step');
});

test('what was asked for is what is read, and nothing else changes', (t) => {
  const parts = fc.tuple(fc.nat(0xffffffff), fc.nat(0x7fffff), fc.boolean(), fc.boolean());
  const word = parts.map(([generation, other, allowed, accelerated]) => {
    return (BigInt(generation) << 32n) | (BigInt(other) << 9n) | (allowed ? 0x100n : 0n) | (accelerated ? 1n : 0n);
  });
  const path = fc.constantFrom('software' as const, 'accelerated' as const);
  const hold = fc.constantFrom('none' as const, 'holding' as const, 'releasing' as const);
  const change = fc.record({ path, vfAllowed: fc.boolean(), hold }, { requiredKeys: [] });
  fc.assert(fc.property(word, change, (before, asked) => {
    const [from, after] = [readPathWord(before), changePathWord(before, asked)];
    const path = asked.path ?? from.path;
    const generation = (from.generation + (path === from.path ? 0 : 1)) % 2 ** 32;
    const expected = { path, vfAllowed: asked.vfAllowed ?? from.vfAllowed, hold: asked.hold ?? from.hold, generation };
    t.deepEqual(readPathWord(after), expected);
    t.is(after & 0xffff_f800n, before & 0xffff_f800n);
    t.true(after < 1n << 64n);
  }));
});

test('rows are 24 bytes apart; a reset clears the ageing tick and the end of a hold, too', (t) => {
  const memory = Buffer.from(new ArrayBuffer(1024 * 24));
  const paths = new PathWords(memory);
  const accelerated = { path: 'accelerated', vfAllowed: true, hold: 'none', generation: 1 } as const;
  t.deepEqual(paths.change(3, { path: 'accelerated', vfAllowed: true }), accelerated);
  t.is(memory.readBigUInt64LE(72), 0x1_0000_0101n);
  memory.writeUInt32LE(99, 80);
  paths.change(3, { path: 'software' });
  t.is(memory.readUInt32LE(80), 99);
  paths.setHoldUntil(3, 0x0123_4567_89ab_cdefn);
  t.is(memory.readBigUInt64LE(88), 0x0123_4567_89ab_cdefn);
  t.is(paths.holdUntil(3), 0x0123_4567_89ab_cdefn);
  paths.reset(3);
  t.true(memory.every((byte) => byte === 0));
});

test('a change by a program between load and swap is not lost', (t) => {
  const memory = Buffer.from(new ArrayBuffer(1024 * 24));
  const paths = new PathWords(memory);
  const words = new BigUint64Array(memory.buffer);
  words[0] = 0x1_0000_0101n;
  const { load } = Atomics;
  let interfered = false;
  t.teardown(() => {
    Atomics.load = load;
  });
  // Right after the first load the guest moves itself.
  Atomics.load = ((array: BigUint64Array, index: number) => {
    const value = load(array, index);
    if (!interfered) {
      interfered = true;
      words[index] = 0x2_0000_0100n;
    }
    return value;
  }) as typeof Atomics.load;
  t.deepEqual(paths.change(0, { vfAllowed: false }), { path: 'software', vfAllowed: false, hold: 'none', generation: 2 });
});
