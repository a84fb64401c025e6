/** BPF maps: as bytes, typed, and typed with a value per CPU. */
export { BpfMap } from './bpf_map.js';
export { BPF_F_MMAPABLE, isArrayMap, isPerCpuMap, UpdateFlag, valueStride } from './map_types.js';
export { PerCpuMap } from './per_cpu_map.js';
export { RawMap } from './raw_map.js';
