/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Who the vNICs are, through which ports each is reached, and on which path each is right now. */
#ifndef UNIPATH_VNICS_H
#define UNIPATH_VNICS_H

#include "verdicts.h"

enum vnic_flag {
	VNIC_CUT_THROUGH = 1 << 0,	/* on the software path, redirect straight to the tap instead of asking the bridge */
	VNIC_PLUGIN = 1 << 1,		/* the guest runs the plug-in: it accepts frames on both paths, and sends
					 * broadcast and multicast by the tap whatever its path is. Without it the guest
					 * hears on one path only (net_failover) */
	VNIC_WANT_SOFTWARE = 1 << 2,	/* the operator asked for the software path; read by the control plane only */
	VNIC_WANT_ACCELERATED = 1 << 3,	/* the operator asked for the VF; read by the control plane only */
	VNIC_ACCESS = 1 << 4,		/* the guest's frames are untagged; on the wire they carry `vlan` */
	VNIC_CHECK_ADDRESSES = 1 << 5,	/* its IP, ARP and ND sources must be among its `vnic_addresses` */
	/* The port takes frames in several buffers (NETDEV_XDP_ACT_NDO_XMIT_SG). */
	VNIC_TAP_MULTI_BUFFER = 1 << 6,
	VNIC_VF_MULTI_BUFFER = 1 << 7,
	VNIC_UPLINK_MULTI_BUFFER = 1 << 8,
	VNIC_LIMITED = 1 << 9,		/* what its guest sends is limited by its `vnic_rates` */
	/*
	 * The port's driver takes no frames from programs on other devices (no NETDEV_XDP_ACT_NDO_XMIT): they are left to the bridge,
	 * and steer_tap redirects those for the VF.
	 */
	VNIC_VF_NO_TRANSMIT = 1 << 10,
	VNIC_UPLINK_NO_TRANSMIT = 1 << 11,
};

/* One vNIC, as configured. Written by the control plane only. ifindex 0: no such port. */
struct vnic {
	__u32 tap_ifindex;
	/*
	 * The netdev through which the VF is reached from the host: its representor or host-side port; the uplink itself when
	 * the adapter's own switch (VEB) delivers to the VF.
	 */
	__u32 vf_ifindex;
	__u32 uplink_ifindex;	/* also the L2 domain: vNICs of different uplinks never meet here */
	enum vnic_flag flags;
	/* Largest frame the port takes, in bytes from the destination MAC address, the outer VLAN tag not counted. */
	__u16 tap_frame_max;
	__u16 vf_frame_max;
	__u16 uplink_frame_max;
	__u16 vlan;		/* the first of `vlans` */
	__u8 mac[6];
	/*
	 * VLAN ids of its frames on the wire, the first `vlan_count` of `vlans`; 0 = untagged. An access vNIC has one, not 0. Each has a
	 * slot in the index; the list is for the control plane, which must find them again.
	 */
	__u16 vlan_count;
	__u16 vlans[MAX_VLANS];
};
_Static_assert(sizeof(struct vnic) == 64, "struct vnic is a wire format");

/* Every vNIC, by id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct vnic);
} vnics __weak SEC(".maps");

/*
 * Who is meant: an address (MAC and VLAN, see vnic_key() in bpf/lib/parse.h) or a guest-facing port (see port_key() in
 * bpf/lib/vnic.h) to vNIC id. Open addressing, no deletion marks: a look-up visits VNIC_PROBES slots from slot_of(key); a slot
 * is published by writing `vnic` and `role` first and `key` last, and withdrawn by writing key 0. It replaces a hash map because
 * it costs a fifth of one and this look-up is the dearest of the program.
 */
struct vnic_slot {
	__u64 key;	/* 0 = free */
	__u32 vnic;
	enum port_role role;	/* of a port; of an address PORT_TAP */
	__u8 reserved[3];
};
_Static_assert(sizeof(struct vnic_slot) == 16, "struct vnic_slot is a wire format");

/* Address or port -> vNIC id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VNIC_SLOTS);
	__type(key, __u32);
	__type(value, struct vnic_slot);
} vnic_slots __weak SEC(".maps");

/*
 * The path of a vNIC is one 64-bit word, changed by compare-and-swap from both sides (the map is mmap-able):
 *   bits  0..7   enum vnic_path
 *   bit   8      PATH_VF_ALLOWED   the guest may move itself to the VF
 *   bit   9      PATH_HOLD         frames for the guest are kept back (`holds`) until hold_until_ns, and the path stays as it is
 *   bit   10     PATH_RELEASE      with PATH_HOLD: only while others still wait, so that none overtakes another
 *   bits 32..63  generation, raised by one with every change of path
 */
enum path_bit {
	PATH_MASK = 0xff,
	PATH_VF_ALLOWED = 1 << 8,
	PATH_HOLD = 1 << 9,
	PATH_RELEASE = 1 << 10,
	PATH_GENERATION_SHIFT = 32,
};

struct path_word {
	__u64 word;
	__u32 vf_seen;		/* tick when the guest last transmitted on the VF; written by the programs only */
	__u32 tap_multicast;	/* tick when it last sent broadcast or multicast by its tap; written by the programs only */
	__u64 hold_until_ns;	/* CLOCK_MONOTONIC: a hold ends by itself, whatever became of who began it */
};
_Static_assert(sizeof(struct path_word) == 24, "struct path_word is a wire format");

/* Which path each vNIC is on, by id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct path_word);
} paths __weak SEC(".maps");

/*
 * Addresses that the guest was last seen to use, by ARP and neighbour discovery: whom to ask whether it hears. Network order, all zero =
 * none seen.
 */
struct seen_addresses {
	__be32 ipv4;
	__be32 ipv6[4];
};
_Static_assert(sizeof(struct seen_addresses) == 20, "struct seen_addresses is a wire format");

/* By vNIC id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct seen_addresses);
} seen_addresses __weak SEC(".maps");

/* Addresses are compared as address & mask == prefix; network order. */
struct ipv4_prefix {
	__be32 prefix;
	__be32 mask;
};
_Static_assert(sizeof(struct ipv4_prefix) == 8, "struct ipv4_prefix is a wire format");

struct ipv6_prefix {
	__be32 prefix[4];
	__be32 mask[4];
};
_Static_assert(sizeof(struct ipv6_prefix) == 32, "struct ipv6_prefix is a wire format");

struct vnic_addresses {
	__u32 ipv4_count;
	__u32 ipv6_count;
	struct ipv4_prefix ipv4[MAX_PREFIXES];
	struct ipv6_prefix ipv6[MAX_PREFIXES];
};
_Static_assert(sizeof(struct vnic_addresses) == 648, "struct vnic_addresses is a wire format");

/* Which IP addresses a vNIC may speak for, by id. Read only with VNIC_CHECK_ADDRESSES. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct vnic_addresses);
} vnic_addresses __weak SEC(".maps");

#endif
