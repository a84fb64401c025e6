/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Frames from a guest that are not let through. */
#ifndef UNIPATH_DROP_H
#define UNIPATH_DROP_H

#include "count.h"

/* By the port that it came in on. Out of line: the verifier looks at it once, and who is dropped need not be quick. */
__weak __noinline int note_guest_drop(__u32 id, __u32 role, __u32 reason)
{
	struct guest_drop_key key = { .vnic = id, .role = role, .reason = reason };
	__u64 none = 0, *frames = bpf_map_lookup_elem(&guest_drops, &key);

	if (!frames) {
		/* Another CPU may have been first. */
		bpf_map_update_elem(&guest_drops, &key, &none, BPF_NOEXIST);
		frames = bpf_map_lookup_elem(&guest_drops, &key);
	}
	if (frames)
		__sync_fetch_and_add(frames, 1);
	return 0;
}

/* Drops a frame that a known vNIC's guest sent by this port. */
static __always_inline int drop_from_guest(__u32 id, struct vnic_counters *c, enum port_role role, enum reason reason, __u32 bytes)
{
	note_guest_drop(id, role, reason);
	return count(id, c, reason, bytes, XDP_DROP);
}

#endif
