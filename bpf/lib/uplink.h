/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * On the PF: frames from the wire. A frame for a vNIC is redirected to the port that its path names, on the queue that
 * RFS or RSS chooses; everything else goes to the bridge as if unipath were not there.
 */
#ifndef UNIPATH_UPLINK_H
#define UNIPATH_UPLINK_H

#include "answer.h"
#include "config.h"
#include "control_frame.h"
#include "remote.h"
#include "steer.h"

/*
 * An answer to a question of ours, from a VF behind the adapter's own switch: nothing else of what a guest sends there need come by here.
 * Returns the id of the vNIC, or 0.
 */
static __always_inline __u32 answering_vnic(struct xdp_md *ctx, const struct frame *f)
{
	const __u64 mac_mask = 0xffffffffffffULL;
	struct vnic *v;
	__u32 id;

	if ((__u32)f->destination != bpf_htonl(QUESTION_MAC_HIGH))
		return 0;
	id = bpf_ntohs(f->destination >> 32);
	v = vnic_of(id);
	if (!v || v->vf_ifindex != ctx->ingress_ifindex || (vnic_key(v->mac, 0) ^ f->source) & mac_mask)
		return 0;
	return id;
}

/*
 * Broadcast and multicast that a guest sent by its tap a moment ago, and that the adapter's own switch gives to the PF, too, as to every
 * function: the bridge would take the guest to be behind the uplink, and nobody would reach it. From another host, to which the guest has gone, it
 * comes later. Returns the id of the vNIC, or 0.
 */
static __always_inline __u32 reflected_vnic(struct xdp_md *ctx, const struct frame *f)
{
	__u32 id = find_vnic(f->source);
	struct path_word *p = path_of(id);
	struct vnic *v = vnic_of(id);

	if (!id || !v || !p || v->uplink_ifindex != ctx->ingress_ifindex)
		return 0;
	return ticks_since(p->tap_multicast, tick_now()) < REFLECTED_TICKS ? id : 0;
}

/* What becomes of it; the sender is looked at only where it answers a question, or comes back. */
static __always_inline int steer_from_wire(struct xdp_md *ctx, struct cursor *cursor, const struct frame *f, struct choice *choice)
{
	struct vnic_counters *c;
	struct tuple t;
	struct vnic *v;
	__u32 id;

	if (f->multicast) {
		id = reflected_vnic(ctx, f);
		if (!id)
			return count(0, counters_of(0), REASON_PASS_MULTICAST, f->length, XDP_PASS);
		choice->fresh = 1; /* who sent it is not behind the uplink */
		return count(id, counters_of(id), REASON_DROP_REFLECTED, f->length, XDP_DROP);
	}
	id = find_vnic(f->destination);
	c = counters_of(id);
	v = vnic_of(id);
	if (!id || !v) {
		id = answering_vnic(ctx, f);
		if (id)
			return take_answer(id, ctx->ingress_ifindex, counters_of(id), f, PATH_ACCELERATED);
		return count(0, counters_of(0), REASON_PASS_UNKNOWN_MAC, f->length, XDP_PASS);
	}
	if (v->uplink_ifindex != ctx->ingress_ifindex)
		return count(id, c, REASON_PASS_OTHER_DOMAIN, f->length, XDP_PASS);
	if (f->too_many_tags)
		return count(id, c, REASON_PASS_TOO_MANY_TAGS, f->length, XDP_PASS);
	parse_tuple(ctx, cursor, f, &t);
	if (uplink_partial_checksum && has_partial_checksum(&t, addresses_of(ctx, &t)))
		return count(id, c, REASON_PASS_PARTIAL_CHECKSUM, f->length, XDP_PASS);
	return steer(ctx, id, v, c, f, &t, f->vlan, choice);
}

/* A frame that came in on the PF. */
static __always_inline int steer_uplink_frame(struct xdp_md *ctx)
{
	struct choice choice = FIRST_CHOICE;
	struct vnic_counters *c;
	struct cursor cursor;
	struct frame f;
	int verdict;
	__u32 id;

	if (capturing() == CAPTURE_FRAMES)
		capture_frame(ctx);
	if (parse_frame(ctx, &cursor, &f))
		return count(0, counters_of(0), REASON_PASS_RUNT, f.length, XDP_PASS);
	/* To whomever: the bridge floods what it does not know, and a guest's plug-in would obey. */
	if (f.type == bpf_htons(CONTROL_ETHERTYPE)) {
		id = find_vnic(f.destination);
		c = counters_of(id);
		if (!c)
			return count(0, counters_of(0), REASON_DROP_CONTROL, f.length, XDP_DROP);
		return count(id, c, REASON_DROP_CONTROL, f.length, XDP_DROP);
	}
	verdict = steer_from_wire(ctx, &cursor, &f, &choice);
	/* Once per flow and tick is enough. */
	if (!choice.fresh)
		learn_remote(f.source, ctx->ingress_ifindex);
	return verdict;
}

#endif
