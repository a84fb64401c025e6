// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Where the bridge hands frames to the tap (tc egress) of a guest that hears on one path only: multicast, and all that the packet
 * programs left to the bridge. They wait with the others during a hold, and go to the VF port while the guest is on its VF. Also of a guest
 * with the plug-in whose VF port takes no frames from those programs: its unicast gets there by here.
 */
#include <linux/pkt_cls.h>
#include "config.h"
#include "count.h"
#include "hold.h"

/*
 * A VF behind the adapter's own switch is reached by the uplink; but what that switch has given to the VF by itself, or will do when the
 * bridge sends it out there, must not go out once more: it is for others, too, or it came in by the uplink.
 */
static __always_inline int to_vf(struct __sk_buff *skb, __u32 id, const struct vnic *v, struct vnic_counters *c, __u64 destination)
{
	const __u64 mac_mask = 0xffffffffffffULL;

	if (v->vf_ifindex == v->uplink_ifindex) {
		if ((vnic_key(v->mac, 0) ^ destination) & mac_mask)
			return count(id, c, REASON_DROP_REFLECTED, skb->len, TC_ACT_SHOT);
		if (skb->ingress_ifindex == v->uplink_ifindex)
			return TC_ACT_OK;
		/* On the wire an access vNIC's frames have their tag; the bridge has taken it off. */
		if (v->flags & VNIC_ACCESS && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), v->vlan))
			return TC_ACT_OK;
	}
	count_redirect(id, c, REASON_REDIRECT_VF, skb->len, v->vf_ifindex, 0, DECISION_NO_QUEUE, DECISION_NO_CPU);
	return bpf_redirect(v->vf_ifindex, 0);
}

SEC("tc")
int steer_tap(struct __sk_buff *skb)
{
	const __u64 mac_mask = 0xffffffffffffULL;
	struct vnic_slot *port = find_slot(port_key(skb->ifindex));
	__u32 id = port ? port->vnic : 0;
	struct vnic_counters *c = counters_of(id);
	struct path_word *p = path_of(id);
	struct vnic *v = vnic_of(id);
	__u64 destination = 0, source = 0;

	if (!id || !v || !p || (v->flags & VNIC_PLUGIN && !(v->flags & VNIC_VF_NO_TRANSMIT)))
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, 0, &destination, ETH_ALEN) || bpf_skb_load_bytes(skb, ETH_ALEN, &source, ETH_ALEN))
		return TC_ACT_OK;
	/* Broadcast and multicast have their place on the tap there. */
	if (v->flags & VNIC_PLUGIN && destination & 1)
		return TC_ACT_OK;
	/* It sent it by its VF, and the bridge floods. */
	if (!((vnic_key(v->mac, 0) ^ source) & mac_mask))
		return count(id, c, REASON_DROP_REFLECTED, skb->len, TC_ACT_SHOT);
	if (must_wait(id)) {
		if (has_heard(v, p, skb->ingress_ifindex))
			return count(id, c, REASON_DROP_REFLECTED, skb->len, TC_ACT_SHOT);
		return count(id, c, keep_skb(skb, id) ? REASON_HELD : REASON_DROP_HOLD_FULL, skb->len, TC_ACT_SHOT);
	}
	return is_accelerated(v, p) ? to_vf(skb, id, v, c, destination) : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
