// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * On the guest-facing ports, taps and VF ports: frames from a guest. Who may send is checked here, the guest's choice of
 * path and queue is learnt here, and frames go straight to a neighbour's port or to the uplink where that is right.
 */
#include "addresses.h"
#include "answer.h"
#include "config.h"
#include "control_frame.h"
#include "drop.h"
#include "rate.h"
#include "remote.h"
#include "seen.h"
#include "steer.h"

/*
 * Receive follows transmit: the guest transmitted on this port, so that is its path. A frame from the tap moves the vNIC
 * off its VF only when the VF has been quiet for a while, because frames sent earlier on the slower path may still
 * arrive; and broadcast or multicast from a plug-in guest says nothing, it always takes the tap. Nor does IPv6 multicast from another
 * guest: before Linux 6.2 each slave of net_failover has an IPv6 stack of its own, which solicits and reports by its own device
 * (IFF_NO_ADDRCONF came to net/core/failover.c then).
 */
static __always_inline void follow_transmission(__u32 id, const struct vnic *v, struct vnic_counters *c, int from_vf,
						const struct frame *f, __u32 ifindex, __u32 now)
{
	struct path_word *p = path_of(id);
	__u64 word, next;

	if (!p)
		return;
	/* An adapter that switches by itself may give it back to the uplink. */
	if (!from_vf && f->multicast && p->tap_multicast != now)
		p->tap_multicast = now;
	word = *(volatile __u64 *)&p->word;
	/* Whoever holds its frames back decides; a guest that transmits on its VF hears there. */
	if (is_holding(p, word)) {
		if (!from_vf || p->vf_seen == now)
			return;
		p->vf_seen = now;
		if ((word & (PATH_MASK | PATH_RELEASE)) == PATH_SOFTWARE)
			tell(EVENT_HEARD, id, ifindex, word, PATH_ACCELERATED);
		return;
	}
	if (from_vf) {
		if (p->vf_seen != now)
			p->vf_seen = now;
		if ((word & PATH_MASK) == PATH_ACCELERATED || !(word & PATH_VF_ALLOWED))
			return;
	} else {
		if ((word & PATH_MASK) == PATH_SOFTWARE || ticks_since(p->vf_seen, now) < QUIET_TICKS)
			return;
		if (f->multicast && (v->flags & VNIC_PLUGIN || f->type == bpf_htons(ETH_P_IPV6)))
			return;
		/* What the guest sends on a VF behind the adapter's own switch is not seen here, so its silence says nothing. */
		if (v->vf_ifindex == v->uplink_ifindex)
			return;
	}
	next = (word & ~(__u64)PATH_MASK) | (from_vf ? PATH_ACCELERATED : PATH_SOFTWARE);
	next += 1ULL << PATH_GENERATION_SHIFT;
	if (__sync_val_compare_and_swap(&p->word, word, next) != word)
		return; /* someone else moved it; the next frame looks again */
	if (c)
		c->path_changes++;
	tell(EVENT_PATH_CHANGED, id, ifindex, next, next & PATH_MASK);
}

/* A control frame from a guest is for unipathd, whatever it says; only an answer of the plug-in is passed on. */
static __always_inline int take_control_frame(struct xdp_md *ctx, struct cursor *cursor, __u32 id,
					      struct vnic_counters *c, const struct frame *f, enum port_role role)
{
	struct control_frame *control = cursor->at;
	struct event *e;

	if ((void *)(control + 1) > cursor->end || control->magic != bpf_htonl(CONTROL_MAGIC) || f->tag_length)
		return drop_from_guest(id, c, role, REASON_DROP_CONTROL, f->length);
	if (control->command != CONTROL_DRAINED && control->command != CONTROL_RESUMED)
		return drop_from_guest(id, c, role, REASON_DROP_CONTROL, f->length);
	e = reserve_event();
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
	return count(id, c, REASON_CONTROL, f->length, XDP_DROP);
}

/*
 * May this vNIC send in the frame's VLAN? An access vNIC sends untagged, or with a priority tag; the others in any VLAN that leads
 * to them.
 */
static __always_inline int is_own_vlan(__u32 id, const struct vnic *v, const struct frame *f)
{
	/* A priority tag before another tag: a switch that takes it off would see the other as the VLAN. */
	if (f->tagged_twice && !f->vlan)
		return 0;
	if (v->flags & VNIC_ACCESS)
		return !f->vlan;
	return f->vlan == v->vlan || find_vnic(f->source) == id;
}

SEC("xdp.frags")
int steer_guest(struct xdp_md *ctx)
{
	const __u64 control_mac = bpf_htons(CONTROL_MAC_HIGH) | (__u64)bpf_htonl(CONTROL_MAC_LOW) << 16;
	const __u64 mac_mask = 0xffffffffffffULL;
	__u32 id, to, ifindex = ctx->ingress_ifindex, now, l3_offset;
	struct choice choice = FIRST_CHOICE;
	struct vnic_counters *c, *to_counters;
	struct vnic *v, *to_vnic;
	struct vnic_slot *port;
	struct cursor cursor, addresses;
	int from_vf, partial;
	__u64 destination;
	struct frame f;
	struct tuple t;
	__u16 vlan;

	if (capturing() == CAPTURE_FRAMES)
		capture_frame(ctx);
	if (parse_frame(ctx, &cursor, &f))
		return count(0, counters_of(0), REASON_PASS_RUNT, f.length, XDP_PASS);
	port = find_slot(port_key(ifindex));
	id = port ? port->vnic : 0;
	c = counters_of(id);
	v = vnic_of(id);
	if (!id || !v) {
		c = counters_of(0);
		if (f.type == bpf_htons(CONTROL_ETHERTYPE))
			return count(0, c, REASON_DROP_CONTROL, f.length, XDP_DROP);
		return count(0, c, REASON_PASS_UNKNOWN_PORT, f.length, XDP_PASS);
	}
	from_vf = port->role == PORT_VF;
	if ((vnic_key(v->mac, 0) ^ f.source) & mac_mask)
		return drop_from_guest(id, c, from_vf, REASON_DROP_SPOOFED_MAC, f.length);
	/* The plug-in answers untagged, whatever the VLAN of its vNIC. */
	if (f.type == bpf_htons(CONTROL_ETHERTYPE)) {
		if (c)
			tally(from_vf ? &c->from_vf : &c->from_tap, f.length);
		return take_control_frame(ctx, &cursor, id, c, &f, from_vf);
	}
	if (!is_own_vlan(id, v, &f))
		return drop_from_guest(id, c, from_vf, REASON_DROP_SPOOFED_VLAN, f.length);
	if (c)
		tally(from_vf ? &c->from_vf : &c->from_tap, f.length);
	if (!((f.destination ^ control_mac) & mac_mask))
		return take_answer(id, ifindex, c, &f, from_vf ? PATH_ACCELERATED : PATH_SOFTWARE);
	l3_offset = offset_in(ctx, cursor.at);
	parse_tuple(ctx, &cursor, &f, &t);
	if (v->flags & VNIC_CHECK_ADDRESSES) {
		__u32 offsets = l3_offset | offset_in(ctx, cursor.at) << 16;
		__u32 reason = is_refused(ctx, id, offsets, frame_kind(&f, &t), t.ports);

		if (reason < REASON_COUNT)
			return drop_from_guest(id, c, from_vf, reason, f.length);
	}
	if (!(v->flags & VNIC_PLUGIN) && (f.type == bpf_htons(ETH_P_ARP) || (t.family == 6 && t.protocol == IPPROTO_ICMPV6)))
		note_addresses(ctx, id, l3_offset | offset_in(ctx, cursor.at) << 16, frame_kind(&f, &t));

	now = tick_now();
	follow_transmission(id, v, c, from_vf, &f, ifindex, now);
	if (v->flags & VNIC_LIMITED && exceeds_rate(id, f.length))
		return drop_from_guest(id, c, from_vf, REASON_DROP_RATE, f.length);
	if (f.multicast)
		return count(id, c, REASON_PASS_MULTICAST, f.length, XDP_PASS);
	if (f.too_many_tags)
		return count(id, c, REASON_PASS_TOO_MANY_TAGS, f.length, XDP_PASS);
	addresses = addresses_of(ctx, &t);
	if (t.l4 != L4_NONE)
		learn_flow(id, c, &t, addresses, ctx->rx_queue_index, now);
	partial = has_partial_checksum(&t, addresses);

	vlan = v->flags & VNIC_ACCESS ? v->vlan : f.vlan;
	destination = key_in_vlan(f.destination, vlan);
	to = find_vnic(destination);
	if (to) {
		to_vnic = vnic_of(to);
		to_counters = counters_of(to);
		if (!to_vnic || to == id)
			return count(id, c, REASON_PASS_UNKNOWN_MAC, f.length, XDP_PASS);
		if (to_vnic->uplink_ifindex != v->uplink_ifindex)
			return count(id, c, REASON_PASS_OTHER_DOMAIN, f.length, XDP_PASS);
		if (partial)
			return count(to, to_counters, REASON_PASS_PARTIAL_CHECKSUM, f.length, XDP_PASS);
		return steer(ctx, to, to_vnic, to_counters, &f, &t, vlan, &choice);
	}
	if (!is_remote(destination, v->uplink_ifindex, now))
		return count(id, c, REASON_PASS_UNKNOWN_MAC, f.length, XDP_PASS);
	if (!from_vf && !(v->flags & VNIC_CUT_THROUGH))
		return count(id, c, REASON_PASS_SOFTWARE, f.length, XDP_PASS);
	if (partial)
		return count(id, c, REASON_PASS_PARTIAL_CHECKSUM, f.length, XDP_PASS);
	if (v->flags & VNIC_UPLINK_NO_TRANSMIT)
		return count(id, c, REASON_PASS_NO_TRANSMIT, f.length, XDP_PASS);
	if (f.length - f.tag_length > v->uplink_frame_max)
		return count(id, c, REASON_PASS_OVERSIZE, f.length, XDP_PASS);
	if (f.multi_buffer && !(v->flags & VNIC_UPLINK_MULTI_BUFFER))
		return count(id, c, REASON_PASS_MULTI_BUFFER, f.length, XDP_PASS);
	if (bpf_redirect_map(&tx_ports, v->uplink_ifindex, XDP_PASS) != XDP_REDIRECT)
		return count(id, c, REASON_PASS_NO_TARGET, f.length, XDP_PASS);
	if (change_tag(ctx, to_wire(&f, vlan), vlan))
		return count(id, c, REASON_PASS_NO_HEADROOM, f.length, XDP_PASS);
	return count_redirect(id, c, REASON_REDIRECT_UPLINK, f.length, v->uplink_ifindex, 0, DECISION_NO_QUEUE, DECISION_NO_CPU);
}

char _license[] SEC("license") = "Dual MIT/GPL";
