/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Where frames can be redirected to. */
#ifndef UNIPATH_PORTS_H
#define UNIPATH_PORTS_H

#include "verdicts.h"

/* Netdevs that may be redirected to, by ifindex: only those that are up. The kernel removes deleted ones itself. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, MAX_VNICS * PORTS_PER_VNIC + 64);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} tx_ports __weak SEC(".maps");

/* Devices whose egress hook (tc) has steer_tap. */
struct tap_program {
	__u32 made_qdisc;	/* 1: the clsact qdisc was made for it, and goes with it */
};
_Static_assert(sizeof(struct tap_program) == 4, "struct tap_program is a wire format");

/* By ifindex. Read and written by the control plane only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct tap_program);
} tap_programs __weak SEC(".maps");

enum handover_bit {
	HANDOVER_RETAGGED_SHIFT = 60,	/* its VLAN tag was changed */
	HANDOVER_WIRE_SHIFT = 61,	/* it was made for the uplink, behind which the VF is, so an access vNIC's has its tag */
};

/*
 * Put before a frame that is handed to another CPU, taken off there: the frame itself may no longer carry the VLAN tag that
 * its vNIC is found by.
 */
struct handover {
	__u64 key;	/* of the vNIC it is for, see vnic_key() in bpf/lib/parse.h; and enum handover_bit, which no key has */
};
_Static_assert(sizeof(struct handover) == 8, "struct handover is a wire format");

/* CPUs that may be handed a frame; each runs steer_queue on it. Sized to the possible CPUs before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, MAX_CPUS);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus __weak SEC(".maps");

/* A station behind the uplink, learnt from what it sends. */
struct remote {
	__u64 key;	/* MAC address and VLAN as in a vNIC slot */
	__u32 uplink_ifindex;
	__u32 learnt;	/* tick when the slot was filled; a slot too old is emptied by its reader and learnt anew */
};
_Static_assert(sizeof(struct remote) == 16, "struct remote is a wire format");

/* Stations behind the uplink: direct-mapped, a newcomer takes the slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REMOTE_SLOTS);
	__type(key, __u32);
	__type(value, struct remote);
} remotes __weak SEC(".maps");

#endif
