import test from 'ava';
import fc from 'fast-check';
import { CounterReader, CounterWriter } from '../../../src/lab/traffic/counter_stream.js';

test('the stream is right however it is cut', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (cuts) => {
      const stream = new CounterWriter().take(200);
      const reader = new CounterReader();
      let offset = 0;
      for (const cut of cuts) {
        reader.read(stream.subarray(offset, offset + cut));
        offset += cut;
      }
      reader.read(stream.subarray(offset));
      t.is(reader.wrongWords, 0);
      t.is(reader.bytes, 1600);
    }),
  );
});

test('pieces taken one after the other join', (t) => {
  const writer = new CounterWriter();
  const reader = new CounterReader();
  for (const words of [1, 5, 300]) reader.read(writer.take(words));
  t.is(reader.wrongWords, 0);
});

test('a lost, a doubled and a changed byte are found', (t) => {
  const stream = new CounterWriter().take(50);
  const read = (...parts: Buffer[]): number => {
    const reader = new CounterReader();
    for (const part of parts) reader.read(part);
    return reader.wrongWords;
  };
  t.true(read(stream.subarray(0, 100), stream.subarray(101)) > 0);
  t.true(read(stream.subarray(0, 100), stream.subarray(99)) > 0);
  t.true(read(stream.subarray(0, 160), stream.subarray(152)) > 0, 'a whole word twice');
  const changed = Buffer.from(stream);
  changed[77] = (changed[77] ?? 0) ^ 1;
  t.is(read(changed), 1);
});
