/** A BPF map that behaves like a Map: typed by the codecs of its key and value. */
import { type Codec, encode } from '../btf/codec.js';
import { UpdateFlag } from './map_types.js';
import type { RawMap } from './raw_map.js';

/** @throws when a codec does not fit the map that the kernel has */
export function checkCodecs(raw: RawMap, key: { readonly size: number }, value: { readonly size: number }): void {
  const compare = (what: string, actual: number, codec: number): void => {
    if (actual !== codec) throw new RangeError(`map ${raw.name}: ${what} have ${actual} bytes, the codec says ${codec}`);
  };
  compare('keys', raw.keySize, key.size);
  compare('values', raw.valueSize, value.size);
}

/** close() closes the raw map, too. */
export class BpfMap<K, V> implements Iterable<[K, V]> {
  readonly raw: RawMap;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(raw: RawMap, key: Codec<K>, value: Codec<V>) {
    if (raw.isPerCpu) throw new TypeError(`map ${raw.name} has a value per CPU: use PerCpuMap`);
    checkCodecs(raw, key, value);
    this.raw = raw;
    this.#key = key;
    this.#value = value;
  }

  get(key: K): V | undefined {
    const bytes = this.raw.get(encode(this.#key, key));
    return bytes === null ? undefined : this.#value.read(bytes, 0);
  }

  has(key: K): boolean {
    return this.raw.get(encode(this.#key, key)) !== null;
  }

  set(key: K, value: V): this {
    this.raw.set(encode(this.#key, key), encode(this.#value, value), UpdateFlag.ANY);
    return this;
  }

  /** False when the key was not there. Arrays cannot delete. */
  delete(key: K): boolean {
    return this.raw.delete(encode(this.#key, key));
  }

  *keys(): Generator<K, void, undefined> {
    for (const key of this.raw.keys()) yield this.#key.read(key, 0);
  }

  *values(): Generator<V, void, undefined> {
    for (const [, value] of this.raw.entries()) yield this.#value.read(value, 0);
  }

  *entries(): Generator<[K, V], void, undefined> {
    for (const [key, value] of this.raw.entries()) yield [this.#key.read(key, 0), this.#value.read(value, 0)];
  }

  [Symbol.iterator](): Generator<[K, V], void, undefined> {
    return this.entries();
  }

  /** Writes many with few system calls. Not atomic. */
  setBatch(pairs: Iterable<readonly [K, V]>): void {
    this.raw.encodeBatch(pairs, this.#key, this.#value);
  }

  /** Deletes every key of a hash map. */
  clear(): void {
    for (const key of this.raw.keys()) this.raw.delete(key);
  }

  close(): void {
    this.raw.close();
  }
}
