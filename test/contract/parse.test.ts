/** The BTF parser against bpftool, which reads the same bytes with libbpf, and against what is cut short. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { findElfSection } from '../../src/btf/elf.js';
import { type BtfType, parseBtf } from '../../src/btf/parse.js';
import { hostObjectPath } from '../../src/paths.js';
import { compileBtf } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

const BPFTOOL_KINDS: Readonly<Record<string, BtfType['kind']>> = {
  INT: 'int', FLOAT: 'float', PTR: 'pointer', ARRAY: 'array', STRUCT: 'struct', UNION: 'union', ENUM: 'enum', ENUM64: 'enum',
  FWD: 'forward', TYPEDEF: 'typedef', VOLATILE: 'volatile', CONST: 'const', RESTRICT: 'restrict', FUNC: 'function',
  FUNC_PROTO: 'prototype', VAR: 'variable', DATASEC: 'section', DECL_TAG: 'decl-tag', TYPE_TAG: 'type-tag',
};

interface BpftoolMember {
  readonly name: string;
  readonly type_id: number;
  readonly bits_offset: number;
  readonly bitfield_size?: number;
}

interface BpftoolType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly ret_type_id?: number;
  readonly nr_elems?: number;
  readonly members?: readonly BpftoolMember[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

const objectTest = testWith(needs.tool('bpftool'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'));

objectTest('every type of the host object is what bpftool says', (t) => {
  const dump = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', hostObjectPath], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const expected = (JSON.parse(dump) as { readonly types: readonly BpftoolType[] }).types;
  const types = parseBtf(findElfSection(readFileSync(hostObjectPath), '.BTF') ?? Buffer.alloc(0));
  t.is(types.count, expected.length + 1);
  for (const wanted of expected) {
    const type = types.get(wanted.id);
    t.is(type.kind, BPFTOOL_KINDS[wanted.kind] ?? 'void');
    t.is(type.name, wanted.name === '(anon)' ? '' : wanted.name);
    if ('size' in type) t.is(type.size, wanted.size ?? -1);
    if ('type' in type) t.is(type.type, wanted.type_id ?? wanted.ret_type_id ?? -1);
    if (type.kind === 'array') t.deepEqual([type.element, type.count], [wanted.type_id ?? -1, wanted.nr_elems ?? -1]);
    if (type.kind === 'struct' || type.kind === 'union') {
      const members = type.members.map((member) => [member.name || '(anon)', member.type, member.bitOffset, member.bitSize]);
      t.deepEqual(members, wanted.members?.map((member) => [member.name, member.type_id, member.bits_offset, member.bitfield_size ?? 0]));
    }
    if (type.kind === 'enum') {
      const values = type.values.map(({ name, value }) => [name, Number(value)]);
      t.deepEqual(values, wanted.values?.map(({ name, val }) => [name, val]));
    }
  }
});

testWith(needs.tool('clang'))('bit fields have their width and place', (t) => {
  const types = parseBtf(compileBtf('struct bits { unsigned low : 4, high : 28; unsigned whole; } bits;'));
  t.deepEqual(types.find('struct', 'bits')?.members.map(({ name, bitOffset, bitSize }) => [name, bitOffset, bitSize]), [
    ['low', 0, 4], ['high', 4, 28], ['whole', 32, 0],
  ]);
});

const VMLINUX = '/sys/kernel/btf/vmlinux';
testWith(existsSync(VMLINUX) ? null : 'the kernel\'s BTF')('the kernel\'s own BTF is read whole', (t) => {
  const types = parseBtf(readFileSync(VMLINUX));
  t.is(types.find('struct', 'bpf_devmap_val')?.size, 8);
  t.is(types.find('struct', 'ethhdr')?.size, 14);
});

test('what is not a BPF object or not BTF is refused', (t) => {
  t.throws(() => findElfSection(Buffer.from('#!/bin/sh\n'), '.BTF'), { instanceOf: RangeError, message: 'not an ELF file' });
  const program = readFileSync(process.execPath).subarray(0, 4096);
  t.throws(() => findElfSection(program, '.BTF'), { instanceOf: RangeError, message: /not a BPF object file/ });
  t.throws(() => parseBtf(Buffer.alloc(64)), { instanceOf: RangeError, message: /not BTF/ });
});

objectTest('an object cut short is refused, and a section that is not there is null', (t) => {
  const elf = readFileSync(hostObjectPath);
  t.is(findElfSection(elf, '.no_such_section'), null);
  const btf = findElfSection(elf, '.BTF') ?? Buffer.alloc(0);
  for (const length of [0, 23, 24, 100, btf.length - 1]) t.throws(() => parseBtf(btf.subarray(0, length)), { instanceOf: RangeError });
  for (const length of [0, 63, 64, 200, elf.length - 1]) {
    t.throws(() => findElfSection(elf.subarray(0, length), '.BTF'), { instanceOf: RangeError });
  }
});
