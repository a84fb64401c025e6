import test from 'ava';
import type { Codec } from '../../src/btf/codec.js';
import { onlineCpus, possibleCpus } from '../../src/native/cpus.js';
import { MAP_TYPES } from '../../src/btf/codec.js';
import { BpfMap, PerCpuMap, RawMap, UpdateFlag, valueStride } from '../../src/native/map.js';
import { MapBatch } from '../../src/native/map_batch.js';
import { kernelTest, loadSample, pinFolder, row, u32 } from './native_objects.js';

const number: Codec<number> = {
  size: 4,
  read: (buffer, offset = 0) => buffer.readUInt32LE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeUInt32LE(value, offset),
};
const triple: Codec<number[]> = {
  size: 12,
  read: (buffer, offset = 0) => [0, 4, 8].map((at) => buffer.readUInt32LE(offset + at)),
  write: (value, buffer, offset = 0) => {
    for (const [i, number] of value.entries()) buffer.writeUInt32LE(number, offset + 4 * i);
  },
};

test('the kernel rounds values up to 8 bytes', (t) => {
  t.deepEqual([1, 8, 12, 16].map(valueStride), [8, 8, 16, 16]);
});

kernelTest('a map says what it is', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  t.deepEqual([rows.name, rows.type, rows.keySize, rows.valueSize, rows.maxEntries], ['rows', MAP_TYPES.hash, 4, 12, 40_000]);
  t.true(rows.id > 0);
  t.false(rows.isPerCpu);
});

kernelTest('single entries: set, get, delete, flags', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  t.is(rows.get(u32(5)), null);
  rows.set(u32(5), row(1, 2, 3));
  t.deepEqual(rows.get(u32(5)), row(1, 2, 3));
  t.throws(() => rows.set(u32(5), row(9), UpdateFlag.NOEXIST), { code: 'EEXIST', message: /bpf_map_update_elem \(rows\)/ });
  t.throws(() => rows.set(u32(6), row(9), UpdateFlag.EXIST), { code: 'ENOENT' });
  t.true(rows.delete(u32(5)));
  t.false(rows.delete(u32(5)));
  t.is(rows.get(u32(5)), null);
});

kernelTest('what get() returned does not change with the next call', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  rows.set(u32(1), row(1));
  rows.set(u32(2), row(2));
  const first = rows.get(u32(1));
  rows.get(u32(2));
  t.deepEqual(first, row(1));
});

kernelTest('keys and values of the wrong size are refused before the kernel reads past them', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  t.throws(() => rows.get(Buffer.alloc(3)), { message: 'map rows: a key has 4 bytes, not 3' });
  t.throws(() => rows.set(u32(1), Buffer.alloc(8)), { message: 'map rows: a value has 12 bytes, not 8' });
  t.throws(() => rows.setBatch([[u32(1), Buffer.alloc(16)]]), { message: 'map rows: a value has 12 bytes, not 16' });
});

kernelTest('40 000 entries go in and come out in batches', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  const count = rows.maxEntries;
  rows.setBatch(Array.from({ length: count }, (_, i) => [u32(i), row(i, i * 2)] as const));
  const seen = new Map([...rows.entries()].map(([key, value]) => [key.readUInt32LE(), value]));
  t.is(seen.size, count);
  for (let i = 0; i < count; i += 97) t.deepEqual(seen.get(i), row(i, i * 2));
  t.is([...rows.keys()].length, count);
});

kernelTest('a chunk that is smaller than a bucket of the hash grows until it is not', async (t) => {
  const rows = (await loadSample(t, { maxEntries: { rows: 3000 } })).map('rows');
  rows.setBatch(Array.from({ length: 3000 }, (_, i) => [u32(i), row(i)] as const));
  const keys = [...new MapBatch(rows, 1).entries()].map(([key]) => key.readUInt32LE());
  t.is(new Set(keys).size, 3000);
});

kernelTest('a batch that does not fit says so, and what went before is written', async (t) => {
  const rows = (await loadSample(t, { maxEntries: { rows: 10 } })).map('rows');
  t.throws(() => rows.setBatch(Array.from({ length: 12 }, (_, i) => [u32(i), row(i)] as const)), { code: 'E2BIG' });
  t.is([...rows.entries()].length, 10);
});

kernelTest('a map may be rewritten from its own entries', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  rows.setBatch(Array.from({ length: 40_000 }, (_, i) => [u32(i), row(i)] as const));
  // Half of them, so that reading a new chunk falls between the filling and the writing of one.
  const changed = function* (): Generator<[Buffer, Buffer]> {
    for (const [key, value] of rows.entries()) if (value.readUInt32LE() % 2 === 0) yield [key, row(value.readUInt32LE(), 1)];
  };
  rows.setBatch(changed());
  const wrong = [...rows.entries()].filter(([key, value]) => !value.equals(row(key.readUInt32LE(), key.readUInt32LE() % 2 === 0 ? 1 : 0)));
  t.is(wrong.length, 0);
});

kernelTest('keys() yields each key once although the caller deletes some of them', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  rows.setBatch(Array.from({ length: 3000 }, (_, i) => [u32(i), row(i)] as const));
  const seen = new Set<number>();
  let twice = 0;
  for (const key of rows.keys()) {
    const number = key.readUInt32LE();
    if (seen.has(number)) twice++;
    if (twice > 10) break;
    seen.add(number);
    if (number % 2 === 0) rows.delete(key);
  }
  t.is(twice, 0);
  t.is(seen.size, 3000);
  t.is([...rows.keys()].length, 1500);
});

kernelTest('a map without batch operations is read and written one by one', async (t) => {
  const object = await loadSample(t);
  const devices = object.map('devices');
  const loopback = Buffer.concat([u32(1), Buffer.from('ffffffff', 'hex')]);
  devices.setBatch([[u32(7), loopback], [u32(9), loopback]]);
  const entries = [...devices.entries()].map(([key, value]) => [key.readUInt32LE(), value.readUInt32LE()]);
  t.deepEqual(entries.sort(), [[7, 1], [9, 1]]);
  t.true(devices.delete(u32(7)));
  t.is([...devices.entries()].length, 1);

  const cpus = object.map('cpus');
  cpus.set(u32(0), Buffer.concat([u32(64), Buffer.from('ffffffff', 'hex')]));
  t.is(cpus.get(u32(0))?.readUInt32LE(), 64);
  t.true([...cpus.entries()].some(([key, value]) => key.readUInt32LE() === 0 && value.readUInt32LE() === 64));
});

kernelTest('per-CPU values keep apart, also when their size is no multiple of 8', async (t) => {
  const raw = (await loadSample(t)).map('cpu_rows');
  t.is(raw.entrySize, 16 * possibleCpus());
  const map = new PerCpuMap(raw, number, triple);
  const values = (key: number) => Array.from({ length: possibleCpus() }, (_, cpu) => [key, cpu, key * 100 + cpu]);
  map.setAll(3, values(3));
  t.deepEqual(map.getAll(3), values(3));
  t.deepEqual(map.getAll(4), values(0).map(() => [0, 0, 0]));
  t.is(map.getAll(600), undefined);
  t.throws(() => map.setAll(3, []), { message: /one per possible CPU/ });

  map.setBatch(Array.from({ length: 600 }, (_, i) => [i, values(i)] as const));
  const all = [...map.entries()];
  t.is(all.length, 600);
  for (const [key, got] of all) t.deepEqual(got, values(key));
});

kernelTest('the value at index n is the one that CPU n wrote', async (t) => {
  const object = await loadSample(t);
  for (const cpu of onlineCpus()) object.program('count_frame').testRun({ data: Buffer.alloc(64), cpu, repeat: cpu + 1 });
  const counts = new PerCpuMap(object.map('cpu_rows'), number, triple).getAll(0)?.map(([packets]) => packets);
  t.deepEqual(onlineCpus().map((cpu) => counts?.[cpu]), onlineCpus().map((cpu) => cpu + 1));
});

kernelTest('the mapped array and the system calls see the same bytes', async (t) => {
  const rows = (await loadSample(t)).map('mapped_rows');
  const view = rows.mmap();
  t.is(view.length, 16 * 1000);
  t.is(rows.mmap().buffer, view.buffer);
  for (const i of [0, 1, 999]) {
    view.writeUInt32LE(i + 7, i * valueStride(12) + 4);
    t.deepEqual(rows.get(u32(i)), row(0, i + 7));
    rows.set(u32(i), row(1, 2, i));
    t.is(view.readUInt32LE(i * valueStride(12) + 8), i);
  }
  const words = new BigUint64Array(view.buffer, view.byteOffset, view.length / 8);
  t.is(Atomics.compareExchange(words, 0, 0x2_0000_0001n, 0xabn), 0x2_0000_0001n);
  t.is(rows.get(u32(0))?.readUInt32LE(0), 0xab);
  t.throws(() => rows.delete(u32(0)), { code: 'EINVAL' });
});

kernelTest('a map that is not mmap-able says so', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  t.throws(() => rows.mmap(), { message: /BPF_F_MMAPABLE/ });
});

kernelTest('a view kept after close() reads zeros and harms nobody', async (t) => {
  const object = await loadSample(t);
  const rows = object.map('mapped_rows');
  const view = rows.mmap();
  view.fill(0xff);
  rows.close();
  rows.close();
  t.is(view.readUInt32LE(0), 0);
  view.writeUInt32LE(5, 0);
  t.throws(() => rows.get(u32(0)), { message: 'map mapped_rows is closed' });
});

kernelTest('mappings of many sizes come and go', async (t) => {
  // The same addresses are used again with other lengths, before and after the old views are collected.
  for (let i = 0; i < 60; i++) {
    const object = await loadSample(t, { maxEntries: { mapped_rows: 100 + (i % 7) * 3000 } });
    const view = object.map('mapped_rows').mmap();
    view.fill(i);
    t.is(view.at(-1), i);
    object.close();
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

kernelTest('a pinned map is the same map', async (t) => {
  const folder = pinFolder(t, 'pinned-map');
  const rows = (await loadSample(t)).map('rows');
  rows.pin(`${folder}/rows`);
  t.throws(() => rows.pin(`${folder}/rows`), { code: 'EEXIST', message: /the pin exists already/ });
  rows.set(u32(1), row(11));
  const again = RawMap.fromPin(`${folder}/rows`);
  t.is(again.id, rows.id);
  t.deepEqual(again.get(u32(1)), row(11));
  again.close();
  again.close();
  t.throws(() => again.get(u32(1)), { message: /is closed/ });
  t.throws(() => RawMap.fromPin(`${folder}/none`), { code: 'ENOENT', message: /no such pin/ });
});

kernelTest('a typed map behaves like a Map', async (t) => {
  const map = new BpfMap((await loadSample(t)).map('rows'), number, triple);
  t.is(map.get(1), undefined);
  t.false(map.has(1));
  t.is(map.set(1, [1, 2, 3]), map);
  map.setBatch([[2, [4, 5, 6]], [3, [7, 8, 9]]]);
  t.deepEqual(map.get(2), [4, 5, 6]);
  t.true(map.has(3));
  t.deepEqual([...map].sort(([a], [b]) => a - b), [[1, [1, 2, 3]], [2, [4, 5, 6]], [3, [7, 8, 9]]]);
  t.deepEqual([...map.keys()].sort(), [1, 2, 3]);
  t.deepEqual([...map.values()].flat().sort(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  t.true(map.delete(1));
  t.false(map.delete(1));
  map.clear();
  t.deepEqual([...map], []);
});

kernelTest('a codec that does not fit the map of the kernel is refused', async (t) => {
  const object = await loadSample(t);
  t.throws(() => new BpfMap(object.map('rows'), number, number), { message: 'map rows: values have 12 bytes, the codec says 4' });
  t.throws(() => new BpfMap(object.map('rows'), triple, triple), { message: /keys have 4 bytes/ });
  t.throws(() => new BpfMap(object.map('cpu_rows'), number, triple), { message: /use PerCpuMap/ });
  t.throws(() => new PerCpuMap(object.map('rows'), number, triple), { message: /use BpfMap/ });
});

kernelTest.serial('a million calls with fresh buffers leave the memory of the process as it was', async (t) => {
  const rows = (await loadSample(t)).map('rows');
  const work = (calls: number): void => {
    for (let i = 0; i < calls / 2; i++) {
      const key = u32(i % 1000);
      rows.set(key, row(i));
      if (rows.get(key)?.readUInt32LE() !== i) t.fail(`entry ${i}`);
    }
  };
  work(50_000);
  const before = process.memoryUsage().rss;
  work(1_000_000);
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  t.log(`RSS grew by ${grown.toFixed(1)} MiB`);
  t.true(grown < 40, `${grown} MiB`);
});
