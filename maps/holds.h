/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * Frames that are kept back while their guest changes its path: a guest with virtio failover hears on neither path for a while
 * (net_failover, drivers/net/net_failover.c in Linux), and what was sent to it then would be lost.
 */
#ifndef UNIPATH_HOLDS_H
#define UNIPATH_HOLDS_H

#include "verdicts.h"

/* Bytes of a frame that a record has room for: each frame takes the smallest that it fits into. */
enum hold_room {
	HOLD_ROOM_SMALL = 256,
	HOLD_ROOM_USUAL = 1600,
	HOLD_ROOM_JUMBO = 10240,
	HOLD_ROOM_LARGE = 66048,	/* an aggregated frame on the bridge's way */
};

/* Before the bytes of each frame, which are as the guest's port takes them. */
struct held_frame {
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u32 length;
	__u16 segment_size;	/* payload bytes of each frame that an aggregated one stands for; 0 = it is not one */
	__u16 tag;		/* VLAN tag (TCI) that is not among the bytes */
	__u16 tag_protocol;	/* its EtherType in host order; 0 = no such tag */
	__u8 reserved[6];
};
_Static_assert(sizeof(struct held_frame) == 24, "struct held_frame is a wire format");

/*
 * By vNIC id: the ring buffer that its frames wait in. It is made for each hold and bounds it. Pinned, so that what waits outlives
 * the daemon.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 4096);
	});
} holds __weak SEC(".maps");

#endif
