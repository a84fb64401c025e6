/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What a program decided on its last frame, for `unipath capture`. Written only while somebody captures. */
#ifndef UNIPATH_DECISIONS_H
#define UNIPATH_DECISIONS_H

#include "verdicts.h"

/* In decision.queue and decision.cpu: none was chosen. */
enum decision_none {
	DECISION_NO_QUEUE = 0xff,
	DECISION_NO_CPU = 0xffff,
};

struct decision {
	__u32 vnic;		/* whose counters; 0 = no known vNIC's */
	__u32 target_ifindex;	/* of a redirect; 0 = none */
	__u32 hash;		/* RSS hash, when it was computed; else 0 */
	__u16 cpu;		/* that the frame was handed to */
	__u8 queue;		/* of the target port */
	__u8 reason;		/* enum reason */
};
_Static_assert(sizeof(struct decision) == 16, "struct decision is a wire format");

/* One row per CPU: the last decision made there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decision);
} decisions __weak SEC(".maps");

#endif
