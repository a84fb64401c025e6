/** Maps that are values of another map (BPF_MAP_TYPE_ARRAY_OF_MAPS): written by descriptor, read back by kernel id. */
import { MAP_TYPES } from '../btf/codec.js';
import { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { check } from './errors.js';
import { libbpf } from './libbpf.js';
import { RawMap } from './raw_map.js';

/** A new ring buffer. @param bytes a power of two, at least a page. @throws NativeError ENOMEM, EINVAL for another size */
export function createRing(name: string, bytes: number): RawMap {
  const fd = check('bpf_map_create', libbpf().bpf_map_create(MAP_TYPES.ringbuf, name, 0, 0, bytes, null), name);
  return new RawMap(new Descriptor(fd, `map ${name}`));
}

function keyOf(index: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(index);
  return key;
}

/** Puts `inner` into an array of maps; it lives as long as it is there, whoever else lets go of it. */
export function setInner(outer: RawMap, index: number, inner: RawMap): void {
  outer.set(keyOf(index), keyOf(inner.fd));
}

/** A handle of its own on what is there, or null. */
export function getInner(outer: RawMap, index: number): RawMap | null {
  const value = outer.get(keyOf(index));
  const id = value?.readUInt32LE() ?? 0;
  if (id === 0) return null;
  const fd = libbpf().bpf_map_get_fd_by_id(id);
  // It went between the two.
  if (fd === -E.NOENT) return null;
  check('bpf_map_get_fd_by_id', fd, `map ${id}`);
  return new RawMap(new Descriptor(fd, `map ${id}`));
}

/** Idempotent. */
export function deleteInner(outer: RawMap, index: number): void {
  outer.delete(keyOf(index));
}
