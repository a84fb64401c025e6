// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Second stage, on the CPU that reaches the chosen queue: redirect to the vNIC's port. The port is looked up afresh, so a
 * path that changed while the frame waited is honoured.
 */
#include "config.h"
#include "ports.h"
#include "count.h"
#include "vnic.h"

SEC("xdp/cpumap")
int steer_queue(struct xdp_md *ctx)
{
	struct cursor cursor = { .at = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
	struct path_word *p;
	struct frame f;
	struct vnic *v;
	__u32 id, ifindex;

	if (parse_frame(&cursor, &f))
		return XDP_PASS; /* cannot happen: the first stage parsed it */
	id = find_vnic(f.destination);
	v = vnic_of(id);
	p = path_of(id);
	if (!id || !v || !p)
		return count(counters_of(0), REASON_PASS_NO_TARGET, f.length, XDP_PASS);
	ifindex = is_accelerated(v, p) ? v->vf_ifindex : v->tap_ifindex;
	if (bpf_redirect_map(&tx_ports, ifindex, XDP_PASS) != XDP_REDIRECT)
		return count(counters_of(id), REASON_PASS_NO_TARGET, f.length, XDP_PASS);
	return XDP_REDIRECT; /* counted by the first stage */
}

char _license[] SEC("license") = "Dual MIT/GPL";
