/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Keeping frames back while their guest changes its path; see maps/holds.h. */
#ifndef UNIPATH_HOLD_H
#define UNIPATH_HOLD_H

#include "forget.h"
#include "holds.h"
#include "vnic.h"

/* A hold that nobody ended in time is none. */
static __always_inline int is_holding(const struct path_word *p, __u64 word)
{
	return word & PATH_HOLD && bpf_ktime_get_ns() < *(volatile __u64 *)&p->hold_until_ns;
}

/*
 * Does the next frame for this vNIC have to wait? While what waits is released, those that come wait behind it; with nothing waiting
 * any more they go straight on. A function of its own, that the verifier looks at once.
 */
__weak __noinline int must_wait(__u32 id)
{
	struct path_word *p = path_of(id);
	void *ring = bpf_map_lookup_elem(&holds, &id);
	__u64 word;

	if (!p || !ring)
		return 0;
	word = *(volatile __u64 *)&p->word;
	if (!is_holding(p, word))
		return 0;
	return !(word & PATH_RELEASE) || bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) != 0;
}

static __always_inline void describe_held(struct held_frame *held, __u32 length)
{
	__builtin_memset(held, 0, sizeof(*held));
	held->time_ns = bpf_ktime_get_ns();
	held->length = length;
}

static __always_inline int keep_frame_in(struct xdp_md *ctx, void *ring, __u32 length, const __u32 room)
{
	struct held_frame *held = bpf_ringbuf_reserve(ring, sizeof(*held) + room, 0);

	if (!held)
		return 0;
	describe_held(held, length);
	/* For the verifier, which has no use for what clang knows from the choice of `room`. */
	FORGET(length);
	if (length > room)
		goto discard;
	/*
	 * Or clang makes one comparison of the two, of a copy, from which Linux 6.12 learns nothing about the length itself. ETH_HLEN, which
	 * no frame here is below: from a comparison with 0 Linux learns nothing before 6.8.
	 */
	FORGET(length);
	if (length < ETH_HLEN || bpf_xdp_load_bytes(ctx, 0, held + 1, length))
		goto discard;
	bpf_ringbuf_submit(held, BPF_RB_NO_WAKEUP);
	return 1;
discard:
	bpf_ringbuf_discard(held, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Returns 1, or 0 when there was no room. */
__weak __noinline int keep_frame(struct xdp_md *ctx, __u32 id)
{
	void *ring = bpf_map_lookup_elem(&holds, &id);
	__u32 length = bpf_xdp_get_buff_len(ctx);

	if (!ring || length > HOLD_ROOM_LARGE)
		return 0;
	if (length <= HOLD_ROOM_SMALL)
		return keep_frame_in(ctx, ring, length, HOLD_ROOM_SMALL);
	if (length <= HOLD_ROOM_USUAL)
		return keep_frame_in(ctx, ring, length, HOLD_ROOM_USUAL);
	if (length <= HOLD_ROOM_JUMBO)
		return keep_frame_in(ctx, ring, length, HOLD_ROOM_JUMBO);
	return keep_frame_in(ctx, ring, length, HOLD_ROOM_LARGE);
}

static __always_inline int keep_skb_in(struct __sk_buff *skb, void *ring, __u32 length, const __u32 room)
{
	struct held_frame *held = bpf_ringbuf_reserve(ring, sizeof(*held) + room, 0);

	if (!held)
		return 0;
	describe_held(held, length);
	held->segment_size = skb->gso_size;
	if (skb->vlan_present) {
		held->tag = skb->vlan_tci;
		held->tag_protocol = bpf_ntohs(skb->vlan_proto);
	}
	FORGET(length);
	if (length > room)
		goto discard;
	FORGET(length);
	if (length < ETH_HLEN || bpf_skb_load_bytes(skb, 0, held + 1, length))
		goto discard;
	bpf_ringbuf_submit(held, BPF_RB_NO_WAKEUP);
	return 1;
discard:
	bpf_ringbuf_discard(held, BPF_RB_NO_WAKEUP);
	return 0;
}

/* The same for a frame on the bridge's way. */
__weak __noinline int keep_skb(struct __sk_buff *skb, __u32 id)
{
	void *ring = bpf_map_lookup_elem(&holds, &id);
	__u32 length = skb->len;

	if (!ring || length > HOLD_ROOM_LARGE)
		return 0;
	if (length <= HOLD_ROOM_SMALL)
		return keep_skb_in(skb, ring, length, HOLD_ROOM_SMALL);
	if (length <= HOLD_ROOM_USUAL)
		return keep_skb_in(skb, ring, length, HOLD_ROOM_USUAL);
	if (length <= HOLD_ROOM_JUMBO)
		return keep_skb_in(skb, ring, length, HOLD_ROOM_JUMBO);
	return keep_skb_in(skb, ring, length, HOLD_ROOM_LARGE);
}

#endif
