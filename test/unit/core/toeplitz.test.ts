import test from 'ava';
import fc from 'fast-check';
import { RSS_INPUT_SIZE, RSS_KEY_SIZE } from '../../../src/core/limits.js';
import { buildToeplitzTables, rssInput2Tuple, rssInput4Tuple, toeplitzHash, toeplitzHashByTables } from '../../../src/core/toeplitz.js';
import { rssVectorKey, rssVectors } from '../../support/rss_vectors.js';

test('there are five IPv4 and three IPv6 vectors', (t) => {
  t.is(rssVectors.filter((vector) => vector.source.length === 4).length, 5);
  t.is(rssVectors.filter((vector) => vector.source.length === 16).length, 3);
});

for (const vector of rssVectors) {
  const pair = rssInput2Tuple(vector.source, vector.destination);
  const quad = rssInput4Tuple(vector.source, vector.destination, vector.sourcePort, vector.destinationPort);

  test(`published vector ${vector.title}`, (t) => {
    t.is(toeplitzHash(rssVectorKey, pair), vector.hash2Tuple);
    t.is(toeplitzHash(rssVectorKey, quad), vector.hash4Tuple);
  });

  test(`published vector by tables ${vector.title}`, (t) => {
    const tables = buildToeplitzTables(rssVectorKey);
    t.is(toeplitzHashByTables(tables, pair), vector.hash2Tuple);
    t.is(toeplitzHashByTables(tables, quad), vector.hash4Tuple);
  });
}

test('tables and definition agree for any key and input', (t) => {
  const key = fc.uint8Array({ minLength: RSS_KEY_SIZE, maxLength: RSS_KEY_SIZE });
  const input = fc.uint8Array({ maxLength: RSS_INPUT_SIZE });
  fc.assert(fc.property(key, input, (k, i) => toeplitzHashByTables(buildToeplitzTables(k), i) === toeplitzHash(k, i)));
  t.pass();
});

test('tables have one row of 256 words per input byte', (t) => {
  t.is(buildToeplitzTables(rssVectorKey).length, RSS_INPUT_SIZE * 256);
});

test('lengths that do not fit are refused', (t) => {
  t.throws(() => toeplitzHash(new Uint8Array(39), new Uint8Array(36)), { instanceOf: RangeError });
  t.throws(() => buildToeplitzTables(new Uint8Array(52)), { instanceOf: RangeError });
  t.throws(() => rssInput2Tuple(new Uint8Array(4), new Uint8Array(16)), { instanceOf: RangeError });
  t.throws(() => toeplitzHashByTables(buildToeplitzTables(rssVectorKey), new Uint8Array(37)), { instanceOf: RangeError });
});
