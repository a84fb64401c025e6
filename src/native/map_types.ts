/** What depends on the kind of a map (enum bpf_map_type), and map flags. */
import { MAP_TYPES } from '../btf/codec.js';

export const BPF_F_MMAPABLE = 1 << 10;

const perCpu: ReadonlySet<number> = new Set([
  MAP_TYPES.percpu_hash, MAP_TYPES.percpu_array, MAP_TYPES.lru_percpu_hash, MAP_TYPES.percpu_cgroup_storage,
]);
const arrays: ReadonlySet<number> = new Set([
  MAP_TYPES.array, MAP_TYPES.percpu_array, MAP_TYPES.prog_array, MAP_TYPES.devmap, MAP_TYPES.cpumap,
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
