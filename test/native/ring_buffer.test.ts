import { RingBuffer } from '../../src/native/ring_buffer.js';
import type { BpfObject } from '../../src/native/object.js';
import { kernelTest, loadSample } from './native_objects.js';

const SUBMIT = 0;
const DISCARD = 1;
const PASS = 2;
const DROP = 1;

/** Makes the program write one record of 8 or 100 bytes. Its verdict says whether there was room. */
function write(object: BpfObject, what: number, long: boolean, fill: number): number {
  const data = Buffer.alloc(64);
  data.set([what, long ? 2 : 1, fill]);
  return object.program('write_record').testRun({ data }).verdict;
}

function drain(ring: RingBuffer): Buffer[] {
  const records: Buffer[] = [];
  ring.consume((data) => records.push(data));
  return records;
}

kernelTest('records arrive in order, with their lengths; discarded ones do not', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  t.deepEqual(drain(ring), []);
  write(object, SUBMIT, false, 0xaa);
  write(object, DISCARD, false, 0xbb);
  write(object, SUBMIT, true, 0xcc);
  const [first, second, ...rest] = drain(ring);
  t.deepEqual(first, Buffer.alloc(8, 0xaa));
  t.is(second?.length, 100);
  t.is(second?.readUInt8(0), 0xcc);
  t.deepEqual(rest, []);
  t.deepEqual(drain(ring), []);
});

kernelTest('the room of read records is used again, across the end of the ring many times', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  for (let i = 0; i < 300; i++) {
    for (let k = 0; k < 5; k++) t.is(write(object, SUBMIT, (i + k) % 2 === 0, (i * 5 + k) & 0xff), PASS);
    t.deepEqual(drain(ring).map((record) => record.readUInt8(7)), [0, 1, 2, 3, 4].map((k) => (i * 5 + k) & 0xff));
  }
});

kernelTest('a full ring refuses records until it is read', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  let written = 0;
  while (write(object, SUBMIT, true, written) === PASS) written++;
  t.true(written >= 4096 / 112 - 1, `${written} records`);
  t.is(write(object, SUBMIT, true, 0), DROP);
  t.is(drain(ring).length, written);
  t.is(write(object, SUBMIT, true, 0), PASS);
});

kernelTest('a record whose listener throws counts as read, the next ones stay', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  for (const fill of [1, 2, 3]) write(object, SUBMIT, false, fill);
  t.throws(() => ring.consume(() => { throw new Error('no'); }), { message: 'no' });
  t.deepEqual(drain(ring).map((record) => record[0]), [2, 3]);
});

kernelTest('two readers of one process after another continue where the first stopped', async (t) => {
  const object = await loadSample(t);
  const first = new RingBuffer(object.map('records'));
  write(object, SUBMIT, false, 1);
  drain(first);
  write(object, SUBMIT, false, 2);
  first.close();
  first.close();
  t.throws(() => drain(first), { message: 'the ring buffer is closed' });
  const second = new RingBuffer(object.map('records'));
  t.teardown(() => second.close());
  t.deepEqual(drain(second).map((record) => record[0]), [2]);
});

kernelTest('a ring is never quite full: a record takes 8 bytes more, rounded up to 8', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  t.is(ring.size, 4096);
  for (let i = 1; i < 256; i++) {
    t.is(write(object, SUBMIT, false, i & 0xff), PASS);
    t.is(ring.taken, 16 * i);
  }
  t.is(write(object, SUBMIT, false, 0), DROP, 'the last one would fill it');
  drain(ring);
  write(object, SUBMIT, true, 0);
  t.is(ring.taken, 112);
});

kernelTest('a record that is not taken comes again; only so many at once', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  for (const fill of [1, 2, 3, 4]) write(object, fill === 2 ? DISCARD : SUBMIT, false, fill);
  const taken: number[] = [];
  const take = (data: Buffer): boolean => taken.push(data[0]!) !== 2;
  t.is(ring.drain(take, 10), 1);
  t.is(ring.drain((data) => data[0] === 3, 1), 1);
  t.is(ring.taken, 16);
  t.false(ring.isEmpty);
  t.is(ring.drain(() => true, 10), 1);
  t.deepEqual([taken, ring.isEmpty, ring.taken], [[1, 3], true, 0]);
});

kernelTest('room that is kept is given back at once, and what is read does not come again', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  let written = 0;
  while (write(object, SUBMIT, true, written) === PASS) written++;
  t.is(ring.drain(() => true, 10, true), 10);
  t.is(write(object, SUBMIT, true, 0), DROP, 'no room yet');
  t.is(ring.drain(() => true, Infinity, true), written - 10);
  t.deepEqual([ring.isEmpty, ring.taken], [true, 112 * written]);
  ring.giveBack();
  t.is(ring.taken, 0);
  t.is(write(object, SUBMIT, true, 7), PASS);
  t.is(ring.drain((data) => data[0] === 7, 10), 1);
});

kernelTest('a look leaves everything where it is', async (t) => {
  const object = await loadSample(t);
  const ring = new RingBuffer(object.map('records'));
  t.teardown(() => ring.close());
  for (const fill of [1, 2, 3]) write(object, fill === 2 ? DISCARD : SUBMIT, false, fill);
  for (let i = 0; i < 2; i++) {
    const seen: number[] = [];
    ring.peek((data) => seen.push(data[0]!));
    t.deepEqual(seen, [1, 3]);
  }
  t.deepEqual(drain(ring).map((record) => record[0]), [1, 3]);
});

kernelTest('other maps are refused', async (t) => {
  const object = await loadSample(t);
  t.throws(() => new RingBuffer(object.map('rows')), { message: 'map rows is no ring buffer' });
});
