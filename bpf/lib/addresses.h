/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Does a guest speak only for its own IP addresses? ARP, neighbour discovery and IP sources against `vnic_addresses`. */
#ifndef UNIPATH_ADDRESSES_H
#define UNIPATH_ADDRESSES_H

#include <linux/icmpv6.h>
#include "parse.h"
#include "vnics.h"

#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define DHCP_SERVER_PORT 67

/* ARP for IPv4 over Ethernet (RFC 826). */
struct arp_header {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target[4];
};

/* RFC 4861 sections 4.3 and 4.4. */
struct nd_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 flags;
	__be32 target[4];
};

static __always_inline int is_own_ipv4(const struct vnic_addresses *own, __be32 address)
{
	for (int i = 0; i < MAX_PREFIXES; i++) {
		if (i >= own->ipv4_count)
			break;
		if ((address & own->ipv4[i].mask) == own->ipv4[i].prefix)
			return 1;
	}
	return 0;
}

static __always_inline int is_own_ipv6(const struct vnic_addresses *own, const __be32 *address)
{
	for (int i = 0; i < MAX_PREFIXES; i++) {
		const struct ipv6_prefix *p = &own->ipv6[i];

		if (i >= own->ipv6_count)
			break;
		if ((address[0] & p->mask[0]) == p->prefix[0] && (address[1] & p->mask[1]) == p->prefix[1] &&
		    (address[2] & p->mask[2]) == p->prefix[2] && (address[3] & p->mask[3]) == p->prefix[3])
			return 1;
	}
	return 0;
}

/* What the frame is, for is_refused(). */
static __always_inline __u32 frame_kind(const struct frame *f, const struct tuple *t)
{
	return f->type | (__u32)t->protocol << 16 | (__u32)t->family << 24 | (__u32)t->l4 << 28;
}

/* The sender of every ARP frame; 0.0.0.0 asks whether an address is free (RFC 5227 section 1.1). */
static __always_inline int is_spoofed_arp(const struct vnic_addresses *own, const struct vnic *v, void *at, void *end)
{
	struct arp_header *arp = at;
	__be32 sender;

	if ((void *)(arp + 1) > end || arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_length != ETH_ALEN ||
	    arp->protocol_length != sizeof(sender))
		return 1;
	if (vnic_key(arp->sender_mac, 0) != vnic_key(v->mac, 0))
		return 1;
	__builtin_memcpy(&sender, arp->sender, sizeof(sender));
	return sender && !is_own_ipv4(own, sender);
}

/*
 * The unspecified address is for those who have none yet: DHCP (RFC 2131) and IGMP (RFC 3376 section 4.2.13), duplicate
 * address detection (RFC 4862 section 5.4.2) and MLD (RFC 3590), so all of ICMPv6.
 */
static __always_inline int is_spoofed_ipv4(const struct vnic_addresses *own, void *at, void *end, __u32 protocol, __u32 l4, __u32 ports)
{
	struct iphdr *ip = at;

	if ((void *)(ip + 1) > end)
		return 1;
	if (ip->saddr)
		return !is_own_ipv4(own, ip->saddr);
	return protocol != IPPROTO_IGMP && (l4 != L4_UDP || ports >> 16 != bpf_htons(DHCP_SERVER_PORT));
}

/* Who asks whether an address is free claims it; who answers has it. One whose target cannot be read has none. */
static __always_inline int is_spoofed_nd(const struct vnic_addresses *own, void *at, void *end, int unspecified)
{
	struct nd_header *nd = at;

	if ((void *)(&nd->type + 1) > end)
		return 1;
	if (nd->type != NEIGHBOUR_ADVERTISEMENT && (nd->type != NEIGHBOUR_SOLICITATION || !unspecified))
		return 0;
	return (void *)(nd + 1) > end || !is_own_ipv6(own, nd->target);
}

/*
 * Does the guest claim an address that is not its vNIC's? Returns the reason to refuse the frame, or REASON_COUNT. What says it is
 * IP and cannot be read cannot be proven. `offsets`: of what is behind the EtherType, and << 16 of what is behind the IP
 * headers; `kind` from frame_kind(). A function of its own, that the verifier looks at once.
 */
__weak __noinline __u32 is_refused(struct xdp_md *ctx, __u32 id, __u32 offsets, __u32 kind, __u32 ports)
{
	struct vnic_addresses *own = bpf_map_lookup_elem(&vnic_addresses, &id);
	struct vnic *v = bpf_map_lookup_elem(&vnics, &id);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *l3 = data + (offsets & FRAME_OFFSET_MASK), *l4 = data + (offsets >> 16 & FRAME_OFFSET_MASK);
	__u32 protocol = kind >> 16 & 0xff, family = kind >> 24 & 0xf;
	__be16 type = kind;
	struct ipv6hdr *ip = l3;
	const __be32 *source;
	int unspecified;

	if (!own || !v)
		return REASON_DROP_SPOOFED_IP;
	if (type == bpf_htons(ETH_P_ARP))
		return is_spoofed_arp(own, v, l3, end) ? REASON_DROP_SPOOFED_ARP : REASON_COUNT;
	/* More tags than are read: a receiver may take them all off (Linux does so with priority tags). */
	if (is_tag(type))
		return REASON_DROP_SPOOFED_IP;
	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return REASON_COUNT;
	if (!family)
		return REASON_DROP_SPOOFED_IP;
	if (family == 4)
		return is_spoofed_ipv4(own, l3, end, protocol, kind >> 28, ports) ? REASON_DROP_SPOOFED_IP : REASON_COUNT;
	if ((void *)(ip + 1) > end)
		return REASON_DROP_SPOOFED_IP;
	source = ip->saddr.in6_u.u6_addr32;
	unspecified = !(source[0] | source[1] | source[2] | source[3]);
	if (unspecified ? protocol != IPPROTO_ICMPV6 : !is_own_ipv6(own, source))
		return REASON_DROP_SPOOFED_IP;
	/* Behind more extension headers than are followed there may be neighbour discovery. */
	if (is_extension(protocol))
		return REASON_DROP_SPOOFED_IP;
	if (protocol == IPPROTO_ICMPV6 && is_spoofed_nd(own, l4, end, unspecified))
		return REASON_DROP_SPOOFED_ND;
	return REASON_COUNT;
}

#endif
