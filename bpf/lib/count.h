/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The one place where a verdict is counted, on the way out. */
#ifndef UNIPATH_COUNT_H
#define UNIPATH_COUNT_H

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

/* Counts the frame under its reason and hands the verdict through. */
static __always_inline int count(struct vnic_counters *c, enum reason reason, __u32 bytes, int verdict)
{
	if (c)
		tally(&c->reasons[reason], bytes);
	return verdict;
}

#endif
