/** Opens a BPF object with libbpf and configures it: sizes, pins, `.rodata`, which programs. Nothing is in the kernel yet. */
import { basename } from 'node:path';
import { parseBtf } from '../btf/parse.js';
import { E } from './errno.js';
import { check, NativeError } from './errors.js';
import { ffi } from './ffi.js';
import type { Address } from './ffi_types.js';
import { libbpf } from './libbpf.js';
import { withMessages } from './libbpf_messages.js';
import { libc } from './libc.js';
import { AttachType } from './program_types.js';
import { patchVariables } from './rodata.js';
import { objectOpenOpts } from './structs.js';

export interface OpenOptions {
  /** By map name: entries instead of those in the source. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** By variable name: the bytes of `const volatile` variables. */
  readonly rodata?: Readonly<Record<string, Buffer>>;
  /** By map name: load() takes the map pinned there, or makes and pins it. It must have the same type and sizes. */
  readonly pins?: Readonly<Record<string, string>>;
  /** By map name: descriptors of maps that load() takes as they are, as long as the object has such a map. They stay the caller's. */
  readonly maps?: Readonly<Record<string, number>>;
  /** If given, only these programs are loaded. */
  readonly programs?: readonly string[];
  /** ifindex of the device that the XDP programs are for: they can ask its driver for what it knows of a frame, and run nowhere else. Since Linux 6.3. */
  readonly boundTo?: number;
  /** Programs for cpumap or devmap entries, to be loaded as plain XDP programs: only as such can they be run on a frame. */
  readonly asPlainXdp?: readonly string[];
  /** Room for the verifier's words at first; it grows when that is not enough. */
  readonly logBytes?: number;
}

/** The object as libbpf has it, with the buffers that libbpf points into. */
export interface Opened {
  readonly address: Address;
  /** Where the verifier writes, by program. */
  readonly logs: ReadonlyMap<string, Buffer>;
  readonly logBytes: number;
  readonly held: readonly Buffer[];
}

/** @throws NativeError when it is no BPF object, RangeError for an option that names no map, variable or program */
export function openConfigured(path: string, elf: Buffer, options: OpenOptions, logBytes: number): Opened {
  const at = objectOpenOpts.at;
  const name = Buffer.from(`${basename(path).replace(/\..*$/, '')}\0`);
  const opts = Buffer.alloc(objectOpenOpts.size);
  opts.writeBigUInt64LE(BigInt(objectOpenOpts.size), at.sz);
  opts.writeBigUInt64LE(BigInt(ffi().addressOf(name)), at.object_name);
  const open = (): Address => libbpf().bpf_object__open_mem(elf, elf.length, opts);
  let address = open();
  if (address === 0) {
    const errno = ffi().errno;
    // Once more, listening to the reason.
    const again = withMessages(open);
    if (again.result === 0) throw new NativeError('bpf_object__open_mem', errno, path, again.messages.join('; ') || null);
    address = again.result;
  }
  try {
    configure(path, address, options);
    return { address, logs: setLogs(address, path, logBytes), logBytes, held: [elf, name, opts] };
  } catch (error) {
    libbpf().bpf_object__close(address);
    throw error;
  }
}

/** One log per program tells which one was refused. libbpf asks for a log only after a program has failed. */
function setLogs(object: Address, path: string, logBytes: number): Map<string, Buffer> {
  const logs = new Map<string, Buffer>();
  for (const name of listProgramNames(object)) {
    const log = Buffer.alloc(logBytes);
    check('bpf_program__set_log_buf', libbpf().bpf_program__set_log_buf(findProgram(object, name, path), log, log.length), name);
    logs.set(name, log);
  }
  return logs;
}

function configure(path: string, object: Address, options: OpenOptions): void {
  for (const [name, entries] of Object.entries(options.maxEntries ?? {})) {
    check('bpf_map__set_max_entries', libbpf().bpf_map__set_max_entries(findMap(object, name, path), entries), name);
  }
  for (const [name, pin] of Object.entries(options.pins ?? {})) {
    check('bpf_map__set_pin_path', libbpf().bpf_map__set_pin_path(findMap(object, name, path), pin), name);
  }
  const own = new Set(listMapNames(object));
  for (const [name, fd] of Object.entries(options.maps ?? {})) {
    if (own.has(name)) check('bpf_map__reuse_fd', libbpf().bpf_map__reuse_fd(findMap(object, name, path), fd), name);
  }
  if (options.rodata !== undefined) setRodata(path, object, options.rodata);
  if (options.programs !== undefined) selectPrograms(path, object, options.programs);
  if (options.boundTo !== undefined) for (const name of listProgramNames(object)) bind(findProgram(object, name, path), options.boundTo, name);
  for (const name of options.asPlainXdp ?? []) {
    const program = findProgram(object, name, path);
    check('bpf_program__set_expected_attach_type', libbpf().bpf_program__set_expected_attach_type(program, AttachType.XDP), name);
  }
}

/** linux/bpf.h */
const BPF_F_XDP_DEV_BOUND_ONLY = 1 << 6;

function bind(program: Address, ifindex: number, name: string): void {
  libbpf().bpf_program__set_ifindex(program, ifindex);
  check('bpf_program__set_flags', libbpf().bpf_program__set_flags(program, libbpf().bpf_program__flags(program) | BPF_F_XDP_DEV_BOUND_ONLY), name);
}

function setRodata(path: string, object: Address, values: Readonly<Record<string, Buffer>>): void {
  if (Object.keys(values).length === 0) return;
  // libbpf's copy, not the file's: only in it do the variables have their offsets.
  const variables = parseBtf(readBtf(object, path)).variables('.rodata');
  if (variables.length === 0) throw new RangeError(`${path} has no .rodata variables`);
  const map = findMap(object, '.rodata', path);
  const size = Buffer.alloc(8);
  const initial = libbpf().bpf_map__initial_value(map, size);
  const section = Buffer.alloc(Number(size.readBigUInt64LE()));
  libc().memcpy(section, initial, section.length);
  const patched = patchVariables(section, variables, values);
  check('bpf_map__set_initial_value', libbpf().bpf_map__set_initial_value(map, patched, patched.length), '.rodata');
}

function selectPrograms(path: string, object: Address, names: readonly string[]): void {
  for (const name of names) findProgram(object, name, path);
  for (const name of listProgramNames(object)) {
    const program = findProgram(object, name, path);
    check('bpf_program__set_autoload', libbpf().bpf_program__set_autoload(program, names.includes(name) ? 1 : 0), name);
  }
}

/** A copy of the object's BTF. */
export function readBtf(object: Address, path: string): Buffer {
  const btf = libbpf().bpf_object__btf(object);
  if (btf === 0) throw new NativeError('bpf_object__btf', E.NOENT, path, 'compiled without BTF (clang -g)');
  const size = Buffer.alloc(4);
  const data = libbpf().btf__raw_data(btf, size);
  if (data === 0) throw new NativeError('btf__raw_data', ffi().errno, path);
  const copy = Buffer.alloc(size.readUInt32LE());
  libc().memcpy(copy, data, copy.length);
  return copy;
}

/** @throws RangeError that lists the maps there are */
export function findMap(object: Address, name: string, path: string): Address {
  const map = libbpf().bpf_object__find_map_by_name(object, name);
  if (map !== 0) return map;
  throw new RangeError(`no map "${name}" in ${path}; there are: ${listMapNames(object).join(', ')}`);
}

/** @throws RangeError that lists the programs there are */
export function findProgram(object: Address, name: string, path: string): Address {
  const program = libbpf().bpf_object__find_program_by_name(object, name);
  if (program !== 0) return program;
  throw new RangeError(`no program "${name}" in ${path}; there are: ${listProgramNames(object).join(', ')}`);
}

/** Without those that libbpf made for sections such as `.rodata`. */
export function listMapNames(object: Address): string[] {
  return listNames(object, libbpf().bpf_object__next_map, libbpf().bpf_map__name).filter((name) => !name.includes('.'));
}

export function listProgramNames(object: Address): string[] {
  return listNames(object, libbpf().bpf_object__next_program, libbpf().bpf_program__name);
}

type Next = (object: Address, previous: Address) => Address;
type NameOf = (item: Address) => string | null;

function listNames(object: Address, next: Next, nameOf: NameOf): string[] {
  const names: string[] = [];
  for (let item = next(object, 0); item !== 0; item = next(object, item)) names.push(nameOf(item) ?? '');
  return names;
}

/** The C string at the beginning of a buffer. */
export function readText(log: Buffer): string {
  const end = log.indexOf(0);
  return log.toString('utf8', 0, end < 0 ? log.length : end);
}
