// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Second stage, on the CPU that reaches the chosen queue: redirect to the vNIC's port. The port is looked up afresh, so a
 * path that changed while the frame waited is honoured.
 */
#include "config.h"
#include "ports.h"
#include "count.h"
#include "vnic.h"

SEC("xdp.frags/cpumap")
int steer_queue(struct xdp_md *ctx)
{
	struct handover *handover = (void *)(long)ctx->data;
	__u32 id, ifindex, length = bpf_xdp_get_buff_len(ctx) - sizeof(*handover);
	struct path_word *p;
	struct vnic *v;
	__u64 key;

	if ((void *)(handover + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED; /* cannot happen: the first stage put it there */
	key = handover->key;
	if (bpf_xdp_adjust_head(ctx, sizeof(*handover)))
		return XDP_ABORTED; /* cannot happen: a frame is longer than its Ethernet header */
	id = find_vnic(key);
	v = vnic_of(id);
	p = path_of(id);
	if (!id || !v || !p)
		return count(0, counters_of(0), REASON_PASS_NO_TARGET, length, XDP_PASS);
	ifindex = is_accelerated(v, p) ? v->vf_ifindex : v->tap_ifindex;
	if (bpf_redirect_map(&tx_ports, ifindex, XDP_PASS) != XDP_REDIRECT)
		return count(id, counters_of(id), REASON_PASS_NO_TARGET, length, XDP_PASS);
	return XDP_REDIRECT; /* counted by the first stage */
}

char _license[] SEC("license") = "Dual MIT/GPL";
