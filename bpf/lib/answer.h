/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the programs see of a guest, told to the control plane: on which path it transmits, and where it answers questions. */
#ifndef UNIPATH_ANSWER_H
#define UNIPATH_ANSWER_H

#include "count.h"
#include "events.h"
#include "vnic.h"

/* Out of line: it is hardly ever called. */
__weak __noinline int count_lost_event(void)
{
	__u32 zero = 0;
	__u64 *lost = bpf_map_lookup_elem(&events_lost, &zero);

	if (lost)
		(*lost)++;
	return 0;
}

/* Room for an event, or NULL; one that is lost is counted. */
static __always_inline struct event *reserve_event(void)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		count_lost_event();
	return e;
}

static __always_inline void tell(enum event_kind kind, __u32 id, __u32 ifindex, __u64 word, enum vnic_path path)
{
	struct event *e = reserve_event();

	if (!e)
		return;
	e->time_ns = bpf_ktime_get_ns();
	e->vnic = id;
	e->generation = word >> PATH_GENERATION_SHIFT;
	e->ifindex = ifindex;
	e->kind = kind;
	e->path = path;
	e->command = 0;
	e->reserved = 0;
	bpf_ringbuf_submit(e, 0);
}

/* What comes back for a question of ours proves that the guest hears on `path`. It is not passed on. */
static __always_inline int take_answer(__u32 id, __u32 ifindex, struct vnic_counters *c, const struct frame *f, enum vnic_path path)
{
	struct path_word *p = path_of(id);

	if (p)
		tell(EVENT_HEARD, id, ifindex, *(volatile __u64 *)&p->word, path);
	return count(id, c, REASON_CONTROL, f->length, XDP_DROP);
}

#endif
