/** Any value written is read back, whatever was in the buffer before, and reserved bytes end up zero. */
import test from 'ava';
import fc from 'fast-check';
import * as contract from '../../maps/generated/contract.js';
import { type Codec, encode } from '../../src/btf/codec.js';
import { camelCase } from '../../src/btf/names.js';
import type { Fingerprint } from '../../src/btf/verify.js';

const INTEGERS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  __u8: fc.nat(0xff),
  __u16: fc.nat(0xffff),
  __u32: fc.nat(0xffffffff),
  __be32: fc.nat(0xffffffff),
  __s32: fc.integer(),
  __u64: fc.bigInt(0n, (1n << 64n) - 1n),
  // What is read is a program id, which is never negative.
  'union bpf_prog': fc.nat(),
};

const codecs = new Map<string, unknown>(Object.entries(contract));

function anyOf(type: string, facts: Fingerprint): fc.Arbitrary<unknown> {
  const array = /^(.*?)\[(\d+)\](.*)$/.exec(type);
  if (array !== null) {
    const [, element = '', count = '', rest = ''] = array;
    const length = Number(count);
    if (element + rest === '__u8') return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes));
    // Thousands of independent values cost fast-check seconds; two alternating ones show a wrong stride as well.
    const inner = anyOf(element + rest, facts);
    return fc.tuple(inner, inner).map(([even, odd]) => Array.from({ length }, (_, i) => (i % 2 === 0 ? even : odd)));
  }
  if (type.startsWith('struct ')) return anyStruct(type.slice('struct '.length), facts);
  if (type.startsWith('enum ')) {
    const { size: _, ...values } = facts.enums[type] ?? {};
    return fc.constantFrom(...Object.values(values));
  }
  const integer = INTEGERS[type];
  if (integer === undefined) throw new Error(`no values for ${type}`);
  return integer;
}

function anyStruct(name: string, facts: Fingerprint): fc.Arbitrary<unknown> {
  const fields = Object.entries(facts.structs).filter(([field]) => field.startsWith(`${name}.`) && !field.includes('.reserved'));
  return fc.record(Object.fromEntries(fields.map(([field, fact]) => {
    return [camelCase(field.slice(name.length + 1)), anyOf(String(fact.type), facts)];
  })), { noNullPrototype: true });
}

for (const facts of [contract.hostFingerprint, contract.pluginFingerprint]) {
  for (const name of Object.keys(facts.structs).filter((key) => !key.includes('.'))) {
    if (facts === contract.pluginFingerprint && name in contract.hostFingerprint.structs) continue;
    test(`struct ${name}: write, then read`, (t) => {
      const codec = codecs.get(`${camelCase(name)}Codec`) as Codec<unknown>;
      fc.assert(fc.property(anyStruct(name, facts), fc.nat(16), (value, offset) => {
        const dirty = Buffer.alloc(offset + codec.size + 8, 0xaa);
        codec.write(value, dirty, offset);
        t.deepEqual(codec.read(dirty, offset), value);
        t.deepEqual(dirty.subarray(offset, offset + codec.size), encode(codec, value));
        t.true(dirty.subarray(0, offset).every((byte) => byte === 0xaa));
        t.true(dirty.subarray(offset + codec.size).every((byte) => byte === 0xaa));
      }), { numRuns: codec.size > 1000 ? 10 : 100 });
    });
  }
}
