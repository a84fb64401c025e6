/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What `unipath capture` gets of each frame. */
#ifndef UNIPATH_CAPTURE_H
#define UNIPATH_CAPTURE_H

#include "decisions.h"

enum capture_limit {
	/* Values of meta.capturing. */
	CAPTURE_OFF = 0,
	CAPTURE_DECISIONS = 1,	/* write down the last decision in `decisions` */
	CAPTURE_FRAMES = 2,	/* that, and put it with its frame into `capture_ring`, as `capture_configs` says */
	/* Most bytes of one frame that are kept. */
	CAPTURE_SNAPLEN = 4096,
};

/* Which frames, and how much of each. 0 in an ifindex or a vNIC id stands for all. */
struct capture_config {
	/*
	 * CLOCK_MONOTONIC. The reader puts it off again and again; the first frame after it finds nobody there and sets meta.capturing
	 * back to CAPTURE_OFF.
	 */
	__u64 until_ns;
	__u32 snaplen;
	__u32 sample;		/* one frame in so many, drawn at random */
	__u32 ifindex;		/* where it comes in */
	__u32 vnic;		/* counted for it, or come in on one of its ports: */
	__u32 tap_ifindex;
	__u32 vf_ifindex;
	__u32 reasons;		/* bit set of enum reason */
	__u32 verdicts;		/* bit set of enum xdp_action */
};
_Static_assert(sizeof(struct capture_config) == 40, "struct capture_config is a wire format");
_Static_assert(REASON_COUNT <= 32, "a set of reasons is one word");

/* One row: what the reader wants. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture_config);
} capture_configs __weak SEC(".maps");

/* A record of `capture_ring`: this, then `captured` bytes of the frame as it came in. */
struct capture_head {
	__u64 time_ns;		/* CLOCK_MONOTONIC, before anything was decided */
	__u32 ifindex;		/* where it came in */
	__u32 length;		/* of the frame, all its buffers */
	__u32 captured;
	__u32 verdict;		/* enum xdp_action */
	__u16 rx_queue;
	__u16 cpu;
	__u32 reserved;
	struct decision decision;
};
_Static_assert(sizeof(struct capture_head) == 48, "struct capture_head is a wire format");

/* A record in the making. */
struct capture_scratch {
	struct capture_head head;	/* time_ns 0: there is none */
	__u8 bytes[CAPTURE_SNAPLEN];
};
_Static_assert(sizeof(struct capture_scratch) == 48 + CAPTURE_SNAPLEN, "struct capture_scratch is a wire format");

/* The frame that a program is working on now. One row per CPU, where no two programs run at once. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture_scratch);
} capture_frames __weak SEC(".maps");

/* How many frames came how far. */
struct capture_counts {
	__u64 seen;		/* on the interfaces that were asked for */
	__u64 sampled;		/* of these, drawn */
	__u64 matched;		/* of these, by vNIC, verdict and reason */
	__u64 lost;		/* of these, because the ring was full */
};
_Static_assert(sizeof(struct capture_counts) == 32, "struct capture_counts is a wire format");

/* Per CPU. The reader zeroes it first. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture_counts);
} capture_counters __weak SEC(".maps");

/* Ring buffer of struct capture_head and what follows it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 * 1024 * 1024);
} capture_ring __weak SEC(".maps");

#endif
