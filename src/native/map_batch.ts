/** The batch half of a map: many entries per system call, at a tenth of the cost of single ones. */
import type { Codec } from '../btf/codec.js';
import { E } from './errno.js';
import { check } from './errors.js';
import { libbpf } from './libbpf.js';
import type { RawMap } from './raw_map.js';
import { mapBatchOpts } from './structs.js';

/** A hash map hands out whole buckets, so a chunk must hold the largest one: below this, chunks are likely to be too small. */
const smallestChunk = 256;
/** Keys and values of one chunk together; a single entry may be larger. */
const chunkBytes = 512 * 1024;

function defaultCapacity(map: RawMap): number {
  const perChunk = Math.floor(chunkBytes / Math.max(1, map.keySize + map.entrySize));
  return Math.min(map.maxEntries, Math.max(smallestChunk, perChunk));
}

/** What the kernel answers for a type of map that has no batch operations. */
function isUnsupported(rc: number): boolean {
  return rc === -E.NOTSUPP || rc === -E.OPNOTSUPP;
}

export class MapBatch {
  readonly #map: RawMap;
  readonly #opts = Buffer.alloc(mapBatchOpts.size);
  readonly #count = Buffer.alloc(4);
  readonly #inPosition: Buffer;
  readonly #outPosition: Buffer;
  #capacity: number;
  #rowKeys = Buffer.alloc(0);
  #keys = Buffer.alloc(0);
  #values = Buffer.alloc(0);
  /** null until the kernel was asked. */
  #supported: boolean | null = null;

  /** @param capacity entries per chunk at first */
  constructor(map: RawMap, capacity = defaultCapacity(map)) {
    this.#map = map;
    // The position is a u32 for hashes and arrays, a whole key for tries.
    this.#inPosition = Buffer.alloc(Math.max(8, map.keySize));
    this.#outPosition = Buffer.alloc(Math.max(8, map.keySize));
    this.#capacity = capacity;
    this.#opts.writeBigUInt64LE(BigInt(mapBatchOpts.size), mapBatchOpts.at.sz);
  }

  /** Yields all entries; returns false, having yielded none, when the kernel has no batch look-up for this map. */
  *entries(): Generator<[Buffer, Buffer], boolean, undefined> {
    // A slot of our own: other calls may use the shared buffers while the caller holds an entry.
    let position: Buffer | null = null;
    for (;;) {
      if (this.#supported === false) return false;
      const chunk = this.#lookup(position);
      if (chunk === null) return false;
      yield* chunk.pairs;
      if (chunk.next === null) return true;
      position = chunk.next;
    }
  }

  #lookup(position: Buffer | null): { pairs: [Buffer, Buffer][]; next: Buffer | null } | null {
    const map = this.#map;
    for (;;) {
      this.#allocate();
      this.#count.writeUInt32LE(this.#capacity);
      position?.copy(this.#inPosition);
      const rc = libbpf().bpf_map_lookup_batch(map.fd, position === null ? null : this.#inPosition, this.#outPosition,
        this.#keys, this.#values, this.#count, this.#opts);
      if (isUnsupported(rc)) {
        this.#supported = false;
        return null;
      }
      if (rc === -E.NOSPC && this.#capacity < map.maxEntries) {
        this.#grow();
        continue;
      }
      // ENOENT is the end, and the count before it is valid.
      if (rc !== -E.NOENT) check('bpf_map_lookup_batch', rc, map.name);
      this.#supported = true;
      const pairs = this.#copyPairs(this.#count.readUInt32LE());
      return { pairs, next: rc === -E.NOENT ? null : Buffer.from(this.#outPosition) };
    }
  }

  /** Of an array: the position after row i is the number i, as the kernel's own answers have it. */
  readRows(first: number, count: number, into: Buffer): void {
    const keyBytes = count * this.#map.keySize;
    if (this.#rowKeys.length < keyBytes) this.#rowKeys = Buffer.alloc(keyBytes);
    this.#inPosition.writeUInt32LE(Math.max(0, first - 1));
    this.#count.writeUInt32LE(count);
    const rc = libbpf().bpf_map_lookup_batch(this.#map.fd, first === 0 ? null : this.#inPosition, this.#outPosition,
      this.#rowKeys, into, this.#count, this.#opts);
    if (rc !== -E.NOENT) check('bpf_map_lookup_batch', rc, this.#map.name);
    const read = this.#count.readUInt32LE();
    if (read !== count) throw new RangeError(`map ${this.#map.name}: ${read} rows where ${count} were asked for`);
  }

  #copyPairs(count: number): [Buffer, Buffer][] {
    const { keySize, entrySize } = this.#map;
    // Two copies for the chunk, and slices of them: cheaper than two small buffers per entry.
    const keys = Buffer.from(this.#keys.subarray(0, count * keySize));
    const values = Buffer.from(this.#values.subarray(0, count * entrySize));
    return Array.from({ length: count }, (_, i) => [
      keys.subarray(i * keySize, (i + 1) * keySize),
      values.subarray(i * entrySize, (i + 1) * entrySize),
    ]);
  }

  update(pairs: Iterable<readonly [Buffer, Buffer]>, flags: number): void {
    const map = this.#map;
    this.#write(pairs, flags, (key, value, at) => {
      map.checkSize('key', key, map.keySize);
      map.checkSize('value', value, map.entrySize);
      key.copy(this.#keys, at * map.keySize);
      value.copy(this.#values, at * map.entrySize);
    });
  }

  /** Straight into the chunk: no buffers for single keys and values. */
  encode<K, V>(pairs: Iterable<readonly [K, V]>, keyCodec: Codec<K>, valueCodec: Codec<V>): void {
    const { keySize, entrySize } = this.#map;
    this.#write(pairs, 0, (key, value, at) => {
      keyCodec.write(key, this.#keys, at * keySize);
      valueCodec.write(value, this.#values, at * entrySize);
    });
  }

  /** @param put the pair as number `at` of the chunk */
  #write<K, V>(pairs: Iterable<readonly [K, V]>, flags: number, put: (key: K, value: V, at: number) => void): void {
    let count = 0;
    this.#allocate();
    for (const [key, value] of pairs) {
      put(key, value, count);
      count++;
      if (count === this.#capacity) {
        this.#writeChunk(count, flags);
        count = 0;
      }
    }
    if (count > 0) this.#writeChunk(count, flags);
  }

  #writeChunk(count: number, flags: number): void {
    if (this.#supported !== false) {
      this.#opts.writeBigUInt64LE(BigInt(flags), mapBatchOpts.at.elem_flags);
      this.#count.writeUInt32LE(count);
      const rc = libbpf().bpf_map_update_batch(this.#map.fd, this.#keys, this.#values, this.#count, this.#opts);
      this.#opts.writeBigUInt64LE(0n, mapBatchOpts.at.elem_flags);
      if (!isUnsupported(rc)) {
        check('bpf_map_update_batch', rc, this.#map.name);
        this.#supported = true;
        return;
      }
      this.#supported = false;
    }
    const { keySize, entrySize } = this.#map;
    for (let i = 0; i < count; i++) {
      const key = this.#keys.subarray(i * keySize, (i + 1) * keySize);
      this.#map.set(key, this.#values.subarray(i * entrySize, (i + 1) * entrySize), flags);
    }
  }

  #grow(): void {
    this.#capacity = Math.min(this.#map.maxEntries, this.#capacity * 2);
    this.#keys = Buffer.alloc(0);
  }

  #allocate(): void {
    if (this.#keys.length > 0) return;
    this.#keys = Buffer.alloc(this.#capacity * Math.max(1, this.#map.keySize));
    this.#values = Buffer.alloc(this.#capacity * Math.max(1, this.#map.entrySize));
  }
}
