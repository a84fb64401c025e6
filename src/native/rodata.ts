/**
 * Where each `const volatile` variable of an opened object lies in its `.rodata` section. Only what that needs of BTF is read
 * here; src/btf has the whole parser.
 */

export interface Variable {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** include/uapi/linux/btf.h: struct btf_header and the kinds that are followed by more bytes. */
const headerOffsets = { hdr_len: 4, type_off: 8, type_len: 12, str_off: 16 } as const;
const typeBytes = 12;
const DATASEC = 15;
const sectionEntryBytes = 12;

/** Bytes that follow the 12 of a type, by kind; times vlen where the second number is 1. */
const trailing: Readonly<Record<number, readonly [bytes: number, perMember: 0 | 1]>> = {
  1: [4, 0], // INT
  3: [12, 0], // ARRAY
  4: [12, 1], // STRUCT
  5: [12, 1], // UNION
  6: [8, 1], // ENUM
  13: [8, 1], // FUNC_PROTO
  14: [4, 0], // VAR
  15: [sectionEntryBytes, 1], // DATASEC
  17: [4, 0], // DECL_TAG
  19: [12, 1], // ENUM64
};

interface Type {
  readonly nameOffset: number;
  readonly kind: number;
  readonly members: number;
  /** Of the trailing bytes. */
  readonly body: number;
}

/**
 * @param btf `btf__raw_data` of the opened object: in the file itself the section has no offsets yet
 * @returns null when the object has no such section
 */
export function sectionVariables(btf: Buffer, section: string): Variable[] | null {
  const headerLength = btf.readUInt32LE(headerOffsets.hdr_len);
  const strings = headerLength + btf.readUInt32LE(headerOffsets.str_off);
  const nameAt = (offset: number): string => btf.toString('utf8', strings + offset, btf.indexOf(0, strings + offset));

  const types = readTypes(btf, headerLength + btf.readUInt32LE(headerOffsets.type_off), btf.readUInt32LE(headerOffsets.type_len));
  const found = types.find((type) => type.kind === DATASEC && nameAt(type.nameOffset) === section);
  if (found === undefined) return null;
  return Array.from({ length: found.members }, (_, i) => {
    const entry = found.body + i * sectionEntryBytes;
    // Type ids begin at 1; id 0 is void.
    const variable = types[btf.readUInt32LE(entry) - 1];
    return {
      name: variable === undefined ? '' : nameAt(variable.nameOffset),
      offset: btf.readUInt32LE(entry + 4),
      size: btf.readUInt32LE(entry + 8),
    };
  });
}

function readTypes(btf: Buffer, start: number, length: number): Type[] {
  const types: Type[] = [];
  let at = start;
  while (at < start + length) {
    const info = btf.readUInt32LE(at + 4);
    const kind = (info >>> 24) & 0x1f;
    const members = info & 0xffff;
    const [bytes, perMember] = trailing[kind] ?? [0, 0];
    types.push({ nameOffset: btf.readUInt32LE(at), kind, members, body: at + typeBytes });
    at += typeBytes + bytes * (perMember === 1 ? members : 1);
  }
  return types;
}

/**
 * Puts the values of named variables into a copy of the section.
 * @throws RangeError for a variable that is not there, or of another size; the message lists those that are
 */
export function patchVariables(section: Buffer, variables: readonly Variable[], values: Readonly<Record<string, Buffer>>): Buffer {
  const patched = Buffer.from(section);
  for (const [name, value] of Object.entries(values)) {
    const variable = variables.find((candidate) => candidate.name === name);
    if (variable === undefined) {
      throw new RangeError(`no variable "${name}" in .rodata; there are: ${variables.map((known) => known.name).join(', ')}`);
    }
    if (value.length !== variable.size) throw new RangeError(`variable "${name}" has ${variable.size} bytes, not ${value.length}`);
    value.copy(patched, variable.offset);
  }
  return patched;
}
