// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The packet programs' own parsing and hashing, laid open to tests: each program returns one result in place of a verdict.
 * And a sink for live frames.
 */
#include "hash.h"

/* Parses the frame as steer_uplink does. Returns -1 when there is no Ethernet header. */
/* As in test/bpf/bed/flow_hash.ts. */
#define FLOW_SEED 0x5bd1e9955bd1e995ULL

static __always_inline int parse(struct xdp_md *ctx, struct tuple *t)
{
	struct cursor cursor;
	struct frame f;

	if (parse_frame(ctx, &cursor, &f))
		return -1;
	parse_tuple(ctx, &cursor, &f, t);
	return 0;
}

SEC("xdp")
int probe_toeplitz(struct xdp_md *ctx)
{
	struct tuple t;

	return parse(ctx, &t) ? 0 : toeplitz_hash(ctx, &t, 0, HASH_DEFAULT);
}

/* What a NIC would tell of any frame, for programs that hash these types. */
struct told {
	__u32 error;
	__u32 hash;
	__u32 fields;
	__u32 types;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct told);
} told SEC(".maps");

static __always_inline int tell_hash(__u32 *hash, __u32 *fields)
{
	__u32 zero = 0;
	struct told *t = bpf_map_lookup_elem(&told, &zero);

	if (!t)
		return -1;
	*hash = t->hash;
	*fields = t->fields;
	return t->error;
}

#define RX_HASH(ctx, hash, fields) tell_hash(hash, (__u32 *)(fields))
#include "nic_hash.h"

/* Returns 0 where the NIC's hash is not to be had. */
SEC("xdp")
int probe_nic_hash(struct xdp_md *ctx)
{
	__u32 zero = 0, hash = 0;
	struct told *n = bpf_map_lookup_elem(&told, &zero);
	struct tuple t;

	return n && !parse(ctx, &t) && nic_hash(ctx, &t, n->types, &hash) ? hash : 0;
}

SEC("xdp")
int probe_partial(struct xdp_md *ctx)
{
	struct tuple t;

	return !parse(ctx, &t) && has_partial_checksum(&t, addresses_of(ctx, &t));
}

/* Both halves of the flow hash, folded. Frames without ports have none: 0. */
static __always_inline int fold(__u64 hash)
{
	return hash ^ hash >> 32;
}

SEC("xdp")
int probe_flow(struct xdp_md *ctx)
{
	struct tuple t;

	return parse(ctx, &t) || t.l4 == L4_NONE ? 0 : fold(flow_hash(&t, addresses_of(ctx, &t), FLOW_SEED, 0));
}

SEC("xdp")
int probe_reverse(struct xdp_md *ctx)
{
	struct tuple t;

	return parse(ctx, &t) || t.l4 == L4_NONE ? 0 : fold(flow_hash(&t, addresses_of(ctx, &t), FLOW_SEED, 1));
}

/* IPv4 frames that reached the far end of a port, by receive queue; other frames are the kernel's own chatter. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u64);
} arrivals SEC(".maps");

SEC("xdp")
int probe_sink(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u32 queue = ctx->rx_queue_index;
	__u64 *count = bpf_map_lookup_elem(&arrivals, &queue);

	if (count && (void *)(eth + 1) <= (void *)(long)ctx->data_end && eth->h_proto == bpf_htons(ETH_P_IP))
		*count += 1;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
