// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What the bench compares unipath with, and what it counts at. Every measured program is entered through a `vary_*` that
 * changes the flow from frame to frame, so that no predictor learns a single frame; it costs all of them the same.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Index into `stages`. */
enum stage {
	STAGE_EMPTY = 0,
	STAGE_PASS = 1,
	STAGE_REDIRECT = 2,
	STAGE_STEER = 3,	/* steer_uplink, put there by the bench */
	STAGE_COUNT = 4,
};

/* What runs after the flow was changed. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGE_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} stages SEC(".maps");

/* The one target of the minimal redirect. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} target SEC(".maps");

/* Frames that reached the sink. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

/* The frames are made on one CPU. */
__u8 turn;

/* Ports of the frames in src/bench/frames.ts. */
#define FIRST_PORT 4096
#define TO_PORT 53

/*
 * 256 flows: the low byte of the UDP source port. Both ports are written in one go, as they are read: a read that spans
 * a narrower write would wait for the cache, which a frame from a wire does not know.
 */
static __always_inline void vary(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 *ports = data + sizeof(struct ethhdr) + sizeof(struct iphdr);

	if ((void *)(eth + 1) > end)
		return;
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		ports = data + sizeof(struct ethhdr) + sizeof(struct ipv6hdr);
	if ((void *)(ports + 1) <= end)
		*ports = bpf_htons(FIRST_PORT + turn++) | bpf_htons(TO_PORT) << 16;
}

SEC("xdp.frags")
int vary_empty(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_EMPTY);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int vary_pass(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_PASS);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int vary_redirect(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_REDIRECT);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int vary_steer(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_STEER);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int bench_empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}

/* To the Linux bridge. */
SEC("xdp.frags")
int bench_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&target, 0, XDP_ABORTED);
}

/* At the guest's end: counts and drops. */
SEC("xdp.frags")
int bench_sink(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&arrived, &zero);

	if (count)
		*count += 1;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
