import test from 'ava';
import fc from 'fast-check';
import { changePathWord, PathWords, readPathWord } from '../../../src/dataplane/path_word.js';

test('a word has the path in its low byte, the permission in bit 8, the generation above', (t) => {
  t.deepEqual(readPathWord(0n), { path: 'software', vfAllowed: false, generation: 0 });
  t.deepEqual(readPathWord(0x0000_0007_0000_0101n), { path: 'accelerated', vfAllowed: true, generation: 7 });
  t.deepEqual(readPathWord(0xffff_ffff_0000_0100n), { path: 'software', vfAllowed: true, generation: 0xffffffff });
  t.throws(() => readPathWord(2n), { instanceOf: RangeError, message: /names path 2/ });
});

test('the generation rises with the path, and only with it', (t) => {
  t.is(changePathWord(0n, { path: 'accelerated' }), 0x1_0000_0001n);
  t.is(changePathWord(0n, { path: 'software' }), 0n);
  t.is(changePathWord(0n, { vfAllowed: true }), 0x100n);
  t.is(changePathWord(0x1_0000_0101n, { path: 'software', vfAllowed: false }), 0x2_0000_0000n);
  t.is(changePathWord(0xffff_ffff_0000_0000n, { path: 'accelerated' }), 1n);
});

test('what was asked for is what is read, and nothing else changes', (t) => {
  const parts = fc.tuple(fc.nat(0xffffffff), fc.nat(0x7fffff), fc.boolean(), fc.boolean());
  const word = parts.map(([generation, other, allowed, accelerated]) => {
    return (BigInt(generation) << 32n) | (BigInt(other) << 9n) | (allowed ? 0x100n : 0n) | (accelerated ? 1n : 0n);
  });
  const path = fc.constantFrom('software' as const, 'accelerated' as const);
  const change = fc.record({ path, vfAllowed: fc.boolean() }, { requiredKeys: [] });
  fc.assert(fc.property(word, change, (before, asked) => {
    const [from, after] = [readPathWord(before), changePathWord(before, asked)];
    const path = asked.path ?? from.path;
    const generation = (from.generation + (path === from.path ? 0 : 1)) % 2 ** 32;
    t.deepEqual(readPathWord(after), { path, vfAllowed: asked.vfAllowed ?? from.vfAllowed, generation });
    t.is(after & 0xffff_fe00n, before & 0xffff_fe00n);
    t.true(after < 1n << 64n);
  }));
});

test('rows are 16 bytes apart; a reset clears the ageing tick, too', (t) => {
  const memory = Buffer.from(new ArrayBuffer(1024 * 16));
  const paths = new PathWords(memory);
  t.deepEqual(paths.change(3, { path: 'accelerated', vfAllowed: true }), { path: 'accelerated', vfAllowed: true, generation: 1 });
  t.is(memory.readBigUInt64LE(48), 0x1_0000_0101n);
  memory.writeUInt32LE(99, 56);
  paths.change(3, { path: 'software' });
  t.is(memory.readUInt32LE(56), 99);
  paths.reset(3);
  t.true(memory.every((byte) => byte === 0));
});

test('a change by a program between load and swap is not lost', (t) => {
  const memory = Buffer.from(new ArrayBuffer(1024 * 16));
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
  t.deepEqual(paths.change(0, { vfAllowed: false }), { path: 'software', vfAllowed: false, generation: 2 });
});
