/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Changing the outer VLAN tag of a frame that leaves on another kind of port than it came in by. */
#ifndef UNIPATH_TAG_H
#define UNIPATH_TAG_H

#include "parse.h"

enum tag_change {
	TAG_KEEP = 0,
	TAG_POP = 1,	/* take the outer tag off */
	TAG_PUSH = 2,	/* put an 802.1Q tag before the EtherType */
	TAG_SET = 3,	/* write another VLAN id into the outer tag; its priority stays */
};

/* What makes a frame with (or without) an outer tag into one that carries `vlan` on the wire. */
static __always_inline enum tag_change to_wire(const struct frame *f, __u16 vlan)
{
	if (f->vlan == vlan)
		return TAG_KEEP;
	return f->tag_length ? TAG_SET : TAG_PUSH;
}

/* Moves the start of the frame, and the MAC addresses with it. `delta` > 0 takes bytes away behind them. */
static __always_inline int move_addresses(struct xdp_md *ctx, int delta)
{
	__u32 *data = (void *)(long)ctx->data, addresses[3];

	if ((void *)data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return -1;
	/* Word by word: for memcpy clang would take the bytes one at a time. */
	for (int i = 0; i < 3; i++)
		addresses[i] = data[i];
	if (bpf_xdp_adjust_head(ctx, delta))
		return -1;
	data = (void *)(long)ctx->data;
	if ((void *)data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return -1; /* cannot happen: a frame with a tag is longer than its header */
	for (int i = 0; i < 3; i++)
		data[i] = addresses[i];
	return 0;
}

/* Returns 0, or -1 with the frame as it was when there is no room. All pointers into the frame are void afterwards. */
static __always_inline int change_tag(struct xdp_md *ctx, enum tag_change change, __u16 vlan)
{
	struct ethhdr *eth;
	struct vlan_header *tag;

	if (change == TAG_KEEP)
		return 0;
	if (change == TAG_POP)
		return move_addresses(ctx, sizeof(*tag));
	if (change == TAG_PUSH && move_addresses(ctx, -(int)sizeof(*tag)))
		return -1;
	eth = (void *)(long)ctx->data;
	tag = (void *)(eth + 1);
	if ((void *)(tag + 1) > (void *)(long)ctx->data_end)
		return -1; /* cannot happen: there is a tag now */
	if (change == TAG_PUSH) {
		eth->h_proto = bpf_htons(ETH_P_8021Q);
		tag->tci = bpf_htons(vlan);
	} else {
		tag->tci = (tag->tci & bpf_htons(0xffff & ~VLAN_VID_MASK)) | bpf_htons(vlan);
	}
	return 0;
}

#endif
