import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ensureBpffs, NotOnBpffsError, Pins } from '../../src/native/pins.js';
import { needs, testWith } from '../support/require.js';
import { kernelTest, loadSample, pinFolder } from './native_objects.js';

test('paths: one folder per contract version, one per kind', (t) => {
  const pins = new Pins('/sys/fs/bpf/unipath', 3);
  t.is(pins.map('vnics'), '/sys/fs/bpf/unipath/v3/maps/vnics');
  t.is(pins.program('steer_uplink'), '/sys/fs/bpf/unipath/v3/programs/steer_uplink');
  t.is(pins.link(17), '/sys/fs/bpf/unipath/v3/links/17');
  t.is(pins.tracing('observe'), '/sys/fs/bpf/unipath/v3/tracing/observe');
});

test('names that would leave the folder, or that a bpffs refuses, are refused', (t) => {
  const pins = new Pins('/sys/fs/bpf/unipath', 1);
  for (const name of ['', '..', 'a/b', '.rodata', 'a b']) t.throws(() => pins.map(name), { message: /cannot be the name of a pin/ });
});

test('what is not there is an empty list', (t) => {
  const pins = new Pins('/nonexistent/unipath', 1);
  t.deepEqual([pins.listMaps(), pins.listPrograms(), pins.listLinks(), pins.listTracing(), pins.versions()], [[], [], [], [], []]);
  t.false(pins.remove(pins.map('vnics')));
});

testWith(needs.bpffs())('a folder that is not on a bpffs is refused with the remedy', (t) => {
  const error = t.throws(() => ensureBpffs(join(tmpdir(), 'unipath', 'pins')), { instanceOf: NotOnBpffsError });
  t.regex(error.message, /is not on a bpffs; mount one: mount -t bpf bpf \/sys\/fs\/bpf/);
  t.throws(() => new Pins(join(tmpdir(), 'unipath-pins'), 1).create(), { instanceOf: NotOnBpffsError });
  t.false(existsSync(join(tmpdir(), 'unipath-pins')));
  t.notThrows(() => ensureBpffs('/sys/fs/bpf/unipath-test-not-there/yet'));
});

kernelTest('pins are made, listed and removed without a trace', async (t) => {
  const root = join(pinFolder(t, 'pins'), 'root');
  const pins = new Pins(root, 2);
  const object = await loadSample(t);
  pins.create();
  pins.create();
  object.map('rows').pin(pins.map('rows'));
  object.map('cpu_rows').pin(pins.map('cpu_rows'));
  object.program('count_frame').pin(pins.program('count_frame'));
  object.program('other_frame').pin(pins.link(12)); // any pin will do for a name
  t.deepEqual(pins.listMaps(), ['cpu_rows', 'rows']);
  t.deepEqual(pins.listPrograms(), ['count_frame']);
  t.deepEqual(pins.listLinks(), [12]);
  t.deepEqual(pins.versions(), [2]);
  t.true(pins.remove(pins.map('rows')));
  t.false(pins.remove(pins.map('rows')));

  const other = new Pins(root, 1);
  other.create();
  t.deepEqual(pins.versions().sort(), [1, 2]);
  pins.removeAll();
  t.false(existsSync(pins.folder));
  t.true(existsSync(other.folder), 'another version is not ours to remove');
  other.removeAll();
  t.false(existsSync(root));
  other.removeAll();
});

kernelTest('what someone else put there is left alone', async (t) => {
  const root = join(pinFolder(t, 'foreign'), 'root');
  const pins = new Pins(root, 1);
  pins.create();
  mkdirSync(join(root, 'theirs'));
  pins.removeAll();
  t.true(existsSync(join(root, 'theirs')));
  rmSync(root, { recursive: true });
});
