/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What was decided, how often. */
#ifndef UNIPATH_COUNTERS_H
#define UNIPATH_COUNTERS_H

#include "verdicts.h"

struct counter {
	__u64 packets;
	__u64 bytes;
};

/* Counters of one vNIC on one CPU. Row 0 counts frames of no known vNIC. */
struct vnic_counters {
	struct counter reasons[REASON_COUNT];
	/* Frames redirected toward the guest, by path and queue. */
	__u64 tap_queues[MAX_QUEUES];
	__u64 vf_queues[MAX_QUEUES];
	/* Frames received from the guest, by port. */
	struct counter from_tap;
	struct counter from_vf;
	__u64 cpu_handovers;	/* redirected through another CPU to reach the queue */
	__u64 flows_learnt;	/* new flow in a free slot */
	__u64 flows_moved;	/* known flow, new queue */
	__u64 path_changes;	/* the guest moved itself */
	__u64 flows_replaced;	/* new flow in the slot of one that had been quiet */
	__u64 flows_expired;	/* known flow whose queue was learnt too long ago to be used */
};
_Static_assert(sizeof(struct vnic_counters) == 1616, "struct vnic_counters is a wire format");

/* Per vNIC id. Per CPU, and a program runs on one CPU from start to end, so plain additions are exact. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct vnic_counters);
} counters __weak SEC(".maps");

/* On which port of a guest, and why, frames that it sent were dropped. */
struct guest_drop_key {
	__u32 vnic;
	enum port_role role;
	__u8 reason;		/* enum reason */
	__u8 reserved[2];
};
_Static_assert(sizeof(struct guest_drop_key) == 8, "struct guest_drop_key is a wire format");

/*
 * Frames from guests that were dropped; each is in `counters`, too, where the port is not told. For all CPUs: who is dropped need not be
 * quick. Room for eight reasons on each port.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VNICS * PORTS_PER_VNIC * 8);
	__type(key, struct guest_drop_key);
	__type(value, __u64);
} guest_drops __weak SEC(".maps");

/* What can go wrong after the programs have decided. */
enum redirect_error {
	REDIRECT_ERROR_REDIRECT = 0,	/* the kernel refused the redirect (xdp_redirect_err) */
	REDIRECT_ERROR_DEVMAP = 1,	/* the target device did not take frames (xdp_devmap_xmit) */
	REDIRECT_ERROR_CPUMAP = 2,	/* a CPU's queue was full (xdp_cpumap_enqueue) */
	REDIRECT_ERROR_EXCEPTION = 3,	/* a program returned XDP_ABORTED or a verdict that failed (xdp_exception) */
} __attribute__((packed));

struct redirect_error_key {
	__u32 ifindex;		/* kind REDIRECT and EXCEPTION: where the frame came in; DEVMAP: where it was going; CPUMAP: the CPU */
	__s32 error;		/* negative errno; 0 when the kernel gives none */
	enum redirect_error kind;
	__u8 reserved[3];
};
_Static_assert(sizeof(struct redirect_error_key) == 12, "struct redirect_error_key is a wire format");

/* Frames lost after the decision, by place and errno. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct redirect_error_key);
	__type(value, __u64);
} redirect_errors __weak SEC(".maps");

#endif
