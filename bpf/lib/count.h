/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The one place where a verdict is counted, on the way out. */
#ifndef UNIPATH_COUNT_H
#define UNIPATH_COUNT_H

#include "captor.h"
#include "counters.h"

/* Counters of a vNIC on this CPU; id 0 for frames of no known vNIC. NULL only if the map is smaller than the id. */
static __always_inline struct vnic_counters *counters_of(__u32 id)
{
	return bpf_map_lookup_elem(&counters, &id);
}

static __always_inline void tally(struct counter *c, __u32 bytes)
{
	c->packets++;
	c->bytes += bytes;
}

/*
 * Writes the decision down for whoever asked for it. Out of line: it is rarely called, and its registers are not taken from those
 * who do not call it.
 */
static __noinline int note_decision(__u32 vnic, __u32 reason_and_verdict, __u32 target_ifindex, __u32 hash, __u32 queue_and_cpu)
{
	__u32 zero = 0;
	struct decision *d = bpf_map_lookup_elem(&decisions, &zero);

	if (!d)
		return 0;
	d->vnic = vnic;
	d->target_ifindex = target_ifindex;
	d->hash = hash;
	d->cpu = queue_and_cpu >> 16;
	d->queue = queue_and_cpu;
	d->reason = reason_and_verdict;
	capture_decision(d, reason_and_verdict >> 8);
	return 0;
}

/* Counts the frame under its reason, as one of that vNIC (0 = nobody's), and hands the verdict through. */
static __always_inline int count(__u32 id, struct vnic_counters *c, enum reason reason, __u32 bytes, int verdict)
{
	if (c)
		tally(&c->reasons[reason], bytes);
	if (capturing())
		note_decision(id, reason | verdict << 8, 0, 0, (__u32)DECISION_NO_CPU << 16 | DECISION_NO_QUEUE);
	return verdict;
}

/* The same for a redirect, whose target is known; `cpu` is DECISION_NO_CPU unless it is handed over. */
static __always_inline int count_redirect(__u32 id, struct vnic_counters *c, enum reason reason, __u32 bytes, __u32 target_ifindex,
					  __u32 hash, __u32 queue, __u32 cpu)
{
	if (c)
		tally(&c->reasons[reason], bytes);
	if (capturing())
		note_decision(id, reason | XDP_REDIRECT << 8, target_ifindex, hash, cpu << 16 | (queue & 0xff));
	return XDP_REDIRECT;
}

#endif
