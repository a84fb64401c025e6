/**
 * The byte stream of the TCP connection: word n is n and a mix of n, eight bytes. A byte that is lost, doubled, moved or
 * changed makes a word that is not the next one.
 */

const WORD = 8;

function mix(n: number): number {
  let hash = Math.imul((n >>> 0) ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Makes the stream. */
export class CounterWriter {
  #next = 0;

  /** The next `words` words, in a new buffer. */
  take(words: number): Buffer {
    const bytes = Buffer.allocUnsafe(words * WORD);
    for (let i = 0; i < words; i++, this.#next++) {
      bytes.writeUInt32LE(this.#next >>> 0, i * WORD);
      bytes.writeUInt32LE(mix(this.#next), i * WORD + 4);
    }
    return bytes;
  }
}

/** Checks the stream, however it is cut. */
export class CounterReader {
  #next = 0;
  #wrongWords = 0;
  #bytes = 0;
  readonly #partial = Buffer.alloc(WORD);
  #partialLength = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get wrongWords(): number {
    return this.#wrongWords;
  }

  read(data: Buffer): void {
    this.#bytes += data.length;
    let offset = 0;
    if (this.#partialLength > 0) {
      const copied = data.copy(this.#partial, this.#partialLength, 0, WORD - this.#partialLength);
      this.#partialLength += copied;
      offset = copied;
      if (this.#partialLength < WORD) return;
      this.#check(this.#partial, 0);
      this.#partialLength = 0;
    }
    for (; offset + WORD <= data.length; offset += WORD) this.#check(data, offset);
    this.#partialLength = data.copy(this.#partial, 0, offset);
  }

  #check(bytes: Buffer, offset: number): void {
    if (bytes.readUInt32LE(offset) !== this.#next >>> 0 || bytes.readUInt32LE(offset + 4) !== mix(this.#next)) this.#wrongWords++;
    this.#next++;
  }
}
