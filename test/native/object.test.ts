import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseBtf } from '../../src/btf/parse.js';
import { isNativeError, NativeError, VerifierError } from '../../src/native/errors.js';
import { BpfObject } from '../../src/native/object.js';
import { RawMap } from '../../src/native/raw_map.js';
import { withFolder } from '../support/compile.js';
import { kernelTest, loadSample, objectPath, pinFolder, row, u32 } from './native_objects.js';

const frame = Buffer.alloc(64);

kernelTest('an opened object names its maps and programs, without the sections', (t) => {
  const object = BpfObject.open(objectPath('sample'));
  t.teardown(() => object.close());
  t.deepEqual(object.mapNames().sort(), ['cpu_rows', 'cpus', 'devices', 'mapped_rows', 'records', 'rows']);
  t.true(object.programNames().includes('count_frame'));
  t.throws(() => object.map('rows'), { message: /map rows of .* is not loaded/ });
  t.throws(() => object.program('count_frame'), { message: /program count_frame of .* is not loaded/ });
});

kernelTest('its BTF has the offsets of .rodata that the file has not', (t) => {
  const object = BpfObject.open(objectPath('sample'));
  t.teardown(() => object.close());
  const variables = parseBtf(object.btf()).variables('.rodata');
  t.deepEqual(variables.map(({ name, size }) => `${name} ${size}`).sort(), ['bytes 3', 'stamp 8', 'verdict 4']);
  t.is(new Set(variables.map(({ offset }) => offset)).size, 3);
});

kernelTest('variables are set by name before the load, and the programs see them', async (t) => {
  const plain = await loadSample(t);
  t.is(plain.program('count_frame').testRun({ data: frame }).verdict, 2);
  const patched = await loadSample(t, { rodata: { verdict: u32(1) } });
  t.is(patched.program('count_frame').testRun({ data: frame }).verdict, 1);
});

kernelTest('every variable lands in its own place', async (t) => {
  const stamp = Buffer.from('1122334455667788', 'hex');
  const object = await loadSample(t, { rodata: { stamp, bytes: Buffer.from([7, 8, 9]), verdict: u32(3) } });
  t.is(object.program('count_frame').testRun({ data: frame }).verdict, 3);
  const section = object.map('.rodata').get(u32(0)) ?? Buffer.alloc(0);
  for (const part of [stamp, Buffer.from([7, 8, 9]), u32(3)]) t.true(section.includes(part), part.toString('hex'));
});

kernelTest('options that name nothing say what there is', (t) => {
  const open = (options: Parameters<typeof BpfObject.open>[1]) => () => BpfObject.open(objectPath('sample'), options);
  t.throws(open({ rodata: { verdikt: u32(1) } }), { message: /no variable "verdikt" in \.rodata; there are: .*verdict/ });
  t.throws(open({ rodata: { verdict: Buffer.alloc(8) } }), { message: 'variable "verdict" has 4 bytes, not 8' });
  t.throws(open({ maxEntries: { rowz: 5 } }), { message: /no map "rowz" in .*; there are: .*rows/ });
  t.throws(open({ programs: ['cuont'] }), { message: /no program "cuont" in .*; there are: .*count_frame/ });
});

kernelTest('maps can be sized before the load', async (t) => {
  t.is((await loadSample(t, { maxEntries: { rows: 77 } })).map('rows').maxEntries, 77);
});

kernelTest('only the programs asked for are loaded', async (t) => {
  const object = await loadSample(t, { programs: ['other_frame'] });
  t.is(object.program('other_frame').testRun({ data: frame }).verdict, 1);
  t.throws(() => object.program('count_frame'), { message: /is not loaded/ });
});

kernelTest('a map that is pinned already is taken over', async (t) => {
  const pin = join(pinFolder(t, 'adopted'), 'rows');
  const first = await loadSample(t, { pins: { rows: pin } });
  first.map('rows').set(u32(1), row(42));
  const id = first.map('rows').id;
  first.close();
  t.true(existsSync(pin));
  const second = await loadSample(t, { pins: { rows: pin } });
  t.is(second.map('rows').id, id);
  t.deepEqual(second.map('rows').get(u32(1)), row(42));
});

kernelTest('a pinned map of another size is refused, with both sizes', async (t) => {
  const pin = join(pinFolder(t, 'mismatch'), 'rows');
  await loadSample(t, { pins: { rows: pin } });
  const error = await t.throwsAsync(loadSample(t, { pins: { rows: pin }, maxEntries: { rows: 5 } }), { instanceOf: NativeError });
  t.is(error?.code, 'EINVAL');
  t.regex(error?.message ?? '', /rows/);
});

kernelTest('a failed load leaves no pins behind', async (t) => {
  const folder = pinFolder(t, 'failed');
  await loadSample(t, { pins: { rows: join(folder, 'rows') } });
  const pins = { mapped_rows: join(folder, 'mapped_rows'), rows: join(folder, 'rows') };
  await t.throwsAsync(loadSample(t, { pins, maxEntries: { rows: 5 } }));
  t.false(existsSync(pins.mapped_rows));
  t.true(existsSync(pins.rows));
});

kernelTest('a refused program is named, with the last words of the verifier first and all of them in the log', async (t) => {
  const object = BpfObject.open(objectPath('refused'));
  t.teardown(() => object.close());
  const error = await t.throwsAsync(object.load(), { instanceOf: VerifierError });
  t.is(error?.code, 'EACCES');
  t.is(error?.program, 'refused');
  t.regex(error?.message.split('\n')[0] ?? '', /refused\.bpf\.o, program refused\) failed: EACCES: R\d+ offset is outside of the packet$/);
  t.regex(error?.message ?? '', /\(\d+ earlier lines left out\)$/);
  t.regex(error?.log ?? '', /processed \d+ insns/);
  t.log(error?.message);
  await t.throwsAsync(object.load(), { message: /cannot be loaded again: it is failed/ });
});

kernelTest('a verifier log that does not fit gets more room', async (t) => {
  const whole = BpfObject.open(objectPath('refused'));
  const cramped = BpfObject.open(objectPath('refused'), { logBytes: 256 });
  for (const object of [whole, cramped]) t.teardown(() => object.close());
  const refusal = (object: BpfObject) => t.throwsAsync(object.load(), { instanceOf: VerifierError });
  const [expected, error] = await Promise.all([whole, cramped].map(refusal));
  const lines = (log: string | undefined) => (log ?? '').split('\n').filter((line) => !line.startsWith('verification time')).length;
  t.true((error?.log.length ?? 0) > 256);
  t.is(lines(error?.log), lines(expected?.log));
});

kernelTest.serial('a load that takes the verifier long does not stall the event loop', async (t) => {
  const object = BpfObject.open(objectPath('heavy'));
  t.teardown(() => object.close());
  let ticks = 0;
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    ticks++;
  }, 2);
  const start = performance.now();
  await object.load();
  const took = performance.now() - start;
  clearInterval(timer);
  t.log(`load ${took.toFixed(0)} ms, ${ticks} ticks, longest pause ${longest.toFixed(1)} ms`);
  t.true(took > 50, `the load took only ${took} ms: it proves nothing`);
  // On one thread there would be no tick at all and one pause as long as the load; other processes may cause short ones.
  t.true(ticks > took / 50, `${ticks} ticks in ${took} ms`);
  t.true(longest < took * 0.7, `a pause of ${longest} ms`);
});

kernelTest('closing while another thread loads waits for it', async (t) => {
  const object = BpfObject.open(objectPath('heavy'));
  const loading = object.load();
  await sleep(5);
  t.throws(() => object.mapNames(), { message: /is being loaded/ });
  object.close();
  await t.throwsAsync(loading, { message: /was closed while it was loaded/ });
  t.throws(() => object.program('heavy_1'), { message: /is closed/ });
});

kernelTest('close() ends the handles that came from the object, and can be repeated', async (t) => {
  const object = await loadSample(t);
  const [rows, program] = [object.map('rows'), object.program('count_frame')];
  t.is(object.map('rows'), rows);
  object.close();
  object.close();
  t.throws(() => rows.get(u32(1)), { message: /is closed/ });
  t.throws(() => program.testRun({ data: frame }), { message: /is closed/ });
  t.throws(() => object.btf(), { message: /is closed/ });
});

kernelTest('what is no object is refused with a reason', (t) => {
  withFolder((folder) => {
    const path = join(folder, 'text.bpf.o');
    writeFileSync(path, 'this is not ELF');
    const error = t.throws(() => BpfObject.open(path), { instanceOf: NativeError });
    t.regex(error.message, /text\.bpf\.o/);
  });
  t.throws(() => BpfObject.open('/nonexistent.bpf.o'), { code: 'ENOENT' });
});

kernelTest('a pinned program is the same program', async (t) => {
  const { BpfProgram } = await import('../../src/native/program.js');
  const path = join(pinFolder(t, 'program'), 'count_frame');
  const program = (await loadSample(t)).program('count_frame');
  program.pin(path);
  const again = BpfProgram.fromPin(path);
  t.teardown(() => again.close());
  t.deepEqual([again.id, again.name, again.tag], [program.id, 'count_frame', program.tag]);
  t.true(isNativeError(t.throws(() => RawMap.fromPin(path))), 'a program is no map');
});
