/**
 * BTF bytes to types. Knows every kind of the format (Documentation/bpf/btf.rst of the kernel), little-endian only,
 * and judges nothing: what a shared type may look like is said in layout.ts.
 */

/** A struct or union member. `bitSize` is 0 unless the member is a bit field. */
export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  readonly bitSize: number;
}

export interface BtfVariableSlot {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

export type BtfType =
  | { readonly kind: 'void'; readonly name: '' }
  | { readonly kind: 'int'; readonly name: string; readonly size: number; readonly bits: number; readonly bitOffset: number;
      readonly signed: boolean; readonly bool: boolean }
  | { readonly kind: 'float'; readonly name: string; readonly size: number }
  | { readonly kind: 'array'; readonly name: string; readonly element: number; readonly index: number; readonly count: number }
  | { readonly kind: 'struct' | 'union'; readonly name: string; readonly size: number; readonly members: readonly BtfMember[] }
  | { readonly kind: 'enum'; readonly name: string; readonly size: number; readonly signed: boolean;
      readonly values: readonly { readonly name: string; readonly value: bigint }[] }
  | { readonly kind: 'forward'; readonly name: string }
  | { readonly kind: 'pointer' | 'typedef' | 'volatile' | 'const' | 'restrict' | 'type-tag' | 'decl-tag'; readonly name: string;
      readonly type: number }
  | { readonly kind: 'function'; readonly name: string; readonly type: number; readonly linkage: number }
  | { readonly kind: 'prototype'; readonly name: string; readonly type: number;
      readonly parameters: readonly { readonly name: string; readonly type: number }[] }
  | { readonly kind: 'variable'; readonly name: string; readonly type: number; readonly linkage: number }
  | { readonly kind: 'section'; readonly name: string; readonly size: number; readonly variables: readonly BtfVariableSlot[] };

export type BtfKind = BtfType['kind'];
/** The members of BtfType whose `kind` may be K. */
export type BtfTypeOf<K extends BtfKind, T extends BtfType = BtfType> =
  T extends unknown ? (K & T['kind'] extends never ? never : T) : never;

const MAGIC = 0xeb9f;
const POINTER_SIZE = 8;

/** Walks the type section; every read moves on. */
class Cursor {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get done(): boolean {
    return this.#at >= this.bytes.length;
  }

  u32(): number {
    const value = this.bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  list<T>(count: number, readOne: () => T): T[] {
    return Array.from({ length: count }, readOne);
  }
}

function readType(cursor: Cursor, nameAt: (offset: number) => string): BtfType {
  const name = nameAt(cursor.u32());
  const info = cursor.u32();
  const sizeOrType = cursor.u32();
  const count = info & 0xffff;
  const kindNumber = (info >>> 24) & 0x1f;
  const flag = info >>> 31 === 1;

  const modifier = (kind: 'pointer' | 'typedef' | 'volatile' | 'const' | 'restrict' | 'type-tag'): BtfType => ({
    kind, name, type: sizeOrType,
  });
  const readMember = (): BtfMember => {
    const memberName = nameAt(cursor.u32());
    const type = cursor.u32();
    const offset = cursor.u32();
    // With the flag set the upper byte of the offset is the width of a bit field.
    return { name: memberName, type, bitOffset: flag ? offset & 0xffffff : offset, bitSize: flag ? offset >>> 24 : 0 };
  };

  switch (kindNumber) {
    case 1: {
      const word = cursor.u32();
      const encoding = (word >>> 24) & 0xf;
      const signed = (encoding & 1) !== 0;
      const bool = (encoding & 4) !== 0;
      return { kind: 'int', name, size: sizeOrType, bits: word & 0xff, bitOffset: (word >>> 16) & 0xff, signed, bool };
    }
    case 2: return modifier('pointer');
    case 3: return { kind: 'array', name, element: cursor.u32(), index: cursor.u32(), count: cursor.u32() };
    case 4: return { kind: 'struct', name, size: sizeOrType, members: cursor.list(count, readMember) };
    case 5: return { kind: 'union', name, size: sizeOrType, members: cursor.list(count, readMember) };
    case 6: {
      const readValue = () => {
        const valueName = nameAt(cursor.u32());
        const value = cursor.u32();
        return { name: valueName, value: flag ? BigInt(value | 0) : BigInt(value) };
      };
      return { kind: 'enum', name, size: sizeOrType, signed: flag, values: cursor.list(count, readValue) };
    }
    case 7: return { kind: 'forward', name };
    case 8: return modifier('typedef');
    case 9: return modifier('volatile');
    case 10: return modifier('const');
    case 11: return modifier('restrict');
    case 12: return { kind: 'function', name, type: sizeOrType, linkage: count };
    case 13: {
      const parameters = cursor.list(count, () => ({ name: nameAt(cursor.u32()), type: cursor.u32() }));
      return { kind: 'prototype', name, type: sizeOrType, parameters };
    }
    case 14: return { kind: 'variable', name, type: sizeOrType, linkage: cursor.u32() };
    case 15: {
      const variables = cursor.list(count, () => ({ type: cursor.u32(), offset: cursor.u32(), size: cursor.u32() }));
      return { kind: 'section', name, size: sizeOrType, variables };
    }
    case 16: return { kind: 'float', name, size: sizeOrType };
    case 17: {
      cursor.u32(); // which member or parameter it hangs on: of no interest here
      return { kind: 'decl-tag', name, type: sizeOrType };
    }
    case 18: return modifier('type-tag');
    case 19: {
      const readValue = () => {
        const valueName = nameAt(cursor.u32());
        const low = BigInt(cursor.u32());
        const value = (BigInt(cursor.u32()) << 32n) | low;
        return { name: valueName, value: flag ? BigInt.asIntN(64, value) : value };
      };
      return { kind: 'enum', name, size: sizeOrType, signed: flag, values: cursor.list(count, readValue) };
    }
    default: throw new RangeError(`BTF kind ${kindNumber} of type "${name}" is newer than this parser`);
  }
}

/** The types of one object by id; id 0 is void. */
export class BtfTypes {
  constructor(private readonly types: readonly BtfType[]) {}

  get count(): number {
    return this.types.length;
  }

  get(id: number): BtfType {
    const type = this.types[id];
    if (type === undefined) throw new RangeError(`BTF type ${id} does not exist`);
    return type;
  }

  /** `get`, with typedefs, const, volatile, restrict and tags looked through. */
  resolve(id: number): BtfType {
    for (let type = this.get(id); ; type = this.get(type.type)) {
      switch (type.kind) {
        case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type-tag': continue;
        default: return type;
      }
    }
  }

  find<K extends BtfKind>(kind: K, name: string): BtfTypeOf<K> | null {
    return (this.types.find((type) => type.kind === kind && type.name === name) ?? null) as BtfTypeOf<K> | null;
  }

  /** Size in bytes, as the compiler sees it; 0 for what has none. */
  sizeOf(id: number): number {
    const type = this.resolve(id);
    switch (type.kind) {
      case 'int': case 'float': case 'struct': case 'union': case 'enum': case 'section': return type.size;
      case 'array': return type.count * this.sizeOf(type.element);
      case 'pointer': return POINTER_SIZE;
      case 'variable': return this.sizeOf(type.type);
      default: return 0;
    }
  }

  /** Global variables of a section such as ".rodata" or ".maps", in order. Offsets in .rodata are 0 until libbpf opened the object. */
  variables(section: string): readonly { readonly name: string; readonly type: number; readonly offset: number; readonly size: number }[] {
    const found = this.find('section', section);
    if (found === null) return [];
    return found.variables.map((slot) => {
      const variable = this.get(slot.type);
      if (variable.kind !== 'variable') throw new RangeError(`BTF section ${section} names something that is not a variable`);
      return { name: variable.name, type: variable.type, offset: slot.offset, size: slot.size };
    });
  }
}

/** @throws RangeError when the bytes are not little-endian BTF, or are cut short. */
export function parseBtf(raw: Buffer): BtfTypes {
  if (raw.length < 24 || raw.readUInt16LE(0) !== MAGIC) throw new RangeError('not BTF for a little-endian machine');
  const headerLength = raw.readUInt32LE(4);
  const section = (field: number): Buffer => {
    const start = headerLength + raw.readUInt32LE(field);
    const length = raw.readUInt32LE(field + 4);
    if (start + length > raw.length) throw new RangeError('the BTF is cut short');
    return raw.subarray(start, start + length);
  };
  const strings = section(16);
  const nameAt = (offset: number): string => strings.toString('utf8', offset, strings.indexOf(0, offset));
  const cursor = new Cursor(section(8));
  const types: BtfType[] = [{ kind: 'void', name: '' }];
  while (!cursor.done) types.push(readType(cursor, nameAt));
  return new BtfTypes(types);
}
