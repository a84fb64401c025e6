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

/* The sender of every ARP frame; 0.0.0.0 asks whether an address is free (RFC 5227 section 1.1). */
static __always_inline int is_spoofed_arp(const struct vnic_addresses *own, const struct vnic *v, struct cursor *c)
{
	struct arp_header *arp = c->at;
	__be32 sender;

	if ((void *)(arp + 1) > c->end || arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_length != ETH_ALEN ||
	    arp->protocol_length != 4)
		return 1;
	if ((vnic_key(arp->sender_mac, 0) ^ vnic_key(v->mac, 0)) != 0)
		return 1;
	__builtin_memcpy(&sender, arp->sender, sizeof(sender));
	return sender && !is_own_ipv4(own, sender);
}

/*
 * The IP source; the unspecified address is for those who have none yet: DHCP (RFC 2131) and IGMP (RFC 3376 section 4.2.13),
 * duplicate address detection (RFC 4862 section 5.4.2) and MLD (RFC 3590), so all of ICMPv6. A header that cannot be read
 * cannot be proven.
 */
static __always_inline int is_spoofed_ipv4(const struct vnic_addresses *own, const struct tuple *t)
{
	if (!t->family)
		return 1;
	if (t->addresses[0])
		return !is_own_ipv4(own, t->addresses[0]);
	if (t->protocol == IPPROTO_IGMP)
		return 0;
	return t->l4 != L4_UDP || t->ports >> 16 != bpf_htons(DHCP_SERVER_PORT);
}

static __always_inline enum reason check_ipv6(const struct vnic_addresses *own, const struct cursor *c, const struct tuple *t)
{
	const __be32 *source = t->addresses;
	struct nd_header *nd = c->at;
	int unspecified;

	if (!t->family)
		return REASON_DROP_SPOOFED_IP;
	unspecified = !(source[0] | source[1] | source[2] | source[3]);
	if (!unspecified && !is_own_ipv6(own, source))
		return REASON_DROP_SPOOFED_IP;
	if (t->protocol != IPPROTO_ICMPV6)
		return unspecified ? REASON_DROP_SPOOFED_IP : REASON_COUNT;
	if ((void *)(nd + 1) > c->end)
		return REASON_COUNT;
	/* Who asks whether an address is free claims it; who answers has it. */
	if (nd->type == NEIGHBOUR_ADVERTISEMENT || (nd->type == NEIGHBOUR_SOLICITATION && unspecified))
		return is_own_ipv6(own, nd->target) ? REASON_COUNT : REASON_DROP_SPOOFED_ND;
	return REASON_COUNT;
}

/* Why the frame is refused, or REASON_COUNT when it is not. The cursor stands behind the IP header, or the EtherType. */
static __always_inline enum reason check_addresses(const struct vnic_addresses *own, const struct vnic *v, struct cursor *c,
						   const struct frame *f, const struct tuple *t)
{
	if (f->type == bpf_htons(ETH_P_ARP))
		return is_spoofed_arp(own, v, c) ? REASON_DROP_SPOOFED_ARP : REASON_COUNT;
	if (f->type == bpf_htons(ETH_P_IP))
		return is_spoofed_ipv4(own, t) ? REASON_DROP_SPOOFED_IP : REASON_COUNT;
	if (f->type == bpf_htons(ETH_P_IPV6))
		return check_ipv6(own, c, t);
	return REASON_COUNT;
}

#endif
