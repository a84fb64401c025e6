/** Names and the text of the generated contract, from layouts made by hand. */
import test from 'ava';
import { emitContract } from '../../../src/btf/emit.js';
import type { ContractLayout, EnumLayout, StructLayout } from '../../../src/btf/layout.js';
import { camelCase, commonPrefix, pascalCase } from '../../../src/btf/names.js';

test('C names become TypeScript names', (t) => {
  t.is(pascalCase('vnic_slot'), 'VnicSlot');
  t.is(camelCase('object_sha256'), 'objectSha256');
  t.is(camelCase('mac'), 'mac');
});

test('the common prefix ends at an underscore and leaves a name behind', (t) => {
  t.is(commonPrefix(['PATH_SOFTWARE', 'PATH_ACCELERATED']), 'PATH_');
  t.is(commonPrefix(['REDIRECT_ERROR_A', 'REDIRECT_ERROR_B']), 'REDIRECT_ERROR_');
  t.is(commonPrefix(['MAX_VNICS', 'RETA_SIZE']), '');
  t.is(commonPrefix(['SPEED_10', 'SPEED_100']), '');
  t.is(commonPrefix(['A_B', 'A_B_C']), 'A_');
  t.is(commonPrefix(['ONLY_ONE']), '');
});

function layout(structs: readonly StructLayout[], enums: readonly EnumLayout[] = []): ContractLayout {
  const byName = <T extends { readonly name: string }>(items: readonly T[]) => new Map(items.map((item) => [item.name, item]));
  return { structs: byName(structs), enums: byName(enums), maps: new Map(), knobs: new Map() };
}

const point: StructLayout = {
  name: 'grid_point', size: 8,
  fields: [
    { name: 'x_mm', offset: 0, shape: { kind: 'integer', name: '__be16', size: 2 } },
    { name: 'kind', offset: 2, shape: { kind: 'enum', name: 'kind', size: 1 } },
    { name: 'reserved', offset: 3, shape: { kind: 'integer', name: '__u8', size: 1 } },
    { name: 'flags', offset: 4, shape: { kind: 'enum', name: 'point_flag', size: 4 } },
  ],
};
const kind: EnumLayout = { name: 'kind', size: 1, values: [{ name: 'KIND_A', value: 0 }, { name: 'KIND_COUNT', value: 1 }] };
const flag: EnumLayout = { name: 'point_flag', size: 4, values: [{ name: 'POINT_LIT', value: 1 }, { name: 'POINT_OLD', value: 2 }] };

test('fields, enums that are a choice, and enums that are bits', (t) => {
  const text = emitContract([{ name: 'host', layout: layout([point], [kind, flag]) }]);
  t.true(text.includes('  readonly xMm: number;\n  readonly kind: Kind;\n  readonly flags: number;\n}'));
  t.true(text.includes("export type Kind = (typeof Kind)[Exclude<keyof typeof Kind, 'COUNT'>];"));
  t.true(text.includes("export const kindNames = {\n  0: 'a',\n} as const"));
  t.true(text.includes('export const PointFlag = {\n  LIT: 1,\n  OLD: 2,\n} as const;\n'));
  t.false(text.includes('export type PointFlag'));
  t.true(text.includes('    xMm: buffer.readUInt16BE(offset),\n    kind: buffer.readUInt8(offset + 2) as Kind,\n'));
  t.true(text.includes('    flags: buffer.readUInt32LE(offset + 4),'));
  t.true(text.includes('    buffer.fill(0, offset + 3, offset + 4);'));
});

test('two objects must agree on a type that both have', (t) => {
  const other: StructLayout = { ...point, size: 12 };
  t.throws(() => emitContract([{ name: 'host', layout: layout([point]) }, { name: 'plugin', layout: layout([other]) }]), {
    message: 'grid_point differs between the objects; were they compiled from the same headers?',
  });
});
