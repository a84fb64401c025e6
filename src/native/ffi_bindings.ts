/** The parts of ffi-napi and ref-napi that are used. `bindings` and `cif` are internal to ffi-napi, so its version is pinned exactly. */
import { createRequire } from 'node:module';

export interface LowLevelBindings {
  ffi_call(cif: Buffer, fn: Buffer, result: Buffer, argumentPointers: Buffer): void;
  ffi_call_async(cif: Buffer, fn: Buffer, result: Buffer, argumentPointers: Buffer, done: (error: unknown) => void): void;
}

export interface FfiNapi {
  Callback(returns: unknown, takes: readonly unknown[], target: (...args: never[]) => number): Buffer;
  DynamicLibrary: {
    new (soname: string, flags: number): { get(symbol: string): Buffer };
    FLAGS: { RTLD_NOW: number };
  };
}

export interface RefNapi {
  address(buffer: Buffer): number;
  readPointer(holder: Buffer, offset: number, length: number): Buffer;
  types: Readonly<Record<'int32' | 'uint32' | 'int64' | 'uint64' | 'void', unknown>>;
}

/** Describes a C function to libffi. */
export type MakeCif = (returns: unknown, takes: readonly unknown[]) => Buffer;

export interface FfiBindings {
  readonly ffi: FfiNapi;
  readonly ref: RefNapi;
  readonly lowLevel: LowLevelBindings;
  readonly makeCif: MakeCif;
}

/** @throws Error with the remedy when the addons were not built */
export function loadFfiBindings(): FfiBindings {
  const require = createRequire(import.meta.url);
  try {
    return {
      ffi: require('ffi-napi') as FfiNapi,
      ref: require('@2060.io/ref-napi') as RefNapi,
      lowLevel: require('ffi-napi/lib/bindings') as LowLevelBindings,
      makeCif: require('ffi-napi/lib/cif') as MakeCif,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Error(`ffi-napi cannot be loaded (${reason}); build it: npm rebuild ffi-napi @2060.io/ref-napi`, { cause: error });
  }
}
