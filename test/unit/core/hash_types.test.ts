import test from 'ava';
import { HashType } from '../../../maps/generated/contract.js';
import { HASH_TYPE_NAMES, hashTypeNames, hashTypeProblem, hashTypesOf } from '../../../src/core/hash_types.js';
import { DEFAULT_HASH_TYPES } from '../../../src/core/limits.js';

test('the names are those of enum hash_type, in the order of the bits', (t) => {
  const { DEFAULT, ...bits } = HashType;
  t.deepEqual(Object.entries(bits).sort(([, a], [, b]) => a - b).map(([name]) => name.toLowerCase()), [...HASH_TYPE_NAMES]);
  t.is(DEFAULT_HASH_TYPES, DEFAULT);
});

test('names to bits and back', (t) => {
  for (let types = 0; types < 256; types++) t.is(hashTypesOf(hashTypeNames(types)), types);
  t.is(hashTypeProblem('tcp_ipv6'), null);
  t.is(hashTypeProblem('tcp_ip6'), '"tcp_ip6" is no hash type; did you mean "tcp_ipv6"?');
  t.regex(hashTypeProblem('quic') ?? '', /^"quic" is no hash type; they are: ipv4, tcp_ipv4/);
  t.throws(() => hashTypesOf(['ipv4', 'quic']), { instanceOf: RangeError });
});
