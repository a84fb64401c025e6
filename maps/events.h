/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the programs tell the control plane at once. */
#ifndef UNIPATH_EVENTS_H
#define UNIPATH_EVENTS_H

#include "verdicts.h"
#include "capture.h"
#include "holds.h"
#include "ports.h"
#include "vnics.h"

enum event_kind {
	EVENT_PATH_CHANGED = 0,	/* the guest's own transmission moved the vNIC to `path` */
	EVENT_CONTROL = 1,	/* the guest plug-in answered a control frame */
	EVENT_HEARD = 2,	/* the guest hears on `path`: it answered a question there; or, during a hold, it transmitted on its VF */
} __attribute__((packed));

struct event {
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u32 vnic;
	__u32 generation;	/* of the path word after the change; for EVENT_CONTROL the number in the frame */
	__u32 ifindex;		/* where the frame came in */
	enum event_kind kind;
	enum vnic_path path;
	__u8 command;		/* enum control_command, for EVENT_CONTROL */
	__u8 reserved;
};
_Static_assert(sizeof(struct event) == 24, "struct event is a wire format");

/* Ring buffer of struct event. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events __weak SEC(".maps");

/* Events that the ring had no room for: nobody read it, or not soon enough. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} events_lost __weak SEC(".maps");

/*
 * Names the types that no map's key or value mentions, so that BTF carries them to the generator. It has one row, which
 * nobody reads.
 */
struct exported_types {
	struct event event;
	enum contract_limit contract_limit;
	enum reason reason;
	enum path_bit path_bit;
	struct handover handover;
	enum decision_none decision_none;
	enum handover_bit handover_bit;
	enum capture_limit capture_limit;
	struct capture_head capture_head;
	struct held_frame held_frame;
	enum hold_room hold_room;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exported_types);
} exported_types __weak SEC(".maps");

#endif
