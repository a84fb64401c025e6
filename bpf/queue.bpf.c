// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Second stage, on the CPU that reaches the chosen queue: redirect to the vNIC's port. The port is looked up afresh, so a
 * path that changed while the frame waited is honoured - unless the frame's VLAN tag was made for the other kind of port.
 */
#include "config.h"
#include "ports.h"
#include "count.h"
#include "vnic.h"

/* There is no way any more. The bridge may have the frame if it is as it came. */
static __always_inline int count_gone(__u32 id, struct vnic_counters *c, __u32 retagged, __u32 length)
{
	if (retagged)
		return count(id, c, REASON_DROP_RETAGGED, length, XDP_DROP);
	return count(id, c, REASON_PASS_NO_TARGET, length, XDP_PASS);
}

SEC("xdp.frags/cpumap")
int steer_queue(struct xdp_md *ctx)
{
	struct handover *handover = (void *)(long)ctx->data;
	__u32 id, ifindex, length = bpf_xdp_get_buff_len(ctx) - sizeof(*handover);
	const __u64 bits = 1ULL << HANDOVER_RETAGGED_SHIFT | 1ULL << HANDOVER_WIRE_SHIFT;
	__u32 retagged, wire;
	struct path_word *p;
	struct vnic *v;
	__u64 key;

	if ((void *)(handover + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED; /* cannot happen: the first stage put it there */
	key = handover->key & ~bits;
	retagged = handover->key >> HANDOVER_RETAGGED_SHIFT & 1;
	wire = handover->key >> HANDOVER_WIRE_SHIFT & 1;
	if (bpf_xdp_adjust_head(ctx, sizeof(*handover)))
		return XDP_ABORTED; /* cannot happen: a frame is longer than its Ethernet header */
	id = find_vnic(key);
	v = vnic_of(id);
	p = path_of(id);
	if (!id || !v || !p)
		return count_gone(0, counters_of(0), retagged, length);
	ifindex = is_accelerated(v, p) ? v->vf_ifindex : v->tap_ifindex;
	if (v->flags & VNIC_ACCESS && wire != (ifindex == v->uplink_ifindex))
		ifindex = wire ? v->uplink_ifindex : v->tap_ifindex;
	if (ifindex == v->vf_ifindex && v->flags & VNIC_VF_NO_TRANSMIT)
		return count_gone(id, counters_of(id), retagged, length);
	if (bpf_redirect_map(&tx_ports, ifindex, XDP_PASS) != XDP_REDIRECT)
		return count_gone(id, counters_of(id), retagged, length);
	return XDP_REDIRECT; /* counted by the first stage */
}

char _license[] SEC("license") = "Dual MIT/GPL";
