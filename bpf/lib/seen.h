/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Which IP addresses a guest uses, from its ARP and neighbour discovery: whom the control plane asks whether the guest hears. */
#ifndef UNIPATH_SEEN_H
#define UNIPATH_SEEN_H

#include "addresses.h"

/*
 * Probes, whose sender is 0.0.0.0 or ::, tell nothing. `offsets` and `kind` as for is_refused(). A function of its own, that the
 * verifier looks at once.
 */
__weak __noinline int note_addresses(struct xdp_md *ctx, __u32 id, __u32 offsets, __u32 kind)
{
	struct seen_addresses *seen = bpf_map_lookup_elem(&seen_addresses, &id);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *l3 = data + (offsets & FRAME_OFFSET_MASK), *l4 = data + (offsets >> 16 & FRAME_OFFSET_MASK);
	struct arp_header *arp = l3;
	struct ipv6hdr *ip = l3;
	struct nd_header *nd = l4;
	const __be32 *source;
	__be16 type = kind;
	__be32 sender;

	if (!seen)
		return 0;
	if (type == bpf_htons(ETH_P_ARP)) {
		if ((void *)(arp + 1) > end || arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_length != ETH_ALEN ||
		    arp->protocol_length != sizeof(sender))
			return 0;
		__builtin_memcpy(&sender, arp->sender, sizeof(sender));
		if (sender)
			seen->ipv4 = sender;
		return 0;
	}
	if ((void *)(ip + 1) > end || (void *)(&nd->type + 1) > end)
		return 0;
	if (nd->type != NEIGHBOUR_SOLICITATION && nd->type != NEIGHBOUR_ADVERTISEMENT)
		return 0;
	source = ip->saddr.in6_u.u6_addr32;
	if (!(source[0] | source[1] | source[2] | source[3]))
		return 0;
	seen->ipv6[0] = source[0];
	seen->ipv6[1] = source[1];
	seen->ipv6[2] = source[2];
	seen->ipv6[3] = source[3];
	return 0;
}

#endif
