import test from 'ava';
import fc from 'fast-check';
import { LineSplitter, LineTooLongError } from '../../../../src/hypervisor/qemu/line_splitter.js';

/** `bytes` cut at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const edges = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
}

const line = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replaceAll('\n', '\\n'));

test('lines come out whole and in order, however the bytes were cut, also within a character', (t) => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), line, fc.array(fc.nat(), { maxLength: 20 }), (lines, rest, places) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join('') + rest);
      const splitter = new LineSplitter(1 << 20);
      const out = cut(bytes, places).flatMap((piece) => splitter.push(piece));
      t.deepEqual(out, lines);
      t.deepEqual(splitter.push(Buffer.from('\n')), [rest]);
    }),
  );
});

test('byte by byte is no different', (t) => {
  const splitter = new LineSplitter(100);
  const out = [...Buffer.from('{"a": "ü€😀"}\r\n\n{}\n')].flatMap((byte) => splitter.push(Buffer.from([byte])));
  t.deepEqual(out, ['{"a": "ü€😀"}\r', '', '{}']);
});

test('a line may be as long as the bound and no longer, wherever it is cut', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 }), fc.array(fc.nat(), { maxLength: 5 }), (length, places) => {
      const splitter = new LineSplitter(20);
      const feed = (): string[] => cut(Buffer.from(`ok\n${'x'.repeat(length)}\n`), places).flatMap((piece) => splitter.push(piece));
      if (length <= 20) t.deepEqual(feed(), ['ok', 'x'.repeat(length)]);
      else t.throws(feed, { instanceOf: LineTooLongError });
    }),
  );
});
