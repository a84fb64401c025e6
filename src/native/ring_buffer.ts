/**
 * Reads a BPF ring buffer through its mapped pages: no callback from C, which would cost 7 us an event and abort the process
 * when the collector takes the callback away.
 */
import { MAP_TYPES } from '../btf/codec.js';
import { pageSize, SharedMapping } from './memory.js';
import type { RawMap } from './raw_map.js';

/** include/uapi/linux/bpf.h: bits of a record's length word, and the header's size. */
const BUSY = 0x8000_0000;
const DISCARDED = 0x4000_0000;
const LENGTH = 0x3fff_ffff;
const headerBytes = 8;

export class RingBuffer {
  readonly #consumerPage: SharedMapping;
  readonly #producerPages: SharedMapping;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #lengths: Int32Array;
  readonly #data: Buffer;
  readonly #mask: number;
  #closed = false;

  /** Does not own the map. */
  constructor(map: RawMap) {
    if (map.type !== MAP_TYPES.ringbuf) throw new TypeError(`map ${map.name} is no ring buffer`);
    const size = map.maxEntries;
    const page = pageSize();
    this.#mask = size - 1;
    this.#consumerPage = new SharedMapping(map.fd, page, { writable: true });
    // The data is mapped twice in a row, so that a record that wraps can be read in one piece.
    this.#producerPages = new SharedMapping(map.fd, page + 2 * size, { writable: false, offset: page });
    const consumer = this.#consumerPage.view;
    const producer = this.#producerPages.view;
    this.#consumer = new BigUint64Array(consumer.buffer, consumer.byteOffset, 1);
    this.#producer = new BigUint64Array(producer.buffer, producer.byteOffset, 1);
    this.#lengths = new Int32Array(producer.buffer, producer.byteOffset + page, (2 * size) / 4);
    this.#data = producer.subarray(page);
  }

  /**
   * Hands every record that is ready to `onRecord`, in order, and gives its room back; returns their number. The buffer is a copy.
   * When `onRecord` throws, its record counts as read and the rest is kept for the next call.
   */
  consume(onRecord: (data: Buffer) => void): number {
    if (this.#closed) throw new Error('the ring buffer is closed');
    let count = 0;
    let position = Atomics.load(this.#consumer, 0);
    while (position < Atomics.load(this.#producer, 0)) {
      const offset = Number(position & BigInt(this.#mask));
      const header = Atomics.load(this.#lengths, offset >> 2) >>> 0;
      if ((header & BUSY) !== 0) break; // reserved, not yet submitted
      const length = header & LENGTH;
      const discarded = (header & DISCARDED) !== 0;
      const record = discarded ? null : Buffer.from(this.#data.subarray(offset + headerBytes, offset + headerBytes + length));
      position += BigInt((length + headerBytes + 7) & ~7);
      Atomics.store(this.#consumer, 0, position);
      if (record === null) continue;
      count++;
      onRecord(record);
      if (this.#closed) break; // by onRecord
    }
    return count;
  }

  /**
   * The same, but a record's room is given back only after `take` has returned true; at false it ends, and the record is the first of
   * the next call. What `take` is given is valid until it returns. At most `limit` records.
   */
  drain(take: (data: Buffer) => boolean, limit: number): number {
    if (this.#closed) throw new Error('the ring buffer is closed');
    let count = 0;
    let position = Atomics.load(this.#consumer, 0);
    while (count < limit && position < Atomics.load(this.#producer, 0)) {
      const offset = Number(position & BigInt(this.#mask));
      const header = Atomics.load(this.#lengths, offset >> 2) >>> 0;
      if ((header & BUSY) !== 0) break;
      const length = header & LENGTH;
      if ((header & DISCARDED) === 0) {
        if (!take(this.#data.subarray(offset + headerBytes, offset + headerBytes + length))) break;
        count++;
      }
      position += BigInt((length + headerBytes + 7) & ~7);
      Atomics.store(this.#consumer, 0, position);
    }
    return count;
  }

  /** Nothing waits, not even a record that is being written. */
  get isEmpty(): boolean {
    return Atomics.load(this.#consumer, 0) >= Atomics.load(this.#producer, 0);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#consumerPage.close();
    this.#producerPages.close();
  }
}
