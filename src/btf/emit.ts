/** The contract as TypeScript source: maps/generated/contract.ts. */
import { INTEGERS, type ContractLayout, type EnumLayout, type IntegerName, isConstants, isReserved, type KnobLayout, type MapLayout,
  type Shape, type StructLayout } from './layout.js';
import { camelCase, commonPrefix, pascalCase } from './names.js';
import { type Fingerprint, fingerprintOf } from './verify.js';

/** One object's part of the contract; `name` is the prefix of its tables: hostMaps, hostKnobs, hostFingerprint. */
export interface ContractPart {
  readonly name: string;
  readonly layout: ContractLayout;
}

const READ: Record<IntegerName, string> = {
  __u8: 'readUInt8', __u16: 'readUInt16LE', __u32: 'readUInt32LE', __u64: 'readBigUInt64LE',
  __s32: 'readInt32LE', __s64: 'readBigInt64LE', __be16: 'readUInt16BE', __be32: 'readUInt32BE',
};

const LINE_LENGTH = 140;

const HEAD = `// Made by \`npm run gen\` from the BTF of the compiled BPF objects. Do not edit: change maps/*.h and run it again.
/**
 * The layouts, values and maps that the packet programs and the control plane share. What they mean is said in maps/*.h.
 * Enums are not checked on reading: a value that is none of the names comes out as it is.
 */
`;

class Emitter {
  readonly #lines: string[] = [];
  readonly #helpers = new Set<string>();
  readonly #arrays = new Map<string, string>();

  line(text = ''): void {
    this.#lines.push(text);
  }

  /** Names a function or constant of codec.ts, and so imports it. */
  #helper(name: string): string {
    this.#helpers.add(name);
    return name;
  }

  /** Expression of the codec of a whole value. Arrays become a constant of their own, defined where first needed. */
  codec(shape: Shape): string {
    switch (shape.kind) {
      case 'integer': return this.#helper(INTEGERS[shape.name].codec);
      case 'enum': return this.#helper(shape.size === 1 ? 'u8' : 'u32');
      case 'struct': return `${camelCase(shape.name)}Codec`;
      case 'program': return this.#helper('programRef');
      case 'array': {
        const name = arrayName(shape);
        if (!this.#arrays.has(name)) {
          const isBytes = shape.element.kind === 'integer' && shape.element.name === '__u8';
          const definition = isBytes ? `${this.#helper('bytesOf')}(${shape.count})`
            : `${this.#helper('arrayOf')}(${this.codec(shape.element)}, ${shape.count})`;
          this.#arrays.set(name, definition);
          this.line();
          this.line(`const ${name} = ${definition};`);
        }
        return name;
      }
    }
  }

  enum(layout: EnumLayout): void {
    const type = pascalCase(layout.name);
    const prefix = commonPrefix(layout.values.map(({ name }) => name));
    const values = layout.values.map(({ name, value }) => ({ name: name.slice(prefix.length), value }));
    this.line();
    this.line(`/** enum ${layout.name}${prefix === '' ? '' : `; the prefix ${prefix} is left out`}. */`);
    this.line(`export const ${type} = {`);
    for (const { name, value } of values) this.line(`  ${name}: ${value},`);
    this.line('} as const;');
    if (isConstants(layout.name)) return;
    // COUNT is how many there are, not one of them.
    const choices = values.filter(({ name }) => name !== 'COUNT');
    const keys = choices.length === values.length ? `keyof typeof ${type}` : `Exclude<keyof typeof ${type}, 'COUNT'>`;
    this.line(`export type ${type} = (typeof ${type})[${keys}];`);
    this.line(`export const ${camelCase(layout.name)}Names = {`);
    for (const { name, value } of choices) this.line(`  ${value}: '${name.toLowerCase()}',`);
    this.line(`} as const satisfies Record<${type}, string>;`);
  }

  struct(layout: StructLayout): void {
    const type = pascalCase(layout.name);
    const fields = layout.fields.filter((field) => !isReserved(field.name));
    for (const field of fields) if (field.shape.kind === 'array') this.codec(field.shape);
    this.line();
    this.line(`/** struct ${layout.name}, ${layout.size} bytes. */`);
    this.line(`export interface ${type} {`);
    for (const field of fields) {
      const note = field.shape.kind === 'program' ? ' // write: program fd, 0 or less = none; read: program id' : '';
      this.line(`  readonly ${camelCase(field.name)}: ${valueType(field.shape)};${note}`);
    }
    this.line('}');
    this.line();
    this.line(`export const ${camelCase(layout.name)}Codec: ${this.#type('Codec')}<${type}> = {`);
    this.line(`  size: ${layout.size},`);
    this.line('  read: (buffer, offset = 0) => ({');
    for (const field of fields) this.line(`    ${camelCase(field.name)}: ${this.#read(field.shape, at(field.offset))},`);
    this.line('  }),');
    this.line('  write: (value, buffer, offset = 0) => {');
    for (const field of layout.fields) {
      if (isReserved(field.name)) this.line(`    buffer.fill(0, ${at(field.offset)}, ${at(field.offset + field.shape.size)});`);
      else this.line(`    ${this.#write(field.shape, `value.${camelCase(field.name)}`, at(field.offset))};`);
    }
    this.line('  },');
    this.line('};');
  }

  #read(shape: Shape, position: string): string {
    switch (shape.kind) {
      case 'integer': return `buffer.${READ[shape.name]}(${position})`;
      case 'enum': {
        const number = `buffer.${shape.size === 1 ? 'readUInt8' : 'readUInt32LE'}(${position})`;
        return isConstants(shape.name) ? number : `${number} as ${pascalCase(shape.name)}`;
      }
      default: return `${this.codec(shape)}.read(buffer, ${position})`;
    }
  }

  #write(shape: Shape, value: string, position: string): string {
    switch (shape.kind) {
      case 'integer': return `buffer.${READ[shape.name].replace('read', 'write')}(${value}, ${position})`;
      case 'enum': return `buffer.${shape.size === 1 ? 'writeUInt8' : 'writeUInt32LE'}(${value}, ${position})`;
      default: return `${this.codec(shape)}.write(${value}, buffer, ${position})`;
    }
  }

  #type(name: string): string {
    this.#helpers.add(`type ${name}`);
    return name;
  }

  maps(part: string, maps: Iterable<MapLayout>): void {
    this.line();
    this.line(`export const ${part}Maps = {`);
    for (const map of maps) {
      if (map.key === null || map.value === null) {
        const ring = `{ name: '${map.name}', type: 'ringbuf', maxEntries: ${map.maxEntries} }`;
        this.line(`  ${map.name}: ${ring} satisfies ${this.#type('RingSpec')},`);
        continue;
      }
      const codecs = `${this.codec(map.key)}, ${this.codec(map.value)}`;
      const size = `{ maxEntries: ${map.maxEntries}, flags: ${map.flags} }`;
      this.line(`  ${map.name}: ${this.#helper('mapSpec')}('${map.name}', '${map.type}', ${codecs}, ${size}),`);
    }
    this.line('} as const;');
  }

  knobs(part: string, knobs: Iterable<KnobLayout>): void {
    const all = [...knobs];
    if (all.length === 0) return;
    this.line();
    this.line('/** Variables set between open and load. */');
    this.line(`export const ${part}Knobs = {`);
    for (const knob of all) this.line(`  ${knob.name}: ${this.codec(knob.shape)},`);
    this.line('} as const;');
  }

  fingerprint(part: string, layout: ContractLayout): void {
    this.line();
    this.line('/** What an object must say of itself to be loaded; see src/btf/verify.ts. */');
    this.line(`export const ${part}Fingerprint: Fingerprint = {`);
    for (const [group, entries] of Object.entries<Fingerprint['structs']>({ ...fingerprintOf(layout) })) {
      this.line(`  ${group}: {`);
      for (const [name, fact] of Object.entries(entries)) this.#fact(name, fact);
      this.line('  },');
    }
    this.line('};');
  }

  /** One line, or one per value where that is too long. */
  #fact(name: string, fact: Fingerprint['structs'][string]): void {
    const values = Object.entries(fact).map(([key, value]) => `${key}: ${typeof value === 'string' ? `'${value}'` : value}`);
    const line = `    '${name}': { ${values.join(', ')} },`;
    if (line.length <= LINE_LENGTH) {
      this.line(line);
      return;
    }
    this.line(`    '${name}': {`);
    for (const value of values) this.line(`      ${value},`);
    this.line('    },');
  }

  /** The whole file; imports come out sorted. */
  toString(): string {
    const byName = (a: string, b: string) => (a.replace('type ', '') < b.replace('type ', '') ? -1 : 1);
    const imports = `import { ${[...this.#helpers].sort(byName).join(', ')} } from '../../src/btf/codec.js';
import type { Fingerprint } from '../../src/btf/verify.js';
`;
    return `${HEAD}${imports}${this.#lines.join('\n')}\n`;
  }
}

function at(offset: number): string {
  return offset === 0 ? 'offset' : `offset + ${offset}`;
}

/** u64x64, counterx18, u32x36x256, bytes6 */
function arrayName(shape: Shape): string {
  let counts = '';
  let inner: Shape = shape;
  for (; inner.kind === 'array'; inner = inner.element) counts += `x${inner.count}`;
  if (inner.kind === 'integer') return inner.name === '__u8' ? `bytes${counts.slice(1)}` : `${INTEGERS[inner.name].codec}${counts}`;
  return `${inner.kind === 'program' ? 'program' : camelCase(inner.name)}${counts}`;
}

function valueType(shape: Shape): string {
  switch (shape.kind) {
    case 'integer': return shape.size === 8 ? 'bigint' : 'number';
    case 'program': return 'number';
    case 'enum': return isConstants(shape.name) ? 'number' : pascalCase(shape.name);
    case 'struct': return pascalCase(shape.name);
    case 'array': {
      if (shape.element.kind === 'integer' && shape.element.name === '__u8') return 'Uint8Array';
      const element = valueType(shape.element);
      return `readonly ${element.startsWith('readonly ') ? `(${element})` : element}[]`;
    }
  }
}

/** Both parts' entries; what is in both must be the same. */
function union<T>(parts: readonly ContractPart[], pick: (layout: ContractLayout) => ReadonlyMap<string, T>): Map<string, T> {
  const all = new Map<string, T>();
  for (const part of parts) {
    for (const [name, entry] of pick(part.layout)) {
      const known = all.get(name);
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(entry)) {
        throw new Error(`${name} differs between the objects; were they compiled from the same headers?`);
      }
      all.set(name, entry);
    }
  }
  return all;
}

/** TypeScript source of the contract made of all parts. @throws Error when two parts disagree on a type. */
export function emitContract(parts: readonly ContractPart[]): string {
  const emitter = new Emitter();
  for (const layout of union(parts, (part) => part.enums).values()) emitter.enum(layout);
  for (const layout of union(parts, (part) => part.structs).values()) emitter.struct(layout);
  for (const { name, layout } of parts) {
    emitter.maps(name, layout.maps.values());
    emitter.knobs(name, layout.knobs.values());
    emitter.fingerprint(name, layout);
  }
  return emitter.toString();
}
