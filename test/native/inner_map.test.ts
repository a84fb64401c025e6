/** Rings in an array of maps: they live as long as they are there. */
import { MAP_TYPES } from '../../src/btf/codec.js';
import { createRing, deleteInner, getInner, setInner } from '../../src/native/inner_map.js';
import { BpfObject } from '../../src/native/object.js';
import { possibleCpus } from '../../src/native/cpus.js';
import { RawMap } from '../../src/native/map.js';
import { hostObjectPath } from '../../src/paths.js';
import { needs, testWith } from '../support/require.js';

const holdsTest = testWith(needs.root(), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'));

async function holds(teardown: (undo: () => void) => void): Promise<RawMap> {
  const object = BpfObject.open(hostObjectPath, { maxEntries: { cpus: possibleCpus() }, programs: ['steer_tap'] });
  await object.load();
  teardown(() => object.close());
  return object.map('holds');
}

holdsTest('a ring is put in, found again, replaced and taken out; whoever made it may let go', async (t) => {
  const outer = await holds((undo) => t.teardown(undo));
  t.is(getInner(outer, 3), null);
  const ring = createRing('hold', 8192);
  setInner(outer, 3, ring);
  const { id } = ring;
  ring.close();
  const found = getInner(outer, 3);
  t.deepEqual([found?.id, found?.type, found?.maxEntries], [id, MAP_TYPES.ringbuf, 8192]);
  found?.close();
  const other = createRing('hold', 1 << 20);
  setInner(outer, 3, other);
  const replaced = getInner(outer, 3);
  t.is(replaced?.id, other.id);
  for (const each of [other, replaced]) each?.close();
  t.is(getInner(outer, 4), null);
  deleteInner(outer, 3);
  deleteInner(outer, 3);
  t.is(getInner(outer, 3), null);
});

holdsTest('sizes that no ring has, and indexes that are not there, are refused', async (t) => {
  const outer = await holds((undo) => t.teardown(undo));
  for (const bytes of [5000, 2048, 0]) t.throws(() => createRing('hold', bytes), { code: 'EINVAL' });
  const ring = createRing('hold', 4096);
  t.teardown(() => ring.close());
  t.throws(() => setInner(outer, 1024, ring), { code: 'E2BIG' });
});
