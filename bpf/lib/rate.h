/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Does a guest send more than it may? */
#ifndef UNIPATH_RATE_H
#define UNIPATH_RATE_H

#include "rates.h"

/*
 * Returns 1 when the frame is too much; else its time is taken. Several CPUs may do this for one guest at once: time is added, never
 * written over, but when the guest was silent, and of those who see that at once one begins anew and the others add theirs. Out of
 * line: only limited vNICs call it.
 */
static __noinline int exceeds_rate(__u32 id, __u32 bytes)
{
	struct vnic_rate *r = bpf_map_lookup_elem(&vnic_rates, &id);
	__u64 now, free_at, cost;

	if (!r || !r->ps_per_byte)
		return 0;
	now = bpf_ktime_get_ns();
	cost = (__u64)bytes * r->ps_per_byte / 1000;
	free_at = *(volatile __u64 *)&r->free_at_ns;
	if (free_at > now + r->burst_ns)
		return 1;
	if (free_at >= now || __sync_val_compare_and_swap(&r->free_at_ns, free_at, now + cost) != free_at)
		__sync_fetch_and_add(&r->free_at_ns, cost);
	return 0;
}

#endif
