/**
 * A BPF map as bytes. Keys and values are copied through buffers that belong to the map, so that no call registers new
 * memory with the ffi layer: a million calls leave the process as it was.
 */
import type { Codec } from '../btf/codec.js';
import { possibleCpus } from './cpus.js';
import type { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { check, NativeError } from './errors.js';
import { ffi } from './ffi.js';
import type { Address } from './ffi_types.js';
import { getMapInfo } from './info.js';
import { libbpf } from './libbpf.js';
import { MapBatch } from './map_batch.js';
import { BPF_F_MMAPABLE, isPerCpuMap, valueStride } from './map_types.js';
import { pageSize, SharedMapping } from './memory.js';
import { type OpenOptions, openPin } from './open_pin.js';

export class RawMap {
  readonly id: number;
  readonly name: string;
  /** enum bpf_map_type */
  readonly type: number;
  readonly keySize: number;
  /** Of one value; on a per-CPU map get() and set() take `entrySize` bytes. */
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly isPerCpu: boolean;
  /** Bytes that get() returns and set() takes: valueSize, or on a per-CPU map its stride times the possible CPUs. */
  readonly entrySize: number;

  readonly #descriptor: Descriptor;
  readonly #key: Buffer;
  readonly #nextKey: Buffer;
  readonly #value: Buffer;
  readonly #keyAddress: Address;
  readonly #nextKeyAddress: Address;
  readonly #valueAddress: Address;
  // Two, because setBatch() may be fed from entries() of the same map.
  #reads: MapBatch | null = null;
  #writes: MapBatch | null = null;
  #mapping: SharedMapping | null = null;

  /** Takes over the descriptor. */
  constructor(descriptor: Descriptor) {
    const info = getMapInfo(descriptor.fd, 'map');
    this.#descriptor = descriptor;
    this.id = info.id;
    this.name = info.name;
    this.type = info.type;
    this.keySize = info.keySize;
    this.valueSize = info.valueSize;
    this.maxEntries = info.maxEntries;
    this.flags = info.flags;
    this.isPerCpu = isPerCpuMap(info.type);
    this.entrySize = this.isPerCpu ? valueStride(info.valueSize) * possibleCpus() : info.valueSize;
    // A ring buffer has neither key nor value.
    this.#key = Buffer.alloc(Math.max(1, this.keySize));
    this.#nextKey = Buffer.alloc(Math.max(1, this.keySize));
    this.#value = Buffer.alloc(Math.max(1, this.entrySize));
    this.#keyAddress = ffi().addressOf(this.#key);
    this.#nextKeyAddress = ffi().addressOf(this.#nextKey);
    this.#valueAddress = ffi().addressOf(this.#value);
  }

  /** @throws NativeError ENOENT when there is no such pin, EINVAL when it is something else */
  static fromPin(path: string, options: OpenOptions = {}): RawMap {
    const descriptor = openPin(path, 'map', options);
    try {
      return new RawMap(descriptor);
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  get fd(): number {
    return this.#descriptor.fd;
  }

  /** A copy of the value, or null when there is none. An array has every key below maxEntries. */
  get(key: Buffer): Buffer | null {
    this.#putKey(key);
    const rc = libbpf().bpf_map_lookup_elem(this.fd, this.#keyAddress, this.#valueAddress);
    if (rc === -E.NOENT) return null;
    check('bpf_map_lookup_elem', rc, this.name);
    return Buffer.from(this.#value.subarray(0, this.entrySize));
  }

  /** @param flags UpdateFlag: NOEXIST fails with EEXIST, EXIST with ENOENT */
  set(key: Buffer, value: Buffer, flags = 0): void {
    this.#putKey(key);
    this.checkSize('value', value, this.entrySize);
    value.copy(this.#value);
    check('bpf_map_update_elem', libbpf().bpf_map_update_elem(this.fd, this.#keyAddress, this.#valueAddress, flags), this.name);
  }

  /** False when the key was not there. Arrays cannot delete (EINVAL). */
  delete(key: Buffer): boolean {
    this.#putKey(key);
    const rc = libbpf().bpf_map_delete_elem(this.fd, this.#keyAddress);
    if (rc === -E.NOENT) return false;
    check('bpf_map_delete_elem', rc, this.name);
    return true;
  }

  /** The key after `key`, or the first for null; null at the end. After a key that is gone, the kernel starts over. */
  nextKey(key: Buffer | null): Buffer | null {
    if (key !== null) this.#putKey(key);
    const rc = libbpf().bpf_map_get_next_key(this.fd, key === null ? 0 : this.#keyAddress, this.#nextKeyAddress);
    if (rc === -E.NOENT) return null;
    check('bpf_map_get_next_key', rc, this.name);
    return Buffer.from(this.#nextKey.subarray(0, this.keySize));
  }

  /** All keys. The one just yielded may be deleted by the caller. */
  *keys(): Generator<Buffer, void, undefined> {
    let key = this.nextKey(null);
    while (key !== null) {
      // Fetched before the caller can delete `key`: the kernel would begin again from the first.
      const next = this.nextKey(key);
      yield key;
      key = next;
    }
  }

  /** All keys and values, copied; in batches where the kernel has them for this type of map. Not a snapshot. */
  *entries(): Generator<[key: Buffer, value: Buffer], void, undefined> {
    this.#reads ??= new MapBatch(this);
    if (yield* this.#reads.entries()) return;
    for (const key of this.keys()) {
      const value = this.get(key);
      if (value !== null) yield [key, value];
    }
  }

  /** Writes many. Not atomic: on an error the entries before the failing one are written. */
  setBatch(pairs: Iterable<readonly [key: Buffer, value: Buffer]>, flags = 0): void {
    this.#writes ??= new MapBatch(this);
    this.#writes.update(pairs, flags);
  }

  /** The same, encoded straight into the batch: no buffers for single keys and values. @param key, value that fit this map */
  encodeBatch<K, V>(pairs: Iterable<readonly [key: K, value: V]>, key: Codec<K>, value: Codec<V>): void {
    this.#writes ??= new MapBatch(this);
    this.#writes.encode(pairs, key, value);
  }

  /**
   * Rows `first` .. `first + count - 1` of an array, one after the other, in one system call. Not a snapshot.
   * @param into at least count * entrySize bytes; always the same buffer where it is called in volume
   */
  readRows(first: number, count: number, into: Buffer): void {
    if (first + count > this.maxEntries) throw new RangeError(`map ${this.name} has ${this.maxEntries} rows`);
    if (into.length < count * this.entrySize) throw new RangeError(`map ${this.name}: ${count} rows need ${count * this.entrySize} bytes`);
    this.#reads ??= new MapBatch(this);
    this.#reads.readRows(first, count, into);
  }

  /**
   * The array itself, no copy: element i begins at i * valueStride(valueSize). Needs BPF_F_MMAPABLE. The same view on every
   * call; after close() it reads zeros.
   */
  mmap(): Buffer {
    if ((this.flags & BPF_F_MMAPABLE) === 0) throw new NativeError('mmap', E.INVAL, this.name, 'the map has no BPF_F_MMAPABLE');
    const length = valueStride(this.valueSize) * this.maxEntries;
    this.#mapping ??= new SharedMapping(this.fd, Math.ceil(length / pageSize()) * pageSize(), { writable: true });
    return this.#mapping.view.subarray(0, length);
  }

  /** @throws NativeError EEXIST when the path is taken */
  pin(path: string): void {
    check('bpf_obj_pin', libbpf().bpf_obj_pin(this.fd, path), path);
  }

  close(): void {
    this.#mapping?.close();
    this.#mapping = null;
    this.#descriptor.close();
  }

  /** @internal for the batch half of this class */
  checkSize(what: 'key' | 'value', buffer: Buffer, size: number): void {
    if (buffer.length !== size) throw new RangeError(`map ${this.name}: a ${what} has ${size} bytes, not ${buffer.length}`);
  }

  #putKey(key: Buffer): void {
    this.checkSize('key', key, this.keySize);
    key.copy(this.#key);
  }
}
