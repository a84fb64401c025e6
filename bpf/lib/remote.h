/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Stations behind the uplink: learnt on the uplink, asked for on the guests' ports. */
#ifndef UNIPATH_REMOTE_H
#define UNIPATH_REMOTE_H

#include "clock.h"
#include "ports.h"
#include "vnic.h"

static __always_inline struct remote *remote_of(__u64 key)
{
	__u32 index = slot_of(key) & (REMOTE_SLOTS - 1);

	return bpf_map_lookup_elem(&remotes, &index);
}

/*
 * Remembers a sender. The clock is read only when the slot changes hands. Other CPUs read meanwhile: the key goes first and
 * comes back last.
 */
static __always_inline void learn_remote(__u64 source, __u32 uplink)
{
	struct remote *r = remote_of(source);

	if (!r || (r->key == source && r->uplink_ifindex == uplink))
		return;
	*(volatile __u64 *)&r->key = 0;
	*(volatile __u32 *)&r->uplink_ifindex = uplink;
	*(volatile __u32 *)&r->learnt = tick_now();
	*(volatile __u64 *)&r->key = source;
}

/*
 * Is this station behind that uplink? A slot past its lifetime is emptied: the bridge carries the frame, and the
 * station's next frame from the wire fills the slot again - or does not, when it has moved to this side.
 */
static __always_inline int is_remote(__u64 key, __u32 uplink, __u32 now)
{
	struct remote *r = remote_of(key);

	if (!r || r->key != key || r->uplink_ifindex != uplink)
		return 0;
	if (ticks_since(r->learnt, now) > REMOTE_LIFETIME) {
		r->key = 0;
		return 0;
	}
	return 1;
}

#endif
