// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The packet programs' own parsing and hashing, laid open to tests: each program returns one result in place of a verdict. */
#include "hash.h"

/* Parses the frame as steer_uplink does. Returns -1 when there is no Ethernet header. */
static __always_inline int parse(struct xdp_md *ctx, struct tuple *t)
{
	struct cursor cursor = { .at = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
	struct frame f;

	if (parse_frame(&cursor, &f))
		return -1;
	parse_tuple(&cursor, f.type, t);
	return 0;
}

SEC("xdp")
int probe_toeplitz(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct rss *r = bpf_map_lookup_elem(&rss, &zero);
	struct tuple t;

	return r && !parse(ctx, &t) ? toeplitz_hash(r, &t) : 0;
}

SEC("xdp")
int probe_partial(struct xdp_md *ctx)
{
	struct tuple t;

	return !parse(ctx, &t) && has_partial_checksum(&t);
}

/* Both halves of the flow hash, folded. */
static __always_inline int fold(__u64 hash)
{
	return hash ^ hash >> 32;
}

SEC("xdp")
int probe_flow(struct xdp_md *ctx)
{
	struct tuple t;

	return parse(ctx, &t) ? 0 : fold(flow_hash(&t, 0));
}

SEC("xdp")
int probe_reverse(struct xdp_md *ctx)
{
	struct tuple t;

	return parse(ctx, &t) ? 0 : fold(flow_hash(&t, 1));
}

char _license[] SEC("license") = "Dual MIT/GPL";
