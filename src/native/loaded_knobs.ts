/**
 * What the `const volatile` variables of a program in the kernel were set to, whoever loaded it: from its `.rodata` map and that map's
 * BTF.
 */
import { parseBtf } from '../btf/parse.js';
import { Descriptor } from './descriptor.js';
import { check } from './errors.js';
import { ffi } from './ffi.js';
import { libbpf } from './libbpf.js';
import type { BpfProgram } from './program.js';
import { RawMap } from './raw_map.js';
import { btfInfo, mapInfo, programInfo } from './structs.js';

const SECTION = '.rodata';
/** More maps than any program of ours has. */
const MOST_MAPS = 256;

function fill(fd: number, info: Buffer, what: string): void {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(info.length);
  check('bpf_obj_get_info_by_fd', libbpf().bpf_obj_get_info_by_fd(fd, info, size), what);
}

function mapIds(program: BpfProgram): number[] {
  const ids = Buffer.alloc(MOST_MAPS * 4);
  const info = Buffer.alloc(programInfo.size);
  info.writeUInt32LE(MOST_MAPS, programInfo.at.nr_map_ids);
  info.writeBigUInt64LE(BigInt(ffi().addressOf(ids)), programInfo.at.map_ids);
  fill(program.fd, info, `program ${program.name}`);
  return Array.from({ length: Math.min(MOST_MAPS, info.readUInt32LE(programInfo.at.nr_map_ids)) }, (_, i) => ids.readUInt32LE(i * 4));
}

function btfOf(map: RawMap): Buffer {
  const mapFacts = Buffer.alloc(mapInfo.size);
  fill(map.fd, mapFacts, map.name);
  const what = `BTF of map ${map.name}`;
  const descriptor = new Descriptor(
    check('bpf_btf_get_fd_by_id', libbpf().bpf_btf_get_fd_by_id(mapFacts.readUInt32LE(mapInfo.at.btf_id)), what),
    what,
  );
  try {
    const sizes = Buffer.alloc(btfInfo.size);
    fill(descriptor.fd, sizes, what);
    const bytes = Buffer.alloc(sizes.readUInt32LE(btfInfo.at.btf_size));
    const info = Buffer.alloc(btfInfo.size);
    info.writeBigUInt64LE(BigInt(ffi().addressOf(bytes)), btfInfo.at.btf);
    info.writeUInt32LE(bytes.length, btfInfo.at.btf_size);
    fill(descriptor.fd, info, what);
    return bytes;
  } finally {
    descriptor.close();
  }
}

/** By name of the variable; empty for a program without any. @throws NativeError EPERM without CAP_SYS_ADMIN */
export function loadedKnobs(program: BpfProgram): ReadonlyMap<string, Buffer> {
  for (const id of mapIds(program)) {
    const map = new RawMap(new Descriptor(check('bpf_map_get_fd_by_id', libbpf().bpf_map_get_fd_by_id(id), `map ${id}`), `map ${id}`));
    try {
      // The kernel's name of it is the object's, cut, with the section's: "unipath.rodata".
      if (!map.name.endsWith(SECTION)) continue;
      const values = map.get(Buffer.alloc(map.keySize)) ?? Buffer.alloc(map.valueSize);
      const variables = parseBtf(btfOf(map)).variables(SECTION);
      return new Map(variables.map(({ name, offset, size }) => [name, Buffer.from(values.subarray(offset, offset + size))]));
    } finally {
      map.close();
    }
  }
  return new Map();
}
