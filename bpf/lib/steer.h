/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* A frame for a vNIC of this host: which port, which queue, which CPU. Used by the uplink and by neighbours' ports. */
#ifndef UNIPATH_STEER_H
#define UNIPATH_STEER_H

#include "count.h"
#include "flow.h"
#include "hold.h"
#include "ports.h"
#include "tag.h"
#include "vnic.h"

/* The NIC's hash of a frame; only a program of one device can ask for it (nic_hash.h). */
#ifndef NIC_HASH
#define NIC_HASH(ctx, tuple, types, hash) 0
#endif

/* What was decided about the queue. */
struct choice {
	__u32 queue;
	__u32 hash;	/* RSS hash, if it was needed */
	enum reason reason;
	__u32 fresh;	/* 1: another frame of this flow was steered in the same tick, so it has told all that is to be known */
};

#define FIRST_CHOICE { .reason = REASON_REDIRECT_SINGLE }

/* For the verifier; `queues` never exceeds MAX_QUEUES. The empty asm keeps clang from dropping the mask. */
static __always_inline __u32 bound_queue(__u32 queue)
{
	asm volatile("" : "+r"(queue));
	return queue & (MAX_QUEUES - 1);
}

/* Does the port have this queue, and does a CPU reach it? */
static __always_inline int is_usable(const struct steering *s, __u32 queue)
{
	return queue < s->queues && s->queue_cpus[bound_queue(queue)] != QUEUE_UNREACHABLE;
}

static __always_inline void choose_by_hash(struct xdp_md *ctx, const struct steering *s, const struct tuple *t, struct choice *choice)
{
	if (!s->nic_hash || !NIC_HASH(ctx, t, s->hash_types, &choice->hash))
		choice->hash = toeplitz_hash(ctx, t, s->rss_row, s->hash_types);
	choice->queue = s->reta[choice->hash & (RETA_SIZE - 1)];
	choice->reason = REASON_REDIRECT_RSS;
}

/*
 * RFS, then RSS. A flow that shall change its queue keeps the old one until no frame has come for it for QUIET_TICKS, so that none
 * overtakes another; the record that tells it belongs to one flow at a time. Another flow that meets it
 *   younger than QUIET_TICKS      goes by RSS and leaves no trace,
 *   younger than twice that       takes it over, still on its RSS queue, because it may have been there without a trace,
 *   older                         takes it over: whatever it sent before is long delivered.
 * While the slot is learnt for another flow there is nothing to wait for, and so no trace is needed either; it begins to leave
 * one QUIET_TICKS before it may be learnt itself.
 */
static __always_inline void choose_queue(struct xdp_md *ctx, __u32 id, struct vnic_counters *c, const struct steering *s,
					 const struct tuple *t, struct choice *choice)
{
	struct flow_record learnt, steered;
	__u32 tag, now, quiet, rss_queue;
	int known = 0, mine;
	struct flow *slot;
	__u64 hash;

	if (t->l4 == L4_NONE) {
		choose_by_hash(ctx, s, t, choice);
		return;
	}
	hash = flow_hash(t, addresses_of(ctx, t), flow_seed_of(id), 0);
	slot = flow_of(id, hash);
	if (!slot) {
		choose_by_hash(ctx, s, t, choice);
		return;
	}
	tag = hash >> 32;
	now = tick_now();
	learnt = read_record(&slot->learnt);
	steered = read_record(&slot->steered);
	quiet = ticks_since16(steered.seen, now);
	mine = steered.valid && steered.tag == tag;
	if (learnt.valid && learnt.tag == tag) {
		if (ticks_since16(learnt.seen, now) > FLOW_EXPIRY) {
			clear_record(&slot->learnt);
			if (c)
				c->flows_expired++;
		} else {
			known = is_usable(s, learnt.queue);
		}
	}
	if (known && mine && steered.queue == learnt.queue) {
		choice->hash = 0;
		choice->queue = learnt.queue;
		choice->reason = REASON_REDIRECT_RFS;
		if (quiet)
			write_record(&slot->steered, tag, learnt.queue, now);
		else
			choice->fresh = 1;
		return;
	}
	choose_by_hash(ctx, s, t, choice);
	if (!mine && steered.valid && quiet < QUIET_TICKS)
		return;
	if (!mine && learnt.valid && learnt.tag != tag && ticks_since16(learnt.seen, now) < FLOW_LIFETIME - QUIET_TICKS)
		return;
	rss_queue = choice->queue;
	if (known) {
		choice->queue = learnt.queue;
		choice->reason = REASON_REDIRECT_RFS;
	}
	if (mine) {
		if (choice->queue != steered.queue && quiet < QUIET_TICKS && is_usable(s, steered.queue)) {
			choice->queue = steered.queue;
			choice->reason = REASON_REDIRECT_DRAIN;
		}
	} else if (steered.valid && quiet < 2 * QUIET_TICKS && choice->queue != rss_queue) {
		choice->queue = rss_queue;
		choice->reason = REASON_REDIRECT_DRAIN;
	}
	if (!mine || quiet || steered.queue != choice->queue)
		write_record(&slot->steered, tag, choice->queue, now);
	else
		choice->fresh = 1;
}

/* The way to a queue that only another CPU reaches: through that CPU's queue, where steer_queue redirects it to the port. */
static __always_inline int hand_over(__u32 cpu)
{
	int verdict = bpf_redirect_map(&cpus, cpu, XDP_PASS);

	/*
	 * Keeps clang from sharing this redirect's call with the other one: the kernel calls the map's own function directly
	 * only where it knows the map (12 ns).
	 */
	asm volatile("" : "+r"(verdict));
	return verdict;
}

/* Puts the key before the frame, for steer_queue. Returns 0, or -1 when there is no room. */
static __always_inline int push_handover(struct xdp_md *ctx, __u64 key)
{
	struct handover *handover;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*handover)))
		return -1;
	handover = (void *)(long)ctx->data;
	if ((void *)(handover + 1) > (void *)(long)ctx->data_end)
		return -1; /* cannot happen: it was just made */
	handover->key = key;
	return 0;
}

/* Keeps the frame back, as its guest's port takes it. */
static __always_inline int hold(struct xdp_md *ctx, __u32 id, const struct vnic *v, struct vnic_counters *c, const struct frame *f,
				__u16 vlan)
{
	enum tag_change change = to_wire(f, vlan);

	if (v->flags & VNIC_ACCESS)
		change = f->vlan ? TAG_POP : TAG_KEEP;
	if (change_tag(ctx, change, vlan))
		return count(id, c, REASON_PASS_NO_HEADROOM, f->length, XDP_PASS);
	return count(id, c, keep_frame(ctx, id) ? REASON_HELD : REASON_DROP_HOLD_FULL, f->length, XDP_DROP);
}

/*
 * Redirects a frame to the vNIC's current port, on the queue that RFS or RSS gives, or passes it to the bridge with the
 * reason. `vlan` is the VLAN that the frame is in, whatever tag it carries now. The tuple must be parsed already, and the choice be
 * FIRST_CHOICE.
 */
static __always_inline int steer(struct xdp_md *ctx, __u32 id, const struct vnic *v, struct vnic_counters *c, const struct frame *f,
				 const struct tuple *t, __u16 vlan, struct choice *choice)
{
	struct path_word *p = path_of(id);
	__u32 accelerated, ifindex, frame_max, multi_buffer, row, cpu = DECISION_NO_CPU, here;
	enum tag_change change;
	struct steering *s;

	if (!p)
		return count(id, c, REASON_PASS_NO_TARGET, f->length, XDP_PASS);
	if (*(volatile __u64 *)&p->word & PATH_HOLD && must_wait(id)) {
		/* A question of ours to a parked VF, which the adapter's own switch gives back, is none for later. */
		if (has_heard(v, p, ctx->ingress_ifindex) || (__u32)f->source == bpf_htonl(QUESTION_MAC_HIGH))
			return count(id, c, REASON_DROP_REFLECTED, f->length, XDP_DROP);
		return hold(ctx, id, v, c, f, vlan);
	}
	accelerated = is_accelerated(v, p);
	if (!accelerated && !(v->flags & VNIC_CUT_THROUGH))
		return count(id, c, REASON_PASS_SOFTWARE, f->length, XDP_PASS);
	ifindex = accelerated ? v->vf_ifindex : v->tap_ifindex;
	frame_max = accelerated ? v->vf_frame_max : v->tap_frame_max;
	multi_buffer = accelerated ? VNIC_VF_MULTI_BUFFER : VNIC_TAP_MULTI_BUFFER;
	if (ifindex == ctx->ingress_ifindex) {
		/* The adapter's own switch gave it to the VF, and the bridge would take its sender to be behind the uplink. */
		if (ifindex == v->uplink_ifindex && find_vnic(f->source))
			return count(id, c, REASON_DROP_REFLECTED, f->length, XDP_DROP);
		return count(id, c, REASON_PASS_SAME_PORT, f->length, XDP_PASS);
	}
	if (accelerated && v->flags & VNIC_VF_NO_TRANSMIT)
		return count(id, c, REASON_PASS_NO_TRANSMIT, f->length, XDP_PASS);
	if (f->length - f->tag_length > frame_max)
		return count(id, c, REASON_PASS_OVERSIZE, f->length, XDP_PASS);
	if (f->multi_buffer && !(v->flags & multi_buffer))
		return count(id, c, REASON_PASS_MULTI_BUFFER, f->length, XDP_PASS);
	row = id * PORTS_PER_VNIC + (accelerated ? PORT_VF : PORT_TAP);
	s = bpf_map_lookup_elem(&steerings, &row);
	if (!s)
		return count(id, c, REASON_PASS_NO_TARGET, f->length, XDP_PASS);
	if (s->queues > 1) {
		choose_queue(ctx, id, c, s, t, choice);
		choice->queue = bound_queue(choice->queue);
		/* Only a CPU congruent to the queue reaches it; any such CPU does, so stay on this one if it is. */
		here = bpf_get_smp_processor_id();
		if (here != s->queue_cpus[choice->queue] && here % s->queues != choice->queue) {
			cpu = s->queue_cpus[choice->queue];
			if (cpu == QUEUE_UNREACHABLE) {
				cpu = DECISION_NO_CPU;
				choice->queue = bound_queue(here % s->queues);
			}
		}
	}
	if ((cpu != DECISION_NO_CPU ? hand_over(cpu) : bpf_redirect_map(&tx_ports, ifindex, XDP_PASS)) != XDP_REDIRECT)
		return count(id, c, REASON_PASS_NO_TARGET, f->length, XDP_PASS);
	/* A VF behind the adapter's own switch is reached as if by the wire. */
	if (v->flags & VNIC_ACCESS && ifindex != v->uplink_ifindex)
		change = f->vlan ? TAG_POP : TAG_KEEP;
	else
		change = to_wire(f, vlan);
	/* Only now: what the bridge gets is as it came. */
	if (change != TAG_KEEP && change_tag(ctx, change, vlan))
		return count(id, c, REASON_PASS_NO_HEADROOM, f->length, XDP_PASS);
	if (cpu != DECISION_NO_CPU) {
		__u64 key = key_in_vlan(f->destination, vlan);

		key |= (__u64)(change != TAG_KEEP) << HANDOVER_RETAGGED_SHIFT;
		key |= (__u64)(ifindex == v->uplink_ifindex) << HANDOVER_WIRE_SHIFT;
		if (push_handover(ctx, key)) {
			if (change == TAG_KEEP)
				return count(id, c, REASON_PASS_NO_HEADROOM, f->length, XDP_PASS);
			return count(id, c, REASON_DROP_RETAGGED, f->length, XDP_DROP);
		}
	}
	if (c) {
		if (cpu != DECISION_NO_CPU)
			c->cpu_handovers++;
		if (accelerated)
			c->vf_queues[choice->queue]++;
		else
			c->tap_queues[choice->queue]++;
	}
	return count_redirect(id, c, choice->reason, f->length, ifindex, choice->hash, choice->queue, cpu);
}

#endif
