/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The guest plug-in's own state. */
#ifndef UNIPATH_PLUGIN_H
#define UNIPATH_PLUGIN_H

#include "control_frame.h"

/* What the plug-in saw on one path. Times are CLOCK_MONOTONIC; unicast frames only. */
struct plugin_path {
	__u64 rx_packets;
	__u64 tx_packets;
	__u64 rx_first_ns;	/* set by the first frame after someone wrote 0 */
	__u64 rx_last_ns;
	__u64 tx_first_ns;
	__u64 tx_last_ns;
};

struct plugin_state {
	__u32 vf_ifindex;	/* the registered VF; 0 = none */
	__u32 interface_ifindex; /* the IP interface, on the tap */
	__u8 drained;		/* 1: the host asked for the VF back */
	__u8 mac[6];
	__u8 reserved[9];
	struct plugin_path tap;
	struct plugin_path vf;
};
_Static_assert(sizeof(struct plugin_state) == 120, "struct plugin_state is a wire format");

/* One row: what the plug-in does now. Written by the guest agent and, on a control frame, by the program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plugin_state);
} plugin_states __weak SEC(".maps");

/* Names the types that no map's key or value mentions, so that BTF carries them; it has one row, which nobody reads. */
struct exported_plugin_types {
	struct control_frame control_frame;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exported_plugin_types);
} plugin_types __weak SEC(".maps");

#endif
