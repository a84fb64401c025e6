/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Where frames can be redirected to, and who owns the port they come from. */
#ifndef UNIPATH_PORTS_H
#define UNIPATH_PORTS_H

#include "verdicts.h"

/* The owner of a guest-facing port. */
struct port {
	__u32 vnic;
	enum port_role role;
	__u8 reserved[3];
};
_Static_assert(sizeof(struct port) == 8, "struct port is a wire format");

/* ifindex of a tap or VF port -> its vNIC. Read only when a frame's source is not its port's own vNIC. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VNICS * PORTS_PER_VNIC);
	__type(key, __u32);
	__type(value, struct port);
} ports __weak SEC(".maps");

/* Netdevs that may be redirected to, by ifindex: only those that are up. The kernel removes deleted ones itself. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, MAX_VNICS * PORTS_PER_VNIC + 64);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} tx_ports __weak SEC(".maps");

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
	__u32 learnt;	/* tick (TICK_SHIFT) when the slot was filled; a slot too old is emptied by its reader and learnt anew */
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
