// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Where the bridge hands frames to the tap (tc egress) of a guest that hears on one path only: multicast, and all that the packet
 * programs left to the bridge. They wait with the others during a hold, and go to the VF port while the guest is on its VF.
 */
#include <linux/pkt_cls.h>
#include "config.h"
#include "count.h"
#include "hold.h"

SEC("tc")
int steer_tap(struct __sk_buff *skb)
{
	const __u64 mac_mask = 0xffffffffffffULL;
	struct vnic_slot *port = find_slot(port_key(skb->ifindex));
	__u32 id = port ? port->vnic : 0;
	struct vnic_counters *c = counters_of(id);
	struct path_word *p = path_of(id);
	struct vnic *v = vnic_of(id);
	__u64 source = 0;

	if (!id || !v || !p || v->flags & VNIC_PLUGIN)
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, ETH_ALEN, &source, ETH_ALEN))
		return TC_ACT_OK;
	/* It sent it by its VF, and the bridge floods. */
	if (!((vnic_key(v->mac, 0) ^ source) & mac_mask))
		return count(id, c, REASON_DROP_REFLECTED, skb->len, TC_ACT_SHOT);
	if (must_wait(id))
		return count(id, c, keep_skb(skb, id) ? REASON_HELD : REASON_DROP_HOLD_FULL, skb->len, TC_ACT_SHOT);
	if (!is_accelerated(v, p))
		return TC_ACT_OK;
	/* The adapter's own switch has given it to the VF already, or gives it what goes out by the uplink. */
	if (v->vf_ifindex == v->uplink_ifindex && (skb->pkt_type == 1 || skb->pkt_type == 2))
		return count(id, c, REASON_DROP_REFLECTED, skb->len, TC_ACT_SHOT);
	if (c)
		tally(&c->reasons[REASON_REDIRECT_VF], skb->len);
	return bpf_redirect(v->vf_ifindex, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
