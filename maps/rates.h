/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* How much a guest may send, whatever its path. */
#ifndef UNIPATH_RATES_H
#define UNIPATH_RATES_H

#include "contract.h"

/*
 * A bucket of time (the virtual scheduling algorithm of ITU-T I.371, appendix I): every frame takes as long as it lasts at this rate, and
 * one that would begin more than `burst_ns` from now is dropped. All zero: no limit. Written by the control plane; `free_at_ns` by the
 * programs.
 */
struct vnic_rate {
	__u64 free_at_ns;	/* CLOCK_MONOTONIC: when all that was sent has been sent */
	__u64 burst_ns;
	__u32 ps_per_byte;	/* picoseconds */
	__u32 reserved;
};
_Static_assert(sizeof(struct vnic_rate) == 24, "struct vnic_rate is a wire format");

/* What a vNIC's guest may send, by id. Read only with VNIC_LIMITED. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct vnic_rate);
} vnic_rates __weak SEC(".maps");

#endif
