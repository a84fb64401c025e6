/** How a C function is described to the ffi engine, and the TypeScript types that follow from it. */

/** A user-space address: below 2^47, so a number holds it. 0 is NULL. */
export type Address = number;

export type ArgumentKind = 'i32' | 'u32' | 'u64' | 'ptr' | 'str';

/**
 * What a function returns:
 *   i32, u32, u64  the value as it is (libbpf: a negative errno on failure)
 *   sys            an int or long of libc, where -1 means "see errno": becomes the negative errno
 *   ptr            an address; on NULL the engine's `errno` tells why
 *   cstr           a C string, copied; null for NULL
 */
export type ReturnKind = 'i32' | 'u32' | 'u64' | 'sys' | 'ptr' | 'cstr' | 'void';

export type Signature = readonly [returns: ReturnKind, takes: readonly ArgumentKind[]];
export type SignatureTable = Readonly<Record<string, Signature>>;

type ArgumentOf<K extends ArgumentKind> =
  K extends 'ptr' ? Buffer | Address | null :
  K extends 'str' ? string :
  K extends 'u64' ? number | bigint :
  number;

type ArgumentsOf<A extends readonly ArgumentKind[]> = { -readonly [I in keyof A]: ArgumentOf<A[I] & ArgumentKind> };

type ReturnOf<K extends ReturnKind> = K extends 'void' ? undefined : K extends 'cstr' ? string | null : number;

export interface NativeFunction<S extends Signature> {
  (...args: ArgumentsOf<S[1]>): ReturnOf<S[0]>;
  /**
   * The same on a thread of libuv's pool. Only for functions that return their errno: errno belongs to a thread, and it
   * is lost with this one. Buffers are held until the call is over; the caller must not touch them meanwhile.
   */
  async: S[0] extends 'i32' | 'void' ? (...args: ArgumentsOf<S[1]>) => Promise<ReturnOf<S[0]>> : never;
}

export type Bound<T extends SignatureTable> = { readonly [K in keyof T]: NativeFunction<T[K]> };

export interface FfiEngine {
  /** Binds every function of the table. @throws when the library or one of the functions is missing. */
  open<const T extends SignatureTable>(soname: string, table: T): Bound<T>;
  /** Where a buffer's bytes are. The caller keeps the buffer alive as long as native code uses the address. */
  addressOf(buffer: Buffer): Address;
  /** Memory that native code owns, without a copy. Only for mappings: the memory must outlive the buffer. */
  view(address: Address, length: number): Buffer;
  /**
   * A C function `int f(int, pointer, pointer)` that calls `target`. It lives as long as the thread: C code may keep its address,
   * and calling a collected one would end the process.
   */
  callback(target: (first: number, second: Address, third: Address) => number): Address;
  /** errno as it was right after the last function with return kind `ptr`. */
  readonly errno: number;
}
