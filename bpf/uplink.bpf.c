// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* On the PF, whatever its driver. */
#include "uplink.h"

SEC("xdp.frags")
int steer_uplink(struct xdp_md *ctx)
{
	return steer_uplink_frame(ctx);
}

char _license[] SEC("license") = "Dual MIT/GPL";
