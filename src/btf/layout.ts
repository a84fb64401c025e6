/**
 * What a BPF object says about the contract: structs, enums, maps and knobs, taken from its BTF. This is where a shared
 * type that does not follow the rules of maps/contract.h is refused, so that emit.ts and verify.ts need not doubt.
 */
import { MAP_TYPES, type MapTypeName } from './codec.js';
import type { BtfMember, BtfType, BtfTypeOf, BtfTypes } from './parse.js';

/** The integers a shared type may have, and how each is read. */
export const INTEGERS = {
  __u8: { size: 1, codec: 'u8' },
  __u16: { size: 2, codec: 'u16' },
  __u32: { size: 4, codec: 'u32' },
  __u64: { size: 8, codec: 'u64' },
  __s32: { size: 4, codec: 's32' },
  __s64: { size: 8, codec: 's64' },
  __be16: { size: 2, codec: 'be16' },
  __be32: { size: 4, codec: 'be32' },
} as const;
export type IntegerName = keyof typeof INTEGERS;

export type Shape =
  | { readonly kind: 'integer'; readonly name: IntegerName; readonly size: number }
  | { readonly kind: 'enum'; readonly name: string; readonly size: number }
  | { readonly kind: 'struct'; readonly name: string; readonly size: number }
  | { readonly kind: 'array'; readonly element: Shape; readonly count: number; readonly size: number }
  /** File descriptor on the way in, id on the way out: the union of the kernel's devmap and cpumap values. */
  | { readonly kind: 'program'; readonly size: number };

export interface FieldLayout {
  readonly name: string;
  readonly offset: number;
  readonly shape: Shape;
}

export interface StructLayout {
  readonly name: string;
  readonly size: number;
  readonly fields: readonly FieldLayout[];
}

export interface EnumLayout {
  readonly name: string;
  readonly size: number;
  readonly values: readonly { readonly name: string; readonly value: number }[];
}

export interface MapLayout {
  readonly name: string;
  readonly type: MapTypeName;
  /** Both null for a ring buffer. */
  readonly key: Shape | null;
  readonly value: Shape | null;
  readonly maxEntries: number;
  readonly flags: number;
}

/** A `const volatile` variable, set between open and load. */
export interface KnobLayout {
  readonly name: string;
  readonly shape: Shape;
}

/** Structs come before those that contain them. */
export interface ContractLayout {
  readonly structs: ReadonlyMap<string, StructLayout>;
  readonly enums: ReadonlyMap<string, EnumLayout>;
  readonly maps: ReadonlyMap<string, MapLayout>;
  readonly knobs: ReadonlyMap<string, KnobLayout>;
}

/** A shared type breaks a rule of maps/contract.h; `message` names it and says what to write instead. */
export class SharedTypeError extends Error {
  override readonly name = 'SharedTypeError';
}

/** Values of the kernel's own maps; their union `bpf_prog` is read as `Shape` "program". */
const KERNEL_TYPES: ReadonlySet<string> = new Set(['bpf_devmap_val', 'bpf_cpumap_val']);
/** Structs of this prefix only carry types to the generator; their map is not one to use. */
const CARRIER_PREFIX = 'exported_';
/** Enums of these suffixes are bits or constants, not a choice of one: their fields are plain numbers. */
const CONSTANTS_SUFFIX = /_(flag|bit|limit)$/;

export function isConstants(enumName: string): boolean {
  return CONSTANTS_SUFFIX.test(enumName);
}

/** Padding: written as zero, never read, not part of the TypeScript type. */
export function isReserved(fieldName: string): boolean {
  return fieldName.startsWith('reserved');
}

/** The C spelling: "__u32[36][256]", "struct counter[18]", "enum reason". */
export function spell(shape: Shape): string {
  switch (shape.kind) {
    case 'integer': return shape.name;
    case 'enum': case 'struct': return `${shape.kind} ${shape.name}`;
    case 'program': return 'union bpf_prog';
    case 'array': {
      let counts = '';
      let inner: Shape = shape;
      for (; inner.kind === 'array'; inner = inner.element) counts += `[${inner.count}]`;
      return spell(inner) + counts;
    }
  }
}

class Collector {
  readonly structs = new Map<string, StructLayout>();
  readonly enums = new Map<string, EnumLayout>();

  constructor(private readonly types: BtfTypes) {}

  /** `place` is how errors name what is looked at: "vnic.mac", "map vnics key". */
  shapeOf(id: number, place: string): Shape {
    const integer = this.#integerName(id);
    if (integer !== null) return { kind: 'integer', name: integer, size: INTEGERS[integer].size };
    const type = this.types.resolve(id);
    switch (type.kind) {
      case 'enum': return this.#enum(type, place);
      case 'struct': return this.#struct(type, place);
      case 'array': {
        const element = this.shapeOf(type.element, place);
        return { kind: 'array', element, count: type.count, size: element.size * type.count };
      }
      case 'int': throw refuse(place, `"${type.name}" has no fixed width; use one of ${Object.keys(INTEGERS).join(', ')}`);
      case 'float': throw refuse(place, 'floating point; use an integer of a finer unit');
      case 'pointer': throw refuse(place, 'a pointer means nothing in another address space; use an id or an index');
      case 'union': throw refuse(place, 'a union; use one field per meaning, or a struct per meaning in its own map');
      default: throw refuse(place, `a ${type.kind} cannot be shared`);
    }
  }

  /** The first typedef on the way down that is one of ours: __be32 is a typedef of __u32. */
  #integerName(id: number): IntegerName | null {
    for (let type = this.types.get(id); ; type = this.types.get(type.type)) {
      if (type.kind === 'typedef' && type.name in INTEGERS) return type.name as IntegerName;
      if (type.kind !== 'typedef' && type.kind !== 'const' && type.kind !== 'volatile' && type.kind !== 'type-tag') return null;
    }
  }

  #enum(type: BtfTypeOf<'enum'>, place: string): Shape {
    if (type.name === '') throw refuse(place, 'an enum without a name; give it one');
    if (type.size !== 1 && type.size !== 4) throw refuse(place, `enum ${type.name} has ${type.size} bytes; 1 and 4 are supported`);
    const values = type.values.map(({ name, value }) => ({ name, value: Number(value) }));
    if (values.some(({ value }) => value < 0)) throw refuse(place, `enum ${type.name} has a negative value`);
    this.enums.set(type.name, { name: type.name, size: type.size, values });
    return { kind: 'enum', name: type.name, size: type.size };
  }

  #struct(type: BtfTypeOf<'struct' | 'union'>, place: string): Shape {
    const { name, size } = type;
    if (name === '') throw refuse(place, 'a struct without a name; give it one');
    const shape: Shape = { kind: 'struct', name, size };
    if (this.structs.has(name)) return shape;
    const fields = type.members.map((member) => this.#field(type, member));
    if (!name.startsWith(CARRIER_PREFIX)) {
      refuseHoles(name, size, fields);
      this.structs.set(name, { name, size, fields });
    }
    return shape;
  }

  #field(parent: BtfTypeOf<'struct' | 'union'>, member: BtfMember): FieldLayout {
    const place = `${parent.name}.${member.name || '(unnamed)'}`;
    if (member.name === '') throw refuse(place, 'a member without a name; give it one');
    if (isBitField(member, this.types.resolve(member.type))) {
      throw refuse(place, 'a bit field; use a whole integer, and an enum for its bits');
    }
    const isProgram = KERNEL_TYPES.has(parent.name) && this.types.resolve(member.type).kind === 'union';
    const shape: Shape = isProgram ? { kind: 'program', size: this.types.sizeOf(member.type) } : this.shapeOf(member.type, place);
    return { name: member.name, offset: member.bitOffset / 8, shape };
  }

  /**
   * One variable of section .maps: a struct whose members spell the attributes as pointer types (see bpf_helpers.h).
   * Null for a map that only carries types.
   */
  map(name: string, typeId: number): MapLayout | null {
    const definition = this.types.resolve(typeId);
    if (definition.kind !== 'struct') throw refuse(`map ${name}`, 'not a BTF-defined map');
    // What the maps in a map hold is nothing that is shared.
    const attributes = definition.members.filter((member) => member.name !== 'values');
    const targets = new Map(attributes.map((member) => [member.name, this.#pointee(name, member)]));
    const number = (attribute: string): number | null => {
      const target = targets.get(attribute);
      if (target === undefined) return null;
      const array = this.types.resolve(target);
      return array.kind === 'array' ? array.count : null;
    };
    const shape = (attribute: 'key' | 'value'): Shape | null => {
      const target = targets.get(attribute);
      if (target !== undefined) return this.shapeOf(target, `map ${name} ${attribute}`);
      const size = number(`${attribute}_size`);
      if (size === 4) return { kind: 'integer', name: '__u32', size };
      if (size !== null) throw refuse(`map ${name}`, `${attribute}_size ${size} says nothing of the type; use __type(${attribute}, ...)`);
      return null;
    };

    const typeNumber = number('type') ?? 0;
    const type = (Object.keys(MAP_TYPES) as MapTypeName[]).find((typeName) => MAP_TYPES[typeName] === typeNumber);
    if (type === undefined) throw refuse(`map ${name}`, `map type ${typeNumber} is not in MAP_TYPES of src/btf/codec.ts; add it there`);
    const [key, value] = [shape('key'), shape('value')];
    if (type !== 'ringbuf' && (key === null || value === null)) throw refuse(`map ${name}`, 'key or value has no type; use __type()');
    if (value?.kind === 'struct' && value.name.startsWith(CARRIER_PREFIX)) return null;
    return { name, type, key, value, maxEntries: number('max_entries') ?? 0, flags: number('map_flags') ?? 0 };
  }

  #pointee(map: string, member: BtfMember): number {
    const type = this.types.resolve(member.type);
    if (type.kind !== 'pointer') throw refuse(`map ${map}`, `attribute ${member.name} is not written with __uint() or __type()`);
    return type.type;
  }

  isKnob(typeId: number): boolean {
    let type = this.types.get(typeId);
    const seen = new Set<string>();
    for (; type.kind === 'const' || type.kind === 'volatile'; type = this.types.get(type.type)) seen.add(type.kind);
    return seen.size === 2;
  }
}

function isBitField(member: BtfMember, type: BtfType): boolean {
  if (member.bitSize !== 0 || member.bitOffset % 8 !== 0) return true;
  return type.kind === 'int' && (type.bitOffset !== 0 || type.bits !== type.size * 8) && !type.bool;
}

function refuseHoles(name: string, size: number, fields: readonly FieldLayout[]): void {
  let end = 0;
  for (const field of [...fields, { name: 'end', offset: size, shape: null }]) {
    if (field.offset !== end) {
      throw refuse(name, `${field.offset - end} bytes without a name before ${name}.${field.name}; name them \`reserved\``);
    }
    end = field.offset + (field.shape?.size ?? 0);
  }
}

function refuse(place: string, why: string): SharedTypeError {
  return new SharedTypeError(`${place}: ${why} (rules: maps/contract.h)`);
}

/**
 * Everything reachable from the keys and values of the maps in `.maps`, and the knobs in `.rodata`.
 * @throws SharedTypeError for what the contract's rules forbid.
 */
export function layoutOf(types: BtfTypes): ContractLayout {
  const collector = new Collector(types);
  const maps = new Map<string, MapLayout>();
  // By name: the order in the object is the compiler's, and the generated file must not depend on it.
  const variables = (section: string) => types.variables(section).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, type } of variables('.maps')) {
    const layout = collector.map(name, type);
    if (layout !== null) maps.set(name, layout);
  }
  const knobs = new Map<string, KnobLayout>();
  for (const { name, type } of variables('.rodata')) {
    if (collector.isKnob(type)) knobs.set(name, { name, shape: collector.shapeOf(type, `knob ${name}`) });
  }
  return { structs: collector.structs, enums: collector.enums, maps, knobs };
}
