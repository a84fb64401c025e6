/** Writes a frame from its first byte to its last, lying where it is told to. Lengths are filled in when the inside is known. */
import { LARGEST_FRAME } from './limits.js';

export class FrameWriter {
  readonly bytes = Buffer.alloc(LARGEST_FRAME + 512);
  length = 0;

  start(): void {
    this.length = 0;
  }

  u8(value: number): this {
    this.bytes[this.length++] = value & 0xff;
    return this;
  }

  u16(value: number): this {
    return this.u8(value >> 8).u8(value);
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value);
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  fill(count: number, value: number): this {
    this.bytes.fill(value, this.length, this.length + count);
    this.length += count;
    return this;
  }

  patch16(at: number, value: number): void {
    this.bytes[at] = (value >> 8) & 0xff;
    this.bytes[at + 1] = value & 0xff;
  }

  /** A copy. */
  take(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.bytes, 0, Math.min(this.length, LARGEST_FRAME));
  }
}
