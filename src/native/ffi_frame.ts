/** The memory of one call: a word for the result, one for each argument, and the pointers to those that libffi wants. */
import type { Address, ArgumentKind, ReturnKind } from './ffi_types.js';

const wordBytes = 8;
const twoTo32 = 0x1_0000_0000;

export class Frame {
  readonly result: Buffer;
  readonly pointers: Buffer;
  readonly #words: DataView;
  readonly #kinds: readonly ArgumentKind[];
  readonly #addressOf: (buffer: Buffer) => Address;
  /** Buffers whose addresses are in the frame: kept from the garbage collector while C uses them. */
  readonly #held: unknown[];

  constructor(kinds: readonly ArgumentKind[], addressOf: (buffer: Buffer) => Address) {
    const memory = Buffer.alloc(wordBytes * (1 + kinds.length));
    const first = addressOf(memory) + wordBytes;
    this.result = memory.subarray(0, wordBytes);
    this.pointers = Buffer.alloc(wordBytes * Math.max(1, kinds.length));
    for (let i = 0; i < kinds.length; i++) this.pointers.writeBigUInt64LE(BigInt(first + i * wordBytes), i * wordBytes);
    this.#words = new DataView(memory.buffer, memory.byteOffset, memory.length);
    this.#kinds = kinds;
    this.#addressOf = addressOf;
    this.#held = new Array<unknown>(kinds.length).fill(null);
  }

  writeArguments(args: readonly unknown[]): void {
    const kinds = this.#kinds;
    if (args.length !== kinds.length) throw new TypeError(`expected ${kinds.length} arguments, got ${args.length}`);
    for (let i = 0; i < kinds.length; i++) this.#writeArgument(i, kinds[i], args[i]);
  }

  #writeArgument(index: number, kind: ArgumentKind | undefined, value: unknown): void {
    const offset = wordBytes * (1 + index);
    switch (kind) {
      case 'i32': this.#words.setInt32(offset, value as number, true); break;
      case 'u32': this.#words.setUint32(offset, value as number, true); break;
      case 'u64':
        if (typeof value === 'bigint') this.#words.setBigUint64(offset, value, true);
        else this.#writeWord(offset, value as number);
        break;
      case 'str': this.#writeBuffer(index, offset, Buffer.from(`${value as string}\0`)); break;
      default:
        if (typeof value === 'number') this.#writeWord(offset, value);
        else if (value === null) this.#writeWord(offset, 0);
        else this.#writeBuffer(index, offset, value as Buffer);
    }
  }

  #writeBuffer(index: number, offset: number, buffer: Buffer): void {
    this.#held[index] = buffer;
    this.#writeWord(offset, this.#addressOf(buffer));
  }

  /** Two halves of a number: a BigInt here would cost as much as the call. */
  #writeWord(offset: number, value: number): void {
    this.#words.setUint32(offset, value >>> 0, true);
    this.#words.setUint32(offset + 4, (value / twoTo32) >>> 0, true);
  }

  /** The result of every kind but `cstr`, whose address it returns. `errno` is asked for only when the call left one. */
  readResult(kind: ReturnKind, errno: () => number): number | undefined {
    const low = this.#words.getInt32(0, true);
    switch (kind) {
      case 'void': return undefined;
      case 'i32': return low;
      case 'u32': return low >>> 0;
      // An int of -1 leaves the upper half of the word undefined, a long of -1 fills it: the lower half decides for both, because
      // no result of ours is as large as 2^32 - 1.
      case 'sys': return low === -1 ? -errno() : low;
      default: return (low >>> 0) + this.#words.getUint32(4, true) * twoTo32;
    }
  }

  /** Lets go of the argument buffers. */
  release(): void {
    this.#held.fill(null);
  }
}
