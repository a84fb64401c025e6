// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The guest plug-in (tc), inside the guest. The IP interface on the tap never changes; a VF, when there is one, is only
 * another way in and out of it:
 *   - unicast frames leave by the VF while it is registered, broadcast and multicast always by the tap;
 *   - unicast frames are accepted from both, broadcast and multicast from the tap;
 *   - the host can ask for the VF back (CONTROL_DRAIN): from the answer on, nothing more leaves by it.
 * The guest agent registers the VF and takes it off; the program itself notices when the device is gone.
 */
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include "plugin.h"

/* Marks a frame that came by the VF and is on its way into the IP interface, whose ingress hook it passes too. */
#define MARK_FROM_VF 0x756e6970

/* LLDP's group address: no bridge forwards it (IEEE Std 802.1Q, table 8-1). */
static const __u8 answer_address[ETH_ALEN] = { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e };

static __always_inline struct plugin_state *state_of_plugin(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&plugin_states, &zero);
}

static __always_inline void note_received(struct plugin_path *p)
{
	__u64 now = bpf_ktime_get_ns();

	__sync_fetch_and_add(&p->rx_packets, 1);
	if (!p->rx_first_ns)
		p->rx_first_ns = now;
	p->rx_last_ns = now;
}

static __always_inline void note_sent(struct plugin_path *p)
{
	__u64 now = bpf_ktime_get_ns();

	__sync_fetch_and_add(&p->tx_packets, 1);
	if (!p->tx_first_ns)
		p->tx_first_ns = now;
	p->tx_last_ns = now;
}

static __always_inline int same_address(const __u8 *a, const __u8 *b)
{
	return *(const __u16 *)a == *(const __u16 *)b && *(const __u16 *)(a + 2) == *(const __u16 *)(b + 2) &&
	       *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

/* Is the VF's device there, and does it take a frame of this size? */
static __always_inline int takes_frame(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 mtu = 0;

	return bpf_check_mtu(skb, ifindex, &mtu, 0, 0) == 0;
}

/* Egress of the IP interface. */
SEC("tc")
int plugin_egress(struct __sk_buff *skb)
{
	struct plugin_state *state = state_of_plugin();
	struct ethhdr *eth = (void *)(long)skb->data;
	__u32 vf;

	if (!state || (void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_OK;
	if (eth->h_dest[0] & 1)
		return TC_ACT_OK;
	vf = *(volatile __u32 *)&state->vf_ifindex;
	if (vf && !*(volatile __u8 *)&state->drained && takes_frame(skb, vf)) {
		note_sent(&state->vf);
		return bpf_redirect(vf, 0);
	}
	note_sent(&state->tap);
	return TC_ACT_OK;
}

/* Obeys a control frame of the host and turns it into its answer. */
static __always_inline int answer_control_frame(struct __sk_buff *skb, struct plugin_state *state)
{
	const __u32 command_at = sizeof(struct ethhdr) + __builtin_offsetof(struct control_frame, command);
	struct ethhdr *eth = (void *)(long)skb->data;
	struct control_frame *control = (void *)(eth + 1);
	enum control_command answer;

	if ((void *)(control + 1) > (void *)(long)skb->data_end || control->magic != bpf_htonl(CONTROL_MAGIC))
		return TC_ACT_SHOT;
	if (control->command == CONTROL_DRAIN)
		answer = CONTROL_DRAINED;
	else if (control->command == CONTROL_RESUME)
		answer = CONTROL_RESUMED;
	else
		return TC_ACT_SHOT;
	state->drained = answer == CONTROL_DRAINED;
	bpf_skb_store_bytes(skb, 0, answer_address, ETH_ALEN, 0);
	bpf_skb_store_bytes(skb, ETH_ALEN, state->mac, ETH_ALEN, 0);
	bpf_skb_store_bytes(skb, command_at, &answer, sizeof(answer), 0);
	return bpf_redirect(state->interface_ifindex, 0);
}

/* Ingress of the IP interface: frames from the tap, and those that plugin_vf_ingress brought over. */
SEC("tc")
int plugin_ingress(struct __sk_buff *skb)
{
	struct plugin_state *state = state_of_plugin();
	struct ethhdr *eth;

	if (skb->mark == MARK_FROM_VF) {
		skb->mark = 0;
		return TC_ACT_OK;
	}
	if (bpf_skb_pull_data(skb, 0))
		return TC_ACT_OK;
	eth = (void *)(long)skb->data;
	if (!state || (void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_OK;
	if (eth->h_proto == bpf_htons(CONTROL_ETHERTYPE))
		return answer_control_frame(skb, state);
	if (same_address(eth->h_source, state->mac))
		return TC_ACT_SHOT; /* our own broadcast, sent by the VF and flooded back to the tap */
	if (same_address(eth->h_dest, state->mac))
		note_received(&state->tap);
	return TC_ACT_OK;
}

/*
 * Ingress of the VF: into the IP interface. Not what is for everyone: an adapter that switches by itself gives it to its VFs and to
 * the host, whose bridge gives it to the tap.
 */
SEC("tc")
int plugin_vf_ingress(struct __sk_buff *skb)
{
	struct plugin_state *state = state_of_plugin();

	if (!state || !state->interface_ifindex)
		return TC_ACT_OK;
	if (skb->pkt_type == 1 /* PACKET_BROADCAST */ || skb->pkt_type == 2 /* PACKET_MULTICAST */)
		return TC_ACT_SHOT;
	if (skb->pkt_type == 0 /* PACKET_HOST */)
		note_received(&state->vf);
	skb->mark = MARK_FROM_VF;
	return bpf_redirect(state->interface_ifindex, BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
