/** Finds one section of a BPF object file (ELF64, little-endian). */

const HEADER_SIZE = 64;
const SECTION_HEADER_SIZE = 64;
const CLASS_64 = 2;
const DATA_LITTLE_ENDIAN = 1;
const MACHINE_BPF = 247;
const SECTION_WITHOUT_BYTES = 8;

interface Section {
  readonly nameOffset: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

function readSection(elf: Buffer, at: number): Section {
  if (at + SECTION_HEADER_SIZE > elf.length) throw new RangeError('the ELF file ends inside its section headers');
  return {
    nameOffset: elf.readUInt32LE(at),
    type: elf.readUInt32LE(at + 4),
    offset: Number(elf.readBigUInt64LE(at + 24)),
    size: Number(elf.readBigUInt64LE(at + 32)),
  };
}

function bytesOf(elf: Buffer, section: Section): Buffer {
  if (section.type === SECTION_WITHOUT_BYTES) return Buffer.alloc(0);
  if (section.offset + section.size > elf.length) throw new RangeError('the ELF file ends inside a section');
  return elf.subarray(section.offset, section.offset + section.size);
}

function nameAt(names: Buffer, offset: number): string {
  const end = names.indexOf(0, offset);
  return names.toString('latin1', offset, end < 0 ? names.length : end);
}

/**
 * The bytes of section `name` (a view, not a copy), or null when the file has no such section.
 * @throws RangeError when `elf` is not a little-endian BPF object file or is cut short.
 */
export function findElfSection(elf: Buffer, name: string): Buffer | null {
  if (elf.length < HEADER_SIZE || elf.readUInt32BE(0) !== 0x7f454c46) throw new RangeError('not an ELF file');
  if (elf[4] !== CLASS_64 || elf[5] !== DATA_LITTLE_ENDIAN || elf.readUInt16LE(18) !== MACHINE_BPF) {
    throw new RangeError('not a BPF object file for a little-endian 64-bit machine');
  }
  const tableOffset = Number(elf.readBigUInt64LE(40));
  const count = elf.readUInt16LE(60);
  const sections = Array.from({ length: count }, (_, i) => readSection(elf, tableOffset + i * SECTION_HEADER_SIZE));
  const nameSection = sections[elf.readUInt16LE(62)];
  if (nameSection === undefined) throw new RangeError('the ELF file has no section names');
  const names = bytesOf(elf, nameSection);
  const found = sections.find((section) => nameAt(names, section.nameOffset) === name);
  return found === undefined ? null : bytesOf(elf, found);
}
