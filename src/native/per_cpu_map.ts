/** A map with one value per possible CPU. */
import { type Codec, encode } from '../btf/codec.js';
import { checkCodecs } from './bpf_map.js';
import { possibleCpus } from './cpus.js';
import { valueStride } from './map_types.js';
import type { RawMap } from './raw_map.js';

/** close() closes the raw map, too. Index of a value = CPU number. */
export class PerCpuMap<K, V> implements Iterable<[K, V[]]> {
  readonly raw: RawMap;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  /** The kernel rounds every value up to 8 bytes. */
  readonly #stride: number;
  readonly #cpus = possibleCpus();

  constructor(raw: RawMap, key: Codec<K>, value: Codec<V>) {
    if (!raw.isPerCpu) throw new TypeError(`map ${raw.name} has one value for all CPUs: use BpfMap`);
    checkCodecs(raw, key, value);
    this.raw = raw;
    this.#key = key;
    this.#value = value;
    this.#stride = valueStride(raw.valueSize);
  }

  getAll(key: K): V[] | undefined {
    const bytes = this.raw.get(encode(this.#key, key));
    return bytes === null ? undefined : this.#slices(bytes);
  }

  /** @param values one per possible CPU */
  setAll(key: K, values: readonly V[]): void {
    this.raw.set(encode(this.#key, key), this.#join(values));
  }

  delete(key: K): boolean {
    return this.raw.delete(encode(this.#key, key));
  }

  *entries(): Generator<[K, V[]], void, undefined> {
    for (const [key, bytes] of this.raw.entries()) yield [this.#key.read(key, 0), this.#slices(bytes)];
  }

  [Symbol.iterator](): Generator<[K, V[]], void, undefined> {
    return this.entries();
  }

  setBatch(pairs: Iterable<readonly [K, readonly V[]]>): void {
    this.raw.setBatch(this.#encodePairs(pairs));
  }

  *#encodePairs(pairs: Iterable<readonly [K, readonly V[]]>): Generator<readonly [Buffer, Buffer]> {
    for (const [key, values] of pairs) yield [encode(this.#key, key), this.#join(values)];
  }

  close(): void {
    this.raw.close();
  }

  #slices(bytes: Buffer): V[] {
    return Array.from({ length: this.#cpus }, (_, cpu) => this.#value.read(bytes, cpu * this.#stride));
  }

  #join(values: readonly V[]): Buffer {
    if (values.length !== this.#cpus) {
      throw new RangeError(`map ${this.raw.name}: ${this.#cpus} values, one per possible CPU, not ${values.length}`);
    }
    const bytes = Buffer.alloc(this.raw.entrySize);
    for (const [cpu, value] of values.entries()) this.#value.write(value, bytes, cpu * this.#stride);
    return bytes;
  }
}
