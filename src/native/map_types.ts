/** enum bpf_map_type and map flags, as far as they are told apart here. */
export const MapType = {
  HASH: 1,
  ARRAY: 2,
  PROG_ARRAY: 3,
  PERCPU_HASH: 5,
  PERCPU_ARRAY: 6,
  LRU_HASH: 9,
  LRU_PERCPU_HASH: 10,
  LPM_TRIE: 11,
  DEVMAP: 14,
  CPUMAP: 16,
  PERCPU_CGROUP_STORAGE: 21,
  DEVMAP_HASH: 25,
  RINGBUF: 27,
} as const;

export const BPF_F_MMAPABLE = 1 << 10;

const perCpu: ReadonlySet<number> = new Set([
  MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH, MapType.PERCPU_CGROUP_STORAGE,
]);
const arrays: ReadonlySet<number> = new Set([
  MapType.ARRAY, MapType.PERCPU_ARRAY, MapType.PROG_ARRAY, MapType.DEVMAP, MapType.CPUMAP,
]);

export function isPerCpuMap(type: number): boolean {
  return perCpu.has(type);
}

/** Keys are indexes below max_entries. */
export function isArrayMap(type: number): boolean {
  return arrays.has(type);
}

/** Second argument of an update. */
export const UpdateFlag = { ANY: 0, NOEXIST: 1, EXIST: 2 } as const;

/** Distance between the values of two CPUs, and between the elements of a mapped array. */
export function valueStride(valueSize: number): number {
  return (valueSize + 7) & ~7;
}
