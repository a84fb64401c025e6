/** The functions of libbpf that are used, all present since libbpf 1.1. Its option structs are in structs.ts. */
import { ffi } from './ffi.js';
import type { Bound } from './ffi_types.js';

const minimumMinor = 1;

const signatures = {
  libbpf_major_version: ['u32', []],
  libbpf_minor_version: ['u32', []],
  libbpf_set_print: ['ptr', ['ptr']],
  // object
  bpf_object__open_mem: ['ptr', ['ptr', 'u64', 'ptr']],
  bpf_object__load: ['i32', ['ptr']],
  bpf_object__close: ['void', ['ptr']],
  bpf_object__btf: ['ptr', ['ptr']],
  btf__raw_data: ['ptr', ['ptr', 'ptr']],
  bpf_object__find_map_by_name: ['ptr', ['ptr', 'str']],
  bpf_object__next_map: ['ptr', ['ptr', 'ptr']],
  bpf_object__find_program_by_name: ['ptr', ['ptr', 'str']],
  bpf_object__next_program: ['ptr', ['ptr', 'ptr']],
  bpf_map__name: ['cstr', ['ptr']],
  bpf_map__fd: ['i32', ['ptr']],
  bpf_map__set_max_entries: ['i32', ['ptr', 'u32']],
  bpf_map__reuse_fd: ['i32', ['ptr', 'i32']],
  bpf_map__set_pin_path: ['i32', ['ptr', 'str']],
  bpf_map__initial_value: ['ptr', ['ptr', 'ptr']],
  bpf_map__set_initial_value: ['i32', ['ptr', 'ptr', 'u64']],
  bpf_program__name: ['cstr', ['ptr']],
  bpf_program__fd: ['i32', ['ptr']],
  bpf_program__set_log_buf: ['i32', ['ptr', 'ptr', 'u64']],
  bpf_program__set_autoload: ['i32', ['ptr', 'i32']],
  bpf_program__set_expected_attach_type: ['i32', ['ptr', 'u32']],
  bpf_program__flags: ['u32', ['ptr']],
  bpf_program__set_flags: ['i32', ['ptr', 'u32']],
  bpf_program__set_ifindex: ['void', ['ptr', 'u32']],
  // maps
  bpf_map_create: ['i32', ['u32', 'str', 'u32', 'u32', 'u32', 'ptr']],
  bpf_map_lookup_elem: ['i32', ['i32', 'ptr', 'ptr']],
  bpf_map_update_elem: ['i32', ['i32', 'ptr', 'ptr', 'u64']],
  bpf_map_delete_elem: ['i32', ['i32', 'ptr']],
  bpf_map_get_next_key: ['i32', ['i32', 'ptr', 'ptr']],
  bpf_map_lookup_batch: ['i32', ['i32', 'ptr', 'ptr', 'ptr', 'ptr', 'ptr', 'ptr']],
  bpf_map_update_batch: ['i32', ['i32', 'ptr', 'ptr', 'ptr', 'ptr']],
  // pins and information
  bpf_obj_pin: ['i32', ['i32', 'str']],
  bpf_obj_get_opts: ['i32', ['str', 'ptr']],
  bpf_obj_get_info_by_fd: ['i32', ['i32', 'ptr', 'ptr']],
  bpf_map_get_fd_by_id: ['i32', ['u32']],
  bpf_prog_get_fd_by_id: ['i32', ['u32']],
  bpf_btf_get_fd_by_id: ['i32', ['u32']],
  bpf_enable_stats: ['i32', ['u32']],
  // programs and links
  bpf_prog_test_run_opts: ['i32', ['i32', 'ptr']],
  bpf_link_create: ['i32', ['i32', 'i32', 'u32', 'ptr']],
  bpf_link_update: ['i32', ['i32', 'i32', 'ptr']],
  bpf_link_detach: ['i32', ['i32']],
  bpf_raw_tracepoint_open: ['i32', ['ptr', 'i32']],
  // tc
  bpf_tc_hook_create: ['i32', ['ptr']],
  bpf_tc_hook_destroy: ['i32', ['ptr']],
  bpf_tc_attach: ['i32', ['ptr', 'ptr']],
  bpf_tc_detach: ['i32', ['ptr', 'ptr']],
  bpf_tc_query: ['i32', ['ptr', 'ptr']],
} as const;

const remedy = 'install it: apt-get install libbpf1 (Debian, Ubuntu) or dnf install libbpf (RHEL, Fedora)';

/** libbpf is missing or too old. The message holds the remedy. */
export class LibbpfMissingError extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`${what}; unipath needs libbpf >= 1.${minimumMinor}, ${remedy}`, options);
    this.name = 'LibbpfMissingError';
  }
}

/** @param soname another one only in tests. @throws LibbpfMissingError */
export function openLibbpf(soname = 'libbpf.so.1'): Bound<typeof signatures> {
  let library: Bound<typeof signatures>;
  try {
    library = ffi().open(soname, signatures);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LibbpfMissingError(`${soname} cannot be used (${reason.trim()})`, { cause: error });
  }
  const major = library.libbpf_major_version();
  const minor = library.libbpf_minor_version();
  if (major === 1 && minor < minimumMinor) throw new LibbpfMissingError(`libbpf ${major}.${minor} is too old`);
  // Its warnings would go to stderr, in the middle of ours; what matters in them is in the errors.
  library.libbpf_set_print(null);
  return library;
}

let bound: Bound<typeof signatures> | null = null;

/** @throws LibbpfMissingError */
export function libbpf(): Bound<typeof signatures> {
  bound ??= openLibbpf();
  return bound;
}
