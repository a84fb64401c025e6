/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* A frame for a vNIC of this host: which port, which queue, which CPU. Used by the uplink and by neighbours' ports. */
#ifndef UNIPATH_STEER_H
#define UNIPATH_STEER_H

#include "count.h"
#include "hash.h"
#include "ports.h"
#include "steerings.h"
#include "vnic.h"

/* The slot of a flow in its vNIC's slice. */
static __always_inline struct flow *flow_of(__u32 vnic, __u64 hash)
{
	__u32 index = vnic * flows_per_vnic + ((__u32)hash & (flows_per_vnic - 1));

	return bpf_map_lookup_elem(&flows, &index);
}

/* An entry is one word: read it whole. */
static __always_inline struct flow read_flow(struct flow *slot)
{
	__u64 word = *(volatile __u64 *)slot;
	struct flow flow;

	__builtin_memcpy(&flow, &word, sizeof(flow));
	return flow;
}

static __always_inline void write_flow(struct flow *slot, struct flow flow)
{
	__u64 word;

	__builtin_memcpy(&word, &flow, sizeof(word));
	*(volatile __u64 *)slot = word;
}

/* For the verifier; `queues` never exceeds MAX_QUEUES. The empty asm keeps clang from dropping the mask. */
static __always_inline __u32 bound_queue(__u32 queue)
{
	asm volatile("" : "+r"(queue));
	return queue & (MAX_QUEUES - 1);
}

/* The queue that the guest itself uses for this flow, or -1. */
static __always_inline int learnt_queue(__u32 vnic, const struct steering *s, const struct tuple *t)
{
	struct flow *slot, flow;
	__u32 queue;
	__u64 hash;

	if (t->l4 == L4_NONE)
		return -1;
	hash = flow_hash(t, 0);
	slot = flow_of(vnic, hash);
	if (!slot)
		return -1;
	flow = read_flow(slot);
	if (!flow.valid || flow.tag != hash >> 32 || flow.queue >= s->queues)
		return -1;
	queue = bound_queue(flow.queue);
	if (s->queue_cpus[queue] == QUEUE_UNREACHABLE)
		return -1;
	return queue;
}

/* The way to a queue that only another CPU reaches: through that CPU's queue, where steer_queue redirects it to the port. */
static __always_inline int hand_over(struct vnic_counters *c, __u32 cpu)
{
	int verdict = bpf_redirect_map(&cpus, cpu, XDP_PASS);

	if (c && verdict == XDP_REDIRECT)
		c->cpu_handovers++;
	/*
	 * Keeps clang from sharing this redirect's call with the other one: the kernel calls the map's own function directly
	 * only where it knows the map (12 ns).
	 */
	asm volatile("" : "+r"(verdict));
	return verdict;
}

/*
 * Redirects a frame to the vNIC's current port, on the queue that RFS or RSS gives, or passes it to the bridge with the
 * reason. The tuple must be parsed already.
 */
static __always_inline int steer(__u32 id, const struct vnic *v, struct vnic_counters *c, const struct frame *f,
				 const struct tuple *t)
{
	struct path_word *p = path_of(id);
	__u32 accelerated, ifindex, frame_max, row, zero = 0, queue = 0, cpu, here;
	enum reason reason = REASON_REDIRECT_SINGLE;
	struct steering *s;
	int verdict, learnt;

	if (!p)
		return count(c, REASON_PASS_NO_TARGET, f->length, XDP_PASS);
	accelerated = is_accelerated(v, p);
	if (!accelerated && !(v->flags & VNIC_CUT_THROUGH))
		return count(c, REASON_PASS_SOFTWARE, f->length, XDP_PASS);
	ifindex = accelerated ? v->vf_ifindex : v->tap_ifindex;
	frame_max = accelerated ? v->vf_frame_max : v->tap_frame_max;
	if (f->length - f->tag_length > frame_max)
		return count(c, REASON_PASS_OVERSIZE, f->length, XDP_PASS);

	row = id * PORTS_PER_VNIC + (accelerated ? PORT_VF : PORT_TAP);
	s = bpf_map_lookup_elem(&steerings, &row);
	if (!s)
		return count(c, REASON_PASS_NO_TARGET, f->length, XDP_PASS);
	if (s->queues > 1) {
		learnt = learnt_queue(id, s, t);
		if (learnt >= 0) {
			queue = learnt;
			reason = REASON_REDIRECT_RFS;
		} else {
			struct rss *r = bpf_map_lookup_elem(&rss, &zero);

			if (!r)
				return count(c, REASON_PASS_NO_TARGET, f->length, XDP_PASS);
			queue = s->reta[toeplitz_hash(r, t) & (RETA_SIZE - 1)];
			reason = REASON_REDIRECT_RSS;
		}
		queue = bound_queue(queue);
		cpu = s->queue_cpus[queue];
		/* Only a CPU congruent to the queue reaches it; any such CPU does, so stay on this one if it is. */
		here = bpf_get_smp_processor_id();
		if (here != cpu && here % s->queues != queue) {
			if (cpu != QUEUE_UNREACHABLE) {
				verdict = hand_over(c, cpu);
				goto out;
			}
			queue = bound_queue(here % s->queues);
		}
	}
	verdict = bpf_redirect_map(&tx_ports, ifindex, XDP_PASS);
out:
	if (verdict != XDP_REDIRECT)
		return count(c, REASON_PASS_NO_TARGET, f->length, XDP_PASS);
	if (c) {
		if (accelerated)
			c->vf_queues[queue]++;
		else
			c->tap_queues[queue]++;
	}
	return count(c, reason, f->length, verdict);
}

#endif
