/** An object of other headers is told apart, in words; types that cannot be shared are refused. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { hostFingerprint, pluginFingerprint } from '../../maps/generated/contract.js';
import { findElfSection } from '../../src/btf/elf.js';
import { layoutOf, SharedTypeError } from '../../src/btf/layout.js';
import { parseBtf } from '../../src/btf/parse.js';
import { compareFingerprints, ContractMismatchError, type Fingerprint, verifyContract } from '../../src/btf/verify.js';
import { pluginObjectPath } from '../../src/paths.js';
import { compileBtf, mapsFolder, withFolder } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

type Group = keyof Fingerprint;

function changed(group: Group, name: string, fact: Record<string, string | number> | null): string[] {
  const { [name]: _, ...others } = hostFingerprint[group];
  return compareFingerprints({ ...hostFingerprint, [group]: fact === null ? others : { ...others, [name]: fact } }, hostFingerprint);
}

test('the same contract has no differences', (t) => {
  t.deepEqual(compareFingerprints(structuredClone(hostFingerprint), hostFingerprint), []);
});

test('each kind of difference has its sentence', (t) => {
  t.deepEqual(changed('structs', 'vnic.tap_ifindex', { offset: 4, type: '__u32' }), ['vnic.tap_ifindex: offset 4, expected 0']);
  t.deepEqual(changed('structs', 'vnic.vlan', { offset: 22, type: '__be16' }), ['vnic.vlan: type __be16, expected __u16']);
  t.deepEqual(changed('structs', 'vnic', { size: 40 }), ['vnic: size 40, expected 64']);
  t.deepEqual(changed('structs', 'vnic.mac', null), ['vnic.mac: missing']);
  t.deepEqual(changed('structs', 'vnic.colour', { offset: 32, type: '__u8' }), ['vnic.colour: not in the contract']);
  t.deepEqual(changed('enums', 'enum port_role', { size: 1, PORT_TAP: 1 }), [
    'enum port_role: PORT_TAP 1, expected 0', 'enum port_role: PORT_VF missing, expected 1',
  ]);
  t.deepEqual(changed('maps', 'map events', { type: 'ringbuf', max_entries: 1, flags: 0 }), ['map events: max_entries 1, expected 262144']);
  t.deepEqual(changed('knobs', 'knob tick_shift', null), ['knob tick_shift: missing']);
});

const objectTest = testWith(needs.file(pluginObjectPath, 'bpf/plugin.bpf.o (make -C bpf)'));

objectTest('the plug-in object matches its own contract and not the host\'s', (t) => {
  const btf = findElfSection(readFileSync(pluginObjectPath), '.BTF') ?? Buffer.alloc(0);
  t.notThrows(() => verifyContract(btf, pluginFingerprint, 'plugin.bpf.o'));
  const error = t.throws(() => verifyContract(btf, hostFingerprint, 'plugin.bpf.o'), { instanceOf: ContractMismatchError });
  t.true(error?.differences.includes('map vnics: missing'));
  t.true(error?.differences.includes('map plugin_states: not in the contract'));
});

const compilerTest = testWith(needs.tool('clang'));

compilerTest('two fields that changed places are found in the bytes', (t) => {
  const btf = withFolder((folder) => {
    cpSync(mapsFolder, folder, { recursive: true });
    const header = join(folder, 'plugin.h');
    const text = readFileSync(header, 'utf8');
    const [first, second] = [/^.*vf_ifindex;.*\n/m.exec(text)?.[0] ?? '', /^.*interface_ifindex;.*\n/m.exec(text)?.[0] ?? ''];
    writeFileSync(header, text.replace(first + second, second + first));
    return compileBtf('#include "plugin.h"\n', [folder]);
  });
  const error = t.throws(() => verifyContract(btf, pluginFingerprint, 'plugin.bpf.o'), { instanceOf: ContractMismatchError });
  t.deepEqual(error?.differences, [
    'plugin_state.vf_ifindex: offset 4, expected 0', 'plugin_state.interface_ifindex: offset 0, expected 4',
  ]);
  t.regex(error?.message ?? '', /^plugin\.bpf\.o does not match .*npm run gen/);
});

/** A map whose value is `struct bad { MEMBERS };`. */
function objectWith(members: string, extra = ''): Buffer {
  return compileBtf(`
    #include <linux/bpf.h>
    #include <bpf/bpf_helpers.h>
    ${extra}
    struct bad { ${members} };
    struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct bad); } bads SEC(".maps");
  `);
}

const REFUSED: Readonly<Record<string, readonly [members: string, message: RegExp]>> = {
  'a bit field': ['__u32 low : 4; __u32 high : 28;', /^bad\.low: a bit field/],
  'a pointer': ['void *next;', /^bad\.next: a pointer/],
  'floating point': ['double rate;', /^bad\.rate: floating point/],
  'a width that depends on the machine': ['long count;', /^bad\.count: "long" has no fixed width; use one of __u8/],
  'a union': ['union { __u32 a; __s32 b; } both;', /^bad\.both: a union/],
  'an unnamed union': ['union { __u32 a; __s32 b; };', /^bad\.\(unnamed\): a member without a name/],
  'an unnamed struct': ['struct { __u32 a; } inner;', /^bad\.inner: a struct without a name/],
  'an unnamed enum': ['enum { ONE } kind;', /^bad\.kind: an enum without a name/],
  'a hole': ['__u8 kind; __u32 number;', /^bad: 3 bytes without a name before bad\.number; name them `reserved`/],
  'padding at the end': ['__u32 number; __u8 kind;', /^bad: 3 bytes without a name before bad\.end/],
};

for (const [what, [members, message]] of Object.entries(REFUSED)) {
  compilerTest(`refused in a shared type: ${what}`, (t) => {
    t.throws(() => layoutOf(parseBtf(objectWith(members))), { instanceOf: SharedTypeError, message });
  });
}

compilerTest('refused: a map whose value has no type, a map type never used here', (t) => {
  const map = (body: string) => layoutOf(parseBtf(compileBtf(`
    #include <linux/bpf.h>
    #include <bpf/bpf_helpers.h>
    struct { ${body} } m SEC(".maps");
  `)));
  t.throws(() => map('__uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __uint(value_size, 12);'), {
    instanceOf: SharedTypeError, message: /^map m: value_size 12 says nothing of the type/,
  });
  t.throws(() => map('__uint(type, BPF_MAP_TYPE_STACK); __uint(max_entries, 1); __type(value, __u32);'), {
    instanceOf: SharedTypeError, message: /^map m: map type 23 is not in MAP_TYPES/,
  });
});

compilerTest('big-endian integers, nested arrays and both enum sizes are laid out', (t) => {
  const layout = layoutOf(parseBtf(objectWith(
    '__be16 port; enum small kind; __u8 reserved; __u32 table[2][3]; enum large big;',
    'enum small { SMALL_A, SMALL_B = 200 } __attribute__((packed)); enum large { LARGE_A = 0xffffffff };',
  )));
  t.deepEqual(layout.structs.get('bad')?.fields.map(({ name, offset }) => [name, offset]), [
    ['port', 0], ['kind', 2], ['reserved', 3], ['table', 4], ['big', 28],
  ]);
  t.deepEqual(layout.enums.get('large'), { name: 'large', size: 4, values: [{ name: 'LARGE_A', value: 0xffffffff }] });
  t.is(layout.enums.get('small')?.size, 1);
});
