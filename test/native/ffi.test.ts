import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { E } from '../../src/native/errno.js';
import { ffi } from '../../src/native/ffi.js';
import { LibbpfMissingError, openLibbpf } from '../../src/native/libbpf.js';
import { libc } from '../../src/native/libc.js';

const O_RDONLY = 0;
const O_RDWR = 2;

const c = () =>
  ffi().open('libc.so.6', {
    abs: ['i32', ['i32']],
    strtoul: ['u64', ['str', 'ptr', 'i32']],
    strchr: ['cstr', ['str', 'i32']],
    strlen: ['u64', ['ptr']],
    usleep: ['i32', ['u32']],
    fdopen: ['ptr', ['i32', 'str']],
    memcmp: ['i32', ['ptr', 'ptr', 'u64']],
  });

test('numbers go in and come out whole: negative, 64 bits, addresses', (t) => {
  const { abs, strtoul, memcmp } = c();
  t.is(abs(-5), 5);
  t.is(strtoul('1234567890123', null, 10), 1_234_567_890_123);
  const buffer = Buffer.from('x'.repeat(100_000));
  const end = Buffer.alloc(8);
  t.is(strtoul('42rest', end, 10), 42);
  t.true(end.readBigUInt64LE() > 0n);
  t.is(memcmp(buffer, ffi().addressOf(buffer), buffer.length), 0);
  t.is(memcmp(buffer.subarray(1, 4), ffi().addressOf(buffer) + 1, 3), 0);
});

test('strings are copied; NULL is null', (t) => {
  const { strchr, strlen } = c();
  t.is(strchr('grüße', 'r'.charCodeAt(0)), 'rüße');
  t.is(strchr('abc', 'z'.charCodeAt(0)), null);
  t.is(strlen(Buffer.from('four\0and more')), 4);
});

test('a wrong number of arguments is an error, not a wild call', (t) => {
  const abs = c().abs as unknown as (...args: number[]) => number;
  t.throws(() => abs(), { instanceOf: TypeError, message: 'expected 1 arguments, got 0' });
});

test('errno is that of the call before, whatever is allocated in between', (t) => {
  const { fdopen } = c();
  let garbage: unknown[] = [];
  for (let i = 0; i < 5000; i++) {
    garbage.push(Buffer.alloc(3000 + (i % 100)), `text ${i}`);
    if (i % 500 === 0) garbage = [];
    t.is(libc().open('/nonexistent/file', O_RDONLY, 0), -E.NOENT);
    t.is(libc().open('/', O_RDWR, 0), -21 /* EISDIR */);
    t.is(libc().close(123_456), -E.BADF);
    t.is(fdopen(123_456, 'r'), 0);
    t.is(ffi().errno, E.BADF);
  }
});

test('asynchronous calls overlap and leave the event loop alone', async (t) => {
  const { usleep, abs } = c();
  const start = performance.now();
  let turns = 0;
  let over = false;
  const count = (async () => {
    while (!over) {
      turns++;
      await turn();
    }
  })();
  const results = await Promise.all([usleep.async(600_000), usleep.async(600_000), abs.async(-7), abs.async(-8)]);
  over = true;
  await count;
  t.deepEqual(results, [0, 0, 7, 8]);
  t.true(performance.now() - start < 1150, 'one after the other');
  t.true(turns > 20, `${turns} turns of the loop`);
});

test('a missing libbpf is named, with the remedy', (t) => {
  const error = t.throws(() => openLibbpf('libbpf.so.77'), { instanceOf: LibbpfMissingError });
  t.regex(error.message, /^libbpf\.so\.77 cannot be used .*needs libbpf >= 1\.1, install it: apt-get install libbpf1 /s);
});

test('a library without one of the functions is refused', (t) => {
  t.throws(() => ffi().open('libc.so.6', { no_such_function: ['i32', []] }), { message: /no_such_function/ });
});

test('worker threads have an engine of their own', async (t) => {
  const module = new URL('../../src/native/libc.js', import.meta.url).href;
  const source = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(module)}).then(({ libc }) => parentPort.postMessage(libc().open('/nonexistent', 0, 0)));`;
  const worker = new Worker(source, { eval: true });
  const answer = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  t.is(answer, -E.NOENT);
});
