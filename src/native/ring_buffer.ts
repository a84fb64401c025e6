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
  /** Where `drain` goes on, while it keeps the room. */
  #ahead: bigint | null = null;
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
      const record = this.#recordAt(position);
      if (record === null) break;
      const data = record.data === null ? null : Buffer.from(record.data);
      position = record.next;
      Atomics.store(this.#consumer, 0, position);
      if (data === null) continue;
      count++;
      onRecord(data);
      if (this.#closed) break; // by onRecord
    }
    return count;
  }

  /**
   * The same, but a record's room is given back only after `take` has returned true; at false it ends, and the record is the first of
   * the next call. What `take` is given is valid until it returns. At most `limit` records.
   * @param keepRoom not given back at all before `giveBack`: so there is no more to come than the ring has room for
   */
  drain(take: (data: Buffer) => boolean, limit: number, keepRoom = false): number {
    if (this.#closed) throw new Error('the ring buffer is closed');
    let count = 0;
    let position = this.#position;
    while (count < limit && position < Atomics.load(this.#producer, 0)) {
      const record = this.#recordAt(position);
      if (record === null) break;
      if (record.data !== null) {
        if (!take(record.data)) break;
        count++;
      }
      position = record.next;
      this.#ahead = position;
      if (!keepRoom) this.giveBack();
    }
    return count;
  }

  /** The room of all that `drain` has handed out. */
  giveBack(): void {
    if (this.#ahead !== null) Atomics.store(this.#consumer, 0, this.#ahead);
    this.#ahead = null;
  }

  /** Looks at every record that is ready, in order, and leaves it there. What `see` is given is valid until it returns. */
  peek(see: (data: Buffer) => void): void {
    if (this.#closed) throw new Error('the ring buffer is closed');
    let position = this.#position;
    while (position < Atomics.load(this.#producer, 0)) {
      const record = this.#recordAt(position);
      if (record === null) break;
      if (record.data !== null) see(record.data);
      position = record.next;
    }
  }

  /** Nothing waits, not even a record that is being written. */
  get isEmpty(): boolean {
    return this.#position >= Atomics.load(this.#producer, 0);
  }

  /** Bytes of the ring that are taken, as BPF_RB_AVAIL_DATA. */
  get taken(): number {
    return Number(Atomics.load(this.#producer, 0) - Atomics.load(this.#consumer, 0));
  }

  get size(): number {
    return this.#mask + 1;
  }

  get #position(): bigint {
    return this.#ahead ?? Atomics.load(this.#consumer, 0);
  }

  /** Null: reserved, not yet submitted. `data` null: discarded. */
  #recordAt(position: bigint): { readonly data: Buffer | null; readonly next: bigint } | null {
    const offset = Number(position & BigInt(this.#mask));
    const header = Atomics.load(this.#lengths, offset >> 2) >>> 0;
    if ((header & BUSY) !== 0) return null;
    const length = header & LENGTH;
    const data = (header & DISCARDED) === 0 ? this.#data.subarray(offset + headerBytes, offset + headerBytes + length) : null;
    return { data, next: position + BigInt((length + headerBytes + 7) & ~7) };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#consumerPage.close();
    this.#producerPages.close();
  }
}
