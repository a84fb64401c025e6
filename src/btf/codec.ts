/** Bytes to values and back: what the generated contract is made of. Integers are little-endian unless a name says otherwise. */

/**
 * One shared type. `read` copies what it returns; `write` fills all `size` bytes, unnamed and reserved ones with zero.
 * Numbers that do not fit, and arrays of another length than the type's, throw RangeError.
 */
export interface Codec<T> {
  readonly size: number;
  read(buffer: Buffer, offset?: number): T;
  write(value: T, buffer: Buffer, offset?: number): void;
}

/** The kinds of map that are told apart here, by their kernel number (enum bpf_map_type). */
export const MAP_TYPES = {
  hash: 1,
  array: 2,
  prog_array: 3,
  percpu_hash: 5,
  percpu_array: 6,
  lru_hash: 9,
  lru_percpu_hash: 10,
  lpm_trie: 11,
  array_of_maps: 12,
  devmap: 14,
  cpumap: 16,
  percpu_cgroup_storage: 21,
  devmap_hash: 25,
  ringbuf: 27,
} as const;
export type MapTypeName = keyof typeof MAP_TYPES;

/** One map of the contract. Sizes are of one value; a per-CPU map has it once per possible CPU. */
export interface MapSpec<K, V> {
  readonly name: string;
  readonly type: MapTypeName;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  /** As compiled; unipathd sizes some maps before loading. */
  readonly maxEntries: number;
  readonly flags: number;
}

/** A ring buffer has records instead of keys and values. */
export interface RingSpec {
  readonly name: string;
  readonly type: 'ringbuf';
  readonly maxEntries: number;
}

export function mapSpec<K, V>(
  name: string, type: MapTypeName, key: Codec<K>, value: Codec<V>, size: { readonly maxEntries: number; readonly flags: number },
): MapSpec<K, V> {
  return { name, type, key, value, ...size };
}

/** `encode(codec, value)`: a new buffer with exactly the value's bytes. */
export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const buffer = Buffer.alloc(codec.size);
  codec.write(value, buffer);
  return buffer;
}

export const u8: Codec<number> = {
  size: 1,
  read: (buffer, offset = 0) => buffer.readUInt8(offset),
  write: (value, buffer, offset = 0) => void buffer.writeUInt8(value, offset),
};
export const u16: Codec<number> = {
  size: 2,
  read: (buffer, offset = 0) => buffer.readUInt16LE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeUInt16LE(value, offset),
};
export const u32: Codec<number> = {
  size: 4,
  read: (buffer, offset = 0) => buffer.readUInt32LE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeUInt32LE(value, offset),
};
export const u64: Codec<bigint> = {
  size: 8,
  read: (buffer, offset = 0) => buffer.readBigUInt64LE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeBigUInt64LE(value, offset),
};
export const s32: Codec<number> = {
  size: 4,
  read: (buffer, offset = 0) => buffer.readInt32LE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeInt32LE(value, offset),
};

export const s64: Codec<bigint> = {
  size: 8,
  read: (buffer, offset = 0) => buffer.readBigInt64LE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeBigInt64LE(value, offset),
};
/** `__be16`, `__be32`: network order in memory, a plain number here. */
export const be16: Codec<number> = {
  size: 2,
  read: (buffer, offset = 0) => buffer.readUInt16BE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeUInt16BE(value, offset),
};
export const be32: Codec<number> = {
  size: 4,
  read: (buffer, offset = 0) => buffer.readUInt32BE(offset),
  write: (value, buffer, offset = 0) => void buffer.writeUInt32BE(value, offset),
};
/**
 * The program of a devmap or cpumap entry. The kernel takes a file descriptor (0 or negative: none) and gives back the
 * program's id, so what is read is not what was written.
 */
export const programRef: Codec<number> = { size: 4, read: u32.read, write: s32.write };

/** `count` values side by side. */
export function arrayOf<T>(element: Codec<T>, count: number): Codec<readonly T[]> {
  return {
    size: element.size * count,
    read: (buffer, offset = 0) => Array.from({ length: count }, (_, i) => element.read(buffer, offset + i * element.size)),
    write: (values, buffer, offset = 0) => {
      if (values.length !== count) throw new RangeError(`${values.length} values where the contract has ${count}`);
      // An index and no iterator: this is what programming maps spends its time on.
      for (let i = 0; i < count; i++) element.write(values[i] as T, buffer, offset + i * element.size);
    },
  };
}

/** `count` raw bytes, in order: a MAC address, a key. `read` returns a copy. */
export function bytesOf(count: number): Codec<Uint8Array> {
  return {
    size: count,
    read: (buffer, offset = 0) => Buffer.from(buffer.subarray(offset, offset + count)),
    write: (value, buffer, offset = 0) => {
      if (value.length !== count) throw new RangeError(`${value.length} bytes where the contract has ${count}`);
      buffer.set(value, offset);
    },
  };
}
