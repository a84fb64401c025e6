/* One map of every kind that is used, and programs that touch them. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

const volatile __u32 verdict = XDP_PASS;
const volatile __u64 stamp = 1;
const volatile __u8 bytes[3] = { 1, 2, 3 };

struct row {
	__u32 a;
	__u32 b;
	__u32 c;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 40000);
	__type(key, __u32);
	__type(value, struct row);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1000);
	__type(key, __u32);
	__type(value, struct row);
} mapped_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 600);
	__type(key, __u32);
	__type(value, struct row);
} cpu_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

/* Returns `verdict`, and counts itself on this CPU: row 0 = packets, device, queue. */
SEC("xdp")
int count_frame(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct row *row = bpf_map_lookup_elem(&cpu_rows, &key);

	if (row) {
		row->a += 1;
		row->b = ctx->ingress_ifindex;
		row->c = ctx->rx_queue_index;
	}
	return verdict;
}

/* The same with another verdict, to be put in its place. */
SEC("xdp")
int other_frame(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int grow_frame(struct xdp_md *ctx)
{
	if (bpf_xdp_adjust_head(ctx, -8))
		return XDP_ABORTED;
	__u8 *data = (void *)(long)ctx->data;
	if ((void *)(data + 8) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memset(data, 0xee, 8);
	return XDP_TX;
}

/* First byte of the frame: 0 = submit, 1 = discard; second: length in units of 8 bytes, filled with its third. */
SEC("xdp")
int write_record(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u8 *record;

	if ((void *)(data + 3) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (data[1] == 1)
		record = bpf_ringbuf_reserve(&records, 8, 0);
	else
		record = bpf_ringbuf_reserve(&records, 100, 0);
	if (!record)
		return XDP_DROP;
	__builtin_memset(record, data[2], 8);
	if (data[0])
		bpf_ringbuf_discard(record, 0);
	else
		bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

SEC("tc")
int count_skb(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct row *row = bpf_map_lookup_elem(&cpu_rows, &key);

	if (row) {
		row->a += 1;
		row->b = skb->ifindex;
	}
	return 0;
}

/* Fires at the end of every BPF_PROG_TEST_RUN. */
SEC("tp_btf/bpf_test_finish")
int BPF_PROG(see_test_run, int *err)
{
	__u32 key = 2;
	struct row *row = bpf_map_lookup_elem(&cpu_rows, &key);

	if (row)
		row->a += 1;
	return 0;
}

char _license[] SEC("license") = "GPL";
