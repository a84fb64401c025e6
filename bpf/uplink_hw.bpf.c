// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * On a PF whose NIC tells programs its RSS hash: steer_uplink, but that hash is taken where it is ours. An object of its own, because it is loaded
 * once for each such device, and for no other.
 */
#include "nic_hash.h"
#include "uplink.h"

SEC("xdp.frags")
int steer_uplink_hw(struct xdp_md *ctx)
{
	return steer_uplink_frame(ctx);
}

char _license[] SEC("license") = "Dual MIT/GPL";
