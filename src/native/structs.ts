/**
 * Layouts of the C structs that cross into native code: member -> offset in bytes, on a 64-bit little-endian machine.
 * A test compares each with what the C compiler says about the header named here.
 */

export interface StructLayout<M extends string = string> {
  /** The C type, e.g. `struct pollfd`. */
  readonly type: string;
  readonly header: string;
  readonly size: number;
  /** Newer headers may have more members at the end; `size` is what is passed. */
  readonly grows: boolean;
  /** Members by their C names (`a.b` inside a nested one), so that a reader can find them in the header. */
  readonly at: Readonly<Record<M, number>>;
}

export const layouts: StructLayout[] = [];

function struct<M extends string>(type: string, header: string, size: number, at: Readonly<Record<M, number>>): StructLayout<M> {
  const layout = { type, header, size, grows: 'sz' in at || type.endsWith('_info'), at };
  layouts.push(layout);
  return layout;
}

// libbpf's option structs. They grow at the end: each starts with its own size, so an older or newer library can tell
// which members are there. The sizes are those of libbpf 1.1, the oldest that is supported.
export const objectOpenOpts = struct('struct bpf_object_open_opts', 'bpf/libbpf.h', 80, {
  sz: 0, object_name: 8,
});
export const objGetOpts = struct('struct bpf_obj_get_opts', 'bpf/bpf.h', 16, { sz: 0, file_flags: 8 });
export const linkCreateOpts = struct('struct bpf_link_create_opts', 'bpf/bpf.h', 64, { sz: 0, flags: 8 });
export const linkUpdateOpts = struct('struct bpf_link_update_opts', 'bpf/bpf.h', 16, { sz: 0, flags: 8, old_prog_fd: 12 });
export const testRunOpts = struct('struct bpf_test_run_opts', 'bpf/bpf.h', 80, {
  sz: 0, data_in: 8, data_out: 16, data_size_in: 24, data_size_out: 28, ctx_in: 32, ctx_out: 40, ctx_size_in: 48,
  ctx_size_out: 52, retval: 56, repeat: 60, duration: 64, flags: 68, cpu: 72, batch_size: 76,
});
export const mapBatchOpts = struct('struct bpf_map_batch_opts', 'bpf/bpf.h', 24, { sz: 0, elem_flags: 8, flags: 16 });
export const tcHook = struct('struct bpf_tc_hook', 'bpf/libbpf.h', 24, { sz: 0, ifindex: 8, attach_point: 12, parent: 16 });
export const tcOpts = struct('struct bpf_tc_opts', 'bpf/libbpf.h', 32, {
  sz: 0, prog_fd: 8, flags: 12, prog_id: 16, handle: 20, priority: 24,
});

// What bpf_obj_get_info_by_fd fills in: the kernel writes as much as both sides know, so `size` here is what is asked for.
export const mapInfo = struct('struct bpf_map_info', 'linux/bpf.h', 88, {
  type: 0, id: 4, key_size: 8, value_size: 12, max_entries: 16, map_flags: 20, name: 24, btf_id: 64,
});
export const programInfo = struct('struct bpf_prog_info', 'linux/bpf.h', 232, {
  type: 0, id: 4, tag: 8, load_time: 40, nr_map_ids: 52, map_ids: 56, name: 64, run_time_ns: 192, run_cnt: 200,
  verified_insns: 216,
});
export const linkInfo = struct('struct bpf_link_info', 'linux/bpf.h', 48, { type: 0, id: 4, prog_id: 8, 'xdp.ifindex': 16 });
export const btfInfo = struct('struct bpf_btf_info', 'linux/bpf.h', 32, { btf: 0, btf_size: 8, id: 12 });

// Contexts of a test run.
export const xdpMd = struct('struct xdp_md', 'linux/bpf.h', 24, {
  data: 0, data_end: 4, data_meta: 8, ingress_ifindex: 12, rx_queue_index: 16, egress_ifindex: 20,
});
export const skBuff = struct('struct __sk_buff', 'linux/bpf.h', 192, { len: 0, ingress_ifindex: 36, ifindex: 40, gso_size: 176 });

// libc and kernel.
export const pollfd = struct('struct pollfd', 'poll.h', 8, { fd: 0, events: 4, revents: 6 });
export const iovec = struct('struct iovec', 'sys/uio.h', 16, { iov_base: 0, iov_len: 8 });
export const ifreq = struct('struct ifreq', 'net/if.h', 40, { ifr_name: 0, ifr_flags: 16 });
export const sockaddrIn = struct('struct sockaddr_in', 'netinet/in.h', 16, { sin_family: 0, sin_port: 2, sin_addr: 4 });
export const sockaddrIn6 = struct('struct sockaddr_in6', 'netinet/in.h', 28, {
  sin6_family: 0, sin6_port: 2, sin6_flowinfo: 4, sin6_addr: 8, sin6_scope_id: 24,
});
export const sockaddrLl = struct('struct sockaddr_ll', 'linux/if_packet.h', 20, {
  sll_family: 0, sll_protocol: 2, sll_ifindex: 4, sll_halen: 11, sll_addr: 12,
});
