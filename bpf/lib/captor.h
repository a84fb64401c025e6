/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * `unipath capture`: what is decided, beside the frame. Nothing here runs unless somebody captures. The frame is copied on the way
 * in, because its VLAN tag may be changed; on the way out the decision is put to it. Nothing waits for the reader: what the ring
 * has no room for is counted and left out.
 */
#ifndef UNIPATH_CAPTOR_H
#define UNIPATH_CAPTOR_H

#include "capture.h"
#include "forget.h"

/* CAPTURE_OFF, or what somebody wants to know of each frame. */
static __always_inline __u32 capturing(void)
{
	__u32 zero = 0;
	struct meta *meta = bpf_map_lookup_elem(&metas, &zero);

	return meta ? *(volatile __u32 *)&meta->capturing : CAPTURE_OFF;
}

/* Nobody reads any more: a reader that was killed could not say so. */
static __always_inline void end_capture(void)
{
	__u32 zero = 0;
	struct meta *meta = bpf_map_lookup_elem(&metas, &zero);

	if (meta)
		*(volatile __u32 *)&meta->capturing = CAPTURE_OFF;
}

/* On the way in. A function of its own, that the verifier looks at once. */
__weak __noinline int capture_frame(struct xdp_md *ctx)
{
	__u32 zero = 0, ifindex = ctx->ingress_ifindex, length = bpf_xdp_get_buff_len(ctx), captured = length;
	struct capture_config *config = bpf_map_lookup_elem(&capture_configs, &zero);
	struct capture_counts *counts = bpf_map_lookup_elem(&capture_counters, &zero);
	struct capture_scratch *scratch = bpf_map_lookup_elem(&capture_frames, &zero);
	__u64 now = bpf_ktime_get_ns();

	if (!config || !counts || !scratch)
		return 0;
	scratch->head.time_ns = 0;
	if (now > config->until_ns) {
		end_capture();
		return 0;
	}
	if (config->ifindex && ifindex != config->ifindex)
		return 0;
	counts->seen++;
	/* At random: a pattern in the traffic must not meet a pattern in the choice. */
	if (config->sample > 1 && bpf_get_prandom_u32() % config->sample)
		return 0;
	counts->sampled++;
	if (captured > config->snaplen)
		captured = config->snaplen;
	if (captured > CAPTURE_SNAPLEN)
		captured = CAPTURE_SNAPLEN;
	if (captured < 1)
		return 0;
	/* Changes nothing, but shows the verifier from what to what it is: from a comparison with 0 it learns nothing before Linux 6.8. */
	FORGET(captured);
	captured = ((captured - 1) & (CAPTURE_SNAPLEN - 1)) + 1;
	if (bpf_xdp_load_bytes(ctx, 0, scratch->bytes, captured))
		return 0;
	scratch->head.captured = captured;
	scratch->head.ifindex = ifindex;
	scratch->head.length = length;
	scratch->head.rx_queue = ctx->rx_queue_index;
	scratch->head.cpu = bpf_get_smp_processor_id();
	scratch->head.reserved = 0;
	scratch->head.time_ns = now;
	return 0;
}

static __always_inline int is_wanted(const struct capture_config *config, const struct capture_head *head)
{
	const struct decision *d = &head->decision;

	if (config->vnic && d->vnic != config->vnic && head->ifindex != config->tap_ifindex && head->ifindex != config->vf_ifindex)
		return 0;
	return (config->reasons >> (d->reason & 31) & 1) && (config->verdicts >> (head->verdict & 31) & 1);
}

/* On the way out, when the frame was copied on the way in. */
static __always_inline void capture_decision(const struct decision *d, __u32 verdict)
{
	__u32 zero = 0, captured;
	struct capture_config *config = bpf_map_lookup_elem(&capture_configs, &zero);
	struct capture_counts *counts = bpf_map_lookup_elem(&capture_counters, &zero);
	struct capture_scratch *scratch = bpf_map_lookup_elem(&capture_frames, &zero);

	if (!config || !counts || !scratch || !scratch->head.time_ns)
		return;
	scratch->head.decision = *d;
	scratch->head.verdict = verdict;
	if (is_wanted(config, &scratch->head)) {
		counts->matched++;
		captured = scratch->head.captured;
		FORGET(captured);
		if (captured > CAPTURE_SNAPLEN)
			captured = CAPTURE_SNAPLEN;
		/* The reader looks by itself: waking it from here would cost more than all the rest. */
		if (bpf_ringbuf_output(&capture_ring, scratch, sizeof(scratch->head) + captured, BPF_RB_NO_WAKEUP))
			counts->lost++;
	}
	scratch->head.time_ns = 0;
}

#endif
