/** Memory mapped from a file descriptor, made safe to keep after it was closed. */
import { NativeError } from './errors.js';
import { ffi } from './ffi.js';
import type { Address } from './ffi_types.js';
import { libc } from './libc.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
/** Every address handed out is below this; MAP_FAILED, which is -1, is not. */
const addressLimit = 2 ** 47;


/** 4096 on most machines, 65536 on some arm64 ones. */
export function pageSize(): number {
  return libc().getpagesize();
}

const unmapWhenCollected = new FinalizationRegistry<{ address: Address; length: number }>(({ address, length }) => {
  libc().munmap(address, length);
});

function map(operation: string, hint: Address, length: number, protection: number, flags: number, fd: number, offset: number): Address {
  const address = libc().mmap(hint, length, protection, flags, fd, offset);
  if (address >= addressLimit) throw new NativeError(operation, ffi().errno);
  return address;
}

/**
 * A shared mapping of `length` bytes. After close() the kernel object behind it is released, and the view, if someone
 * still has it, reads zeros: a stale Buffer must not be able to crash the process. Its address range is given back when
 * the last view is collected.
 */
export class SharedMapping {
  readonly view: Buffer;
  readonly #address: Address;
  readonly #length: number;
  #closed = false;

  constructor(fd: number, length: number, options: { readonly writable: boolean; readonly offset?: number }) {
    const protection = options.writable ? PROT_READ | PROT_WRITE : PROT_READ;
    this.#length = length;
    this.#address = map('mmap', 0, length, protection, MAP_SHARED, fd, options.offset ?? 0);
    this.view = ffi().view(this.#address, length);
    unmapWhenCollected.register(this.view.buffer, { address: this.#address, length });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    map('mmap', this.#address, this.#length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  }
}
