// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * On the guest-facing ports, taps and VF ports: frames from a guest. Who may send is checked here, the guest's choice of
 * path and queue is learnt here, and frames go straight to a neighbour's port or to the uplink where that is right.
 */
#include "config.h"
#include "control_frame.h"
#include "events.h"
#include "remote.h"
#include "steer.h"

/* In ticks: a flow keeps its queue, and a vNIC its VF, until the old one has been quiet this long. */
#define QUIET_TICKS 2
/* In ticks: another flow may take the slot of one that has been quiet this long. */
#define FLOW_LIFETIME 64

static __always_inline void tell_path_changed(__u32 id, __u32 ifindex, __u64 word)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return;
	e->time_ns = bpf_ktime_get_ns();
	e->vnic = id;
	e->generation = word >> PATH_GENERATION_SHIFT;
	e->ifindex = ifindex;
	e->kind = EVENT_PATH_CHANGED;
	e->path = word & PATH_MASK;
	e->command = 0;
	e->reserved = 0;
	bpf_ringbuf_submit(e, 0);
}

/*
 * Receive follows transmit: the guest transmitted on this port, so that is its path. A frame from the tap moves the vNIC
 * off its VF only when the VF has been quiet for a while, because frames sent earlier on the slower path may still
 * arrive; and broadcast or multicast from a plug-in guest says nothing, it always takes the tap.
 */
static __always_inline void follow_transmission(__u32 id, const struct vnic *v, struct vnic_counters *c, int from_vf,
						const struct frame *f, __u32 ifindex, __u32 now)
{
	struct path_word *p = path_of(id);
	__u64 word, next;

	if (!p)
		return;
	word = *(volatile __u64 *)&p->word;
	if (from_vf) {
		if (p->vf_seen != now)
			p->vf_seen = now;
		if ((word & PATH_MASK) == PATH_ACCELERATED || !(word & PATH_VF_ALLOWED))
			return;
	} else {
		if ((word & PATH_MASK) == PATH_SOFTWARE || ticks_since(p->vf_seen, now) < QUIET_TICKS)
			return;
		if (f->multicast && (v->flags & VNIC_PLUGIN))
			return;
	}
	next = (word & ~(__u64)PATH_MASK) | (from_vf ? PATH_ACCELERATED : PATH_SOFTWARE);
	next += 1ULL << PATH_GENERATION_SHIFT;
	if (__sync_val_compare_and_swap(&p->word, word, next) != word)
		return; /* someone else moved it; the next frame looks again */
	if (c)
		c->path_changes++;
	tell_path_changed(id, ifindex, next);
}

/*
 * RFS: remembers the queue on which the guest sends this flow. A known flow moves to another queue only after the old
 * one has been quiet for it, so that frames still waiting there are not overtaken.
 */
static __always_inline void learn_flow(__u32 id, struct vnic_counters *c, const struct tuple *t, __u32 queue, __u32 now)
{
	__u64 hash = flow_hash(t, 1);
	struct flow *slot = flow_of(id, hash), flow;
	__u32 tag = hash >> 32, quiet;

	if (!slot)
		return;
	flow = read_flow(slot);
	quiet = ticks_since16(flow.seen, now);
	if (flow.valid && flow.tag == tag) {
		if (flow.queue == queue) {
			if (!quiet)
				return;
		} else {
			if (quiet < QUIET_TICKS)
				return;
			if (c)
				c->flows_moved++;
		}
	} else {
		if (flow.valid && quiet < FLOW_LIFETIME)
			return;
		if (c)
			c->flows_learnt++;
	}
	flow.tag = tag;
	flow.seen = now;
	flow.queue = queue;
	flow.valid = 1;
	write_flow(slot, flow);
}

/* A control frame from a guest is for unipathd, whatever it says; only an answer of the plug-in is passed on. */
static __always_inline int take_control_frame(struct xdp_md *ctx, struct cursor *cursor, __u32 id,
					      struct vnic_counters *c, const struct frame *f)
{
	struct control_frame *control = cursor->at;
	struct event *e;

	if ((void *)(control + 1) > cursor->end || control->magic != bpf_htonl(CONTROL_MAGIC) || f->tag_length)
		return count(c, REASON_DROP_CONTROL, f->length, XDP_DROP);
	if (control->command != CONTROL_DRAINED && control->command != CONTROL_RESUMED)
		return count(c, REASON_DROP_CONTROL, f->length, XDP_DROP);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (e) {
		e->time_ns = bpf_ktime_get_ns();
		e->vnic = id;
		e->generation = bpf_ntohl(control->sequence);
		e->ifindex = ctx->ingress_ifindex;
		e->kind = EVENT_CONTROL;
		e->path = 0;
		e->command = control->command;
		e->reserved = 0;
		bpf_ringbuf_submit(e, 0);
	}
	return count(c, REASON_CONTROL, f->length, XDP_DROP);
}

/* The source is not this port's vNIC: who owns the port, and what is wrong? */
static __always_inline int refuse_source(struct xdp_md *ctx, struct cursor *cursor, const struct frame *f)
{
	const __u64 mac_mask = 0xffffffffffffULL;
	__u32 ifindex = ctx->ingress_ifindex;
	struct port *port = bpf_map_lookup_elem(&ports, &ifindex);
	struct vnic_counters *c;
	enum reason reason = REASON_DROP_SPOOFED_MAC;
	struct vnic *v;

	if (!port && f->type == bpf_htons(CONTROL_ETHERTYPE))
		return count(counters_of(0), REASON_DROP_CONTROL, f->length, XDP_DROP);
	if (!port)
		return count(counters_of(0), REASON_PASS_UNKNOWN_PORT, f->length, XDP_PASS);
	c = counters_of(port->vnic);
	v = vnic_of(port->vnic);
	if (v && ((vnic_key(v->mac, 0) ^ f->source) & mac_mask) == 0) {
		/* The plug-in answers untagged, whatever the VLAN of its vNIC. */
		if (f->type == bpf_htons(CONTROL_ETHERTYPE) && !f->tag_length) {
			if (c)
				tally(port->role == PORT_VF ? &c->from_vf : &c->from_tap, f->length);
			return take_control_frame(ctx, cursor, port->vnic, c, f);
		}
		reason = REASON_DROP_SPOOFED_VLAN;
	}
	return count(c, reason, f->length, XDP_DROP);
}

SEC("xdp")
int steer_guest(struct xdp_md *ctx)
{
	struct cursor cursor = { .at = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
	__u32 id, to, ifindex = ctx->ingress_ifindex, uplink, now;
	struct vnic_counters *c, *to_counters;
	struct vnic *v, *to_vnic;
	struct frame f;
	struct tuple t;
	int from_vf, partial;

	if (parse_frame(&cursor, &f))
		return count(counters_of(0), REASON_PASS_RUNT, f.length, XDP_PASS);
	id = find_vnic(f.source);
	v = vnic_of(id);
	if (!id || !v || (ifindex != v->tap_ifindex && ifindex != v->vf_ifindex))
		return refuse_source(ctx, &cursor, &f);
	c = counters_of(id);
	from_vf = ifindex == v->vf_ifindex;
	if (c)
		tally(from_vf ? &c->from_vf : &c->from_tap, f.length);
	if (f.type == bpf_htons(CONTROL_ETHERTYPE))
		return take_control_frame(ctx, &cursor, id, c, &f);

	now = tick_now();
	follow_transmission(id, v, c, from_vf, &f, ifindex, now);
	if (f.multicast)
		return count(c, REASON_PASS_MULTICAST, f.length, XDP_PASS);
	if (f.tagged_twice)
		return count(c, REASON_PASS_TAGGED_TWICE, f.length, XDP_PASS);
	parse_tuple(&cursor, f.type, &t);
	if (t.l4 != L4_NONE)
		learn_flow(id, c, &t, ctx->rx_queue_index, now);
	partial = has_partial_checksum(&t);

	uplink = v->uplink_ifindex;
	to = find_vnic(f.destination);
	if (to) {
		to_vnic = vnic_of(to);
		to_counters = counters_of(to);
		if (!to_vnic || to == id)
			return count(c, REASON_PASS_UNKNOWN_MAC, f.length, XDP_PASS);
		if (to_vnic->uplink_ifindex != uplink)
			return count(c, REASON_PASS_OTHER_DOMAIN, f.length, XDP_PASS);
		if (partial)
			return count(to_counters, REASON_PASS_PARTIAL_CHECKSUM, f.length, XDP_PASS);
		return steer(to, to_vnic, to_counters, &f, &t);
	}
	if (!is_remote(f.destination, uplink, now))
		return count(c, REASON_PASS_UNKNOWN_MAC, f.length, XDP_PASS);
	if (!from_vf && !(v->flags & VNIC_CUT_THROUGH))
		return count(c, REASON_PASS_SOFTWARE, f.length, XDP_PASS);
	if (partial)
		return count(c, REASON_PASS_PARTIAL_CHECKSUM, f.length, XDP_PASS);
	if (f.length - f.tag_length > v->uplink_frame_max)
		return count(c, REASON_PASS_OVERSIZE, f.length, XDP_PASS);
	if (bpf_redirect_map(&tx_ports, uplink, XDP_PASS) != XDP_REDIRECT)
		return count(c, REASON_PASS_NO_TARGET, f.length, XDP_PASS);
	return count(c, REASON_REDIRECT_UPLINK, f.length, XDP_REDIRECT);
}

char _license[] SEC("license") = "Dual MIT/GPL";
