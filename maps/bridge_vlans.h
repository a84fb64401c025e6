/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Which VLANs of bridge ports are no longer as they were found. */
#ifndef UNIPATH_BRIDGE_VLANS_H
#define UNIPATH_BRIDGE_VLANS_H

#include "contract.h"

/* Notes that can be held: more than the taps, VF ports and uplinks of a full host with full trunks need. */
enum bridge_vlan_limit {
	BRIDGE_VLAN_NOTES = 65536,
};

struct bridge_vlan_key {
	__u32 ifindex;	/* of the bridge port */
	__u16 vid;
	__u16 reserved;
};
_Static_assert(sizeof(struct bridge_vlan_key) == 8, "struct bridge_vlan_key is a wire format");

enum bridge_vlan_flag {
	BRIDGE_VLAN_PRESENT = 1 << 0,
	BRIDGE_VLAN_PVID = 1 << 1,
	BRIDGE_VLAN_UNTAGGED = 1 << 2,
} __attribute__((packed));

struct bridge_vlan_note {
	enum bridge_vlan_flag before;	/* 0: the port was not in this VLAN */
	__u8 reserved[3];
};
_Static_assert(sizeof(struct bridge_vlan_note) == 4, "struct bridge_vlan_note is a wire format");

/*
 * How a VLAN of a bridge port was before the control plane changed it: written before the change and deleted after it is undone,
 * because a bridge does not say who set what. The programs never read it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BRIDGE_VLAN_NOTES);
	__type(key, struct bridge_vlan_key);
	__type(value, struct bridge_vlan_note);
} bridge_vlans __weak SEC(".maps");

#endif
