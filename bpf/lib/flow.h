/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The table of flows: where a guest sends a flow, and where its last frame to the guest went. */
#ifndef UNIPATH_FLOW_H
#define UNIPATH_FLOW_H

#include "clock.h"
#include "counters.h"
#include "hash.h"
#include "steerings.h"

/* The slot of a flow in its vNIC's slice. */
static __always_inline struct flow *flow_of(__u32 vnic, __u64 hash)
{
	__u32 index = vnic * flows_per_vnic + ((__u32)hash & (flows_per_vnic - 1));

	return bpf_map_lookup_elem(&flows, &index);
}

/* A record is one word: read it whole. */
static __always_inline struct flow_record read_record(struct flow_record *record)
{
	__u64 word = *(volatile __u64 *)record;
	struct flow_record read;

	__builtin_memcpy(&read, &word, sizeof(read));
	return read;
}

static __always_inline void write_record(struct flow_record *record, __u32 tag, __u32 queue, __u32 now)
{
	struct flow_record written = { .tag = tag, .seen = now, .queue = queue, .valid = 1 };
	__u64 word;

	__builtin_memcpy(&word, &written, sizeof(word));
	*(volatile __u64 *)record = word;
}

static __always_inline void clear_record(struct flow_record *record)
{
	*(volatile __u64 *)record = 0;
}

/*
 * RFS: remembers the queue on which the guest sends this flow. A known flow moves to another queue only after it has been
 * quiet on the old one: a guest that sends from two CPUs in turn does not make it flap.
 */
static __always_inline void learn_flow(__u32 id, struct vnic_counters *c, const struct tuple *t, struct cursor addresses, __u32 queue,
				       __u32 now)
{
	__u64 hash = flow_hash(t, addresses, flow_seed_of(id), 1);
	struct flow *slot = flow_of(id, hash);
	struct flow_record learnt;
	__u32 tag = hash >> 32, quiet;

	if (!slot)
		return;
	learnt = read_record(&slot->learnt);
	quiet = ticks_since16(learnt.seen, now);
	if (learnt.valid && learnt.tag == tag) {
		if (learnt.queue == queue) {
			if (!quiet)
				return;
		} else {
			if (quiet < QUIET_TICKS)
				return;
			if (c)
				c->flows_moved++;
		}
	} else if (learnt.valid) {
		if (quiet < FLOW_LIFETIME)
			return;
		if (c)
			c->flows_replaced++;
	} else {
		if (c)
			c->flows_learnt++;
	}
	write_record(&slot->learnt, tag, queue, now);
}

#endif
