/**
 * The ffi engine: calls C functions through ffi-napi's low-level bindings.
 *
 * ffi-napi's ordinary API costs 24-70 us a call and lets memory grow, because it makes new buffers for every call and
 * registers a finalizer for each. Here every function has one frame, made once: a call writes its numbers there and jumps.
 * Addresses are plain numbers.
 */
import { loadFfiBindings } from './ffi_bindings.js';
import { Frame } from './ffi_frame.js';
import type { Address, ArgumentKind, Bound, FfiEngine, ReturnKind, Signature, SignatureTable } from './ffi_types.js';

export function createFfiEngine(): FfiEngine {
  const { ffi, ref, lowLevel, makeCif } = loadFfiBindings();
  const { int32, uint32, uint64, int64 } = ref.types;
  const cTypes: Record<ReturnKind | ArgumentKind, unknown> = {
    i32: int32, u32: uint32, u64: uint64, sys: int64, ptr: uint64, str: uint64, cstr: uint64, void: ref.types.void,
  };

  // ref-napi registers a finalizer per ArrayBuffer whose address is asked for: ask once for each. Reading `.buffer` also moves
  // a small buffer off V8's heap, so that its address is fixed from then on.
  const bases = new WeakMap<ArrayBufferLike, Address>();
  const addressOf = (buffer: Buffer): Address => {
    if (buffer.length === 0) return 0;
    const memory = buffer.buffer;
    let base = bases.get(memory);
    if (base === undefined) {
      base = ref.address(buffer) - buffer.byteOffset;
      bases.set(memory, base);
    }
    return base + buffer.byteOffset;
  };

  const view = (address: Address, length: number): Buffer => {
    const holder = Buffer.alloc(8);
    holder.writeBigUInt64LE(BigInt(address));
    return ref.readPointer(holder, 0, length);
  };

  // errno lives at one address per thread, and JavaScript stays on its thread: reading it is a memory read, with no call
  // in between that could change it.
  let errnoCell: DataView | null = null;
  const readErrno = (): number => (errnoCell === null ? 0 : errnoCell.getInt32(0, true));
  let lastErrno = 0;

  let copyString: (address: Address) => string | null = () => null;
  const finish = (frame: Frame, kind: ReturnKind): unknown => {
    const value = frame.readResult(kind, readErrno);
    frame.release();
    return kind === 'cstr' ? copyString(value ?? 0) : value;
  };

  const bind = (fn: Buffer, [returns, takes]: Signature): unknown => {
    const cif = makeCif(cTypes[returns], takes.map((kind) => cTypes[kind]));
    const frame = new Frame(takes, addressOf);
    const { result, pointers } = frame;
    const call = (...args: unknown[]): unknown => {
      frame.writeArguments(args);
      lowLevel.ffi_call(cif, fn, result, pointers);
      if (returns === 'ptr') lastErrno = readErrno();
      return finish(frame, returns);
    };

    // Calls on other threads overlap, so each has a frame of its own; finished ones are used again.
    const idle: Frame[] = [];
    const callAsync = (...args: unknown[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const own = idle.pop() ?? new Frame(takes, addressOf);
        own.writeArguments(args);
        lowLevel.ffi_call_async(cif, fn, own.result, own.pointers, (error) => {
          const value = finish(own, returns);
          idle.push(own);
          if (error) reject(new Error(String(error)));
          else resolve(value);
        });
      });
    return Object.assign(call, { async: callAsync });
  };

  const open = <const T extends SignatureTable>(soname: string, table: T): Bound<T> => {
    const library = new ffi.DynamicLibrary(soname, ffi.DynamicLibrary.FLAGS.RTLD_NOW);
    const bound: Record<string, unknown> = {};
    for (const [name, signature] of Object.entries(table)) bound[name] = bind(library.get(name), signature);
    return bound as Bound<T>;
  };

  const callbacks = new Set<Buffer>();
  const callback = (target: (first: number, second: Address, third: Address) => number): Address => {
    const closure = ffi.Callback(int32, [int32, uint64, uint64], target);
    callbacks.add(closure);
    return ref.address(closure);
  };

  const base = open('libc.so.6', {
    __errno_location: ['ptr', []],
    strlen: ['u64', ['ptr']],
    memcpy: ['ptr', ['ptr', 'ptr', 'u64']],
  });
  const cell = view(base.__errno_location(), 4);
  errnoCell = new DataView(cell.buffer, cell.byteOffset, 4);
  copyString = (address) => {
    if (address === 0) return null;
    const bytes = Buffer.alloc(base.strlen(address));
    if (bytes.length > 0) base.memcpy(bytes, address, bytes.length);
    return bytes.toString('utf8');
  };

  return { open, addressOf, view, callback, get errno() { return lastErrno; } };
}

let shared: FfiEngine | null = null;

/** The engine of this thread, made on first use: importing this folder loads no addon. */
export function ffi(): FfiEngine {
  shared ??= createFfiEngine();
  return shared;
}
