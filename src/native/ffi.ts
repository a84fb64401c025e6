/**
 * The ffi engine: calls C functions through ffi-napi's low-level bindings.
 *
 * ffi-napi's ordinary API costs 24-70 us a call and lets memory grow, because it makes new buffers for every call and
 * registers a finalizer for each. Here every function has one *frame*, made once: the return value, the arguments and the
 * pointers to them in one buffer. A call writes its numbers there and jumps. Addresses are plain numbers.
 */
import { createRequire } from 'node:module';
import type { Address, ArgumentKind, Bound, FfiEngine, ReturnKind, Signature, SignatureTable } from './ffi_types.js';

/** The parts of ffi-napi and ref-napi that are used. The first two are internal, so the versions are pinned exactly. */
interface LowLevelBindings {
  ffi_call(cif: Buffer, fn: Buffer, result: Buffer, argumentPointers: Buffer): void;
  ffi_call_async(cif: Buffer, fn: Buffer, result: Buffer, argumentPointers: Buffer, done: (error: unknown) => void): void;
}
type MakeCif = (returns: unknown, takes: readonly unknown[]) => Buffer;
interface FfiNapi {
  DynamicLibrary: {
    new (soname: string, flags: number): { get(symbol: string): Buffer };
    FLAGS: { RTLD_NOW: number };
  };
}
interface RefNapi {
  address(buffer: Buffer): number;
  readPointer(holder: Buffer, offset: number, length: number): Buffer;
  types: { int32: unknown; uint32: unknown; uint64: unknown; int64: unknown; void: unknown };
}

const wordBytes = 8;
const twoTo32 = 0x1_0000_0000;

/** Everything one call needs: [result word][argument words] in `words`, and the array of pointers to the arguments. */
interface Frame {
  readonly cif: Buffer;
  readonly fn: Buffer;
  readonly result: Buffer;
  readonly pointers: Buffer;
  readonly words: DataView;
  /** Buffers whose addresses are in the frame: kept from the garbage collector while C uses them. */
  readonly held: unknown[];
}

export function createFfiEngine(): FfiEngine {
  const require = createRequire(import.meta.url);
  const ffi = require('ffi-napi') as FfiNapi;
  const ref = require('@2060.io/ref-napi') as RefNapi;
  const lowLevel = require('ffi-napi/lib/bindings') as LowLevelBindings;
  const makeCif = require('ffi-napi/lib/cif') as MakeCif;

  const { int32, uint32, uint64, int64 } = ref.types;
  // `sys` is declared as long: an int that libc returns arrives in the same register and is read as 32 bits when it is one.
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
    const holder = Buffer.alloc(wordBytes);
    holder.writeBigUInt64LE(BigInt(address));
    return ref.readPointer(holder, 0, length);
  };

  const makeFrame = (fn: Buffer, cif: Buffer, argumentCount: number): Frame => {
    const memory = Buffer.alloc(wordBytes * (1 + argumentCount));
    const pointers = Buffer.alloc(wordBytes * Math.max(1, argumentCount));
    const first = addressOf(memory) + wordBytes;
    for (let i = 0; i < argumentCount; i++) pointers.writeBigUInt64LE(BigInt(first + i * wordBytes), i * wordBytes);
    return {
      cif, fn, pointers,
      result: memory.subarray(0, wordBytes),
      words: new DataView(memory.buffer, memory.byteOffset, memory.length),
      held: new Array<unknown>(argumentCount).fill(null),
    };
  };

  const writeWord = (words: DataView, offset: number, value: number): void => {
    words.setUint32(offset, value >>> 0, true);
    words.setUint32(offset + 4, (value / twoTo32) >>> 0, true);
  };
  const readWord = (words: DataView): number => words.getUint32(0, true) + words.getUint32(4, true) * twoTo32;

  const writeArguments = (frame: Frame, kinds: readonly ArgumentKind[], args: readonly unknown[]): void => {
    if (args.length !== kinds.length) throw new TypeError(`expected ${kinds.length} arguments, got ${args.length}`);
    const { words, held } = frame;
    for (let i = 0; i < kinds.length; i++) {
      const offset = wordBytes * (1 + i);
      const value = args[i];
      switch (kinds[i]) {
        case 'i32': words.setInt32(offset, value as number, true); break;
        case 'u32': words.setUint32(offset, value as number, true); break;
        case 'u64':
          if (typeof value === 'bigint') words.setBigUint64(offset, value, true);
          else writeWord(words, offset, value as number);
          break;
        case 'str': {
          const text = Buffer.from(`${value as string}\0`);
          held[i] = text;
          writeWord(words, offset, addressOf(text));
          break;
        }
        default:
          if (typeof value === 'number') {
            writeWord(words, offset, value);
          } else if (value === null) {
            writeWord(words, offset, 0);
          } else {
            held[i] = value;
            writeWord(words, offset, addressOf(value as Buffer));
          }
      }
    }
  };

  const release = (frame: Frame): void => {
    for (let i = 0; i < frame.held.length; i++) frame.held[i] = null;
  };

  // errno lives at one address per thread, and JavaScript stays on its thread: reading it is a memory read, with no call
  // in between that could change it.
  let errnoCell: DataView | null = null;
  const readErrno = (): number => (errnoCell === null ? 0 : errnoCell.getInt32(0, true));
  let lastErrno = 0;

  let copyString: (address: Address) => string | null = () => null;

  const readResult = (words: DataView, kind: ReturnKind): unknown => {
    switch (kind) {
      case 'void': return undefined;
      case 'i32': return words.getInt32(0, true);
      case 'u32': return words.getUint32(0, true);
      case 'cstr': return copyString(readWord(words));
      case 'sys': {
        // An int of -1 leaves the upper half of the word undefined, a long of -1 fills it: the lower half decides for both,
        // because no result of ours is as large as 2^32 - 1.
        const low = words.getInt32(0, true);
        return low === -1 ? -readErrno() : low;
      }
      default: return readWord(words);
    }
  };

  const bind = (fn: Buffer, [returns, takes]: Signature): unknown => {
    const cif = makeCif(cTypes[returns], takes.map((kind) => cTypes[kind]));
    const frame = makeFrame(fn, cif, takes.length);
    const { result, pointers, words } = frame;
    const call = (...args: unknown[]): unknown => {
      writeArguments(frame, takes, args);
      lowLevel.ffi_call(cif, fn, result, pointers);
      if (returns === 'ptr') lastErrno = readErrno();
      const value = readResult(words, returns);
      release(frame);
      return value;
    };

    // Calls on other threads overlap, so each has a frame of its own; finished ones are used again.
    const idle: Frame[] = [];
    const callAsync = (...args: unknown[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const own = idle.pop() ?? makeFrame(fn, cif, takes.length);
        writeArguments(own, takes, args);
        lowLevel.ffi_call_async(cif, fn, own.result, own.pointers, (error) => {
          const value = readResult(own.words, returns);
          release(own);
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

  return { open, addressOf, view, get errno() { return lastErrno; } };
}

let shared: FfiEngine | null = null;

/** The engine of this thread, made on first use: importing this folder loads no addon. */
export function ffi(): FfiEngine {
  shared ??= createFfiEngine();
  return shared;
}
