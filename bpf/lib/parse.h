/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * Reading headers with a cursor. Each function checks the bound of one header, moves on, and returns what comes next.
 * MAC addresses become keys (see vnic_key), everything else stays in network order unless said otherwise.
 */
#ifndef UNIPATH_PARSE_H
#define UNIPATH_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include "contract.h"

#define VLAN_VID_MASK 0x0fff
#define IP_FRAGMENT 0x3fff /* more-fragments bit and offset */

struct cursor {
	void *at;
	void *end;
};

struct vlan_header {
	__be16 tci;
	__be16 type;
};

/* The outer part of a frame. */
struct frame {
	__u64 destination;	/* vNIC key: MAC address and VLAN id */
	__u64 source;		/* vNIC key */
	__u32 length;		/* bytes from the destination MAC address on */
	__u32 tag_length;	/* bytes of VLAN tag */
	__be16 type;		/* EtherType after the tag */
	__u8 multicast;
	__u8 tagged_twice;
};

enum l4_kind {
	L4_NONE = 0,	/* no ports: other protocol, fragment, or header cut short */
	L4_TCP = 1,
	L4_UDP = 2,
};

/*
 * What identifies a flow. The addresses stay in the packet: copies of them would be spilled to the stack and read back.
 * `family` and `l4` are whole words because only of these the verifier remembers which value it saw.
 */
struct tuple {
	const __u32 *addresses;	/* source, then destination: 1 + 1 words of IPv4, 4 + 4 of IPv6; network order */
	__u64 family;		/* 4, 6; 0 = not IP */
	__u64 l4;		/* enum l4_kind; what follows is there when it is not L4_NONE */
	__u32 ports;		/* source port first in memory */
	__u32 pseudo;		/* what protocol and length add to the pseudo-header sum, network order */
	__be16 checksum;	/* of the L4 header */
	__u8 unproven;		/* there may be an unfinished checksum where we do not look */
};

/* MAC address (first wire byte lowest) | VLAN id << 48 | a bit that makes no key zero. */
static __always_inline __u64 vnic_key(const __u8 *mac, __u16 vlan)
{
	return (__u64)*(const __u32 *)mac | (__u64)*(const __u16 *)(mac + 4) << 32 | (__u64)vlan << 48 | 1ULL << 63;
}

/* Ethernet and at most one VLAN tag. Returns 0, or -1 when the frame is shorter than that. */
static __always_inline int parse_frame(struct cursor *c, struct frame *f)
{
	struct ethhdr *eth = c->at;
	__u16 vlan = 0;

	f->length = c->end - c->at;
	if ((void *)(eth + 1) > c->end)
		return -1;
	c->at = eth + 1;
	f->type = eth->h_proto;
	f->tag_length = 0;
	f->tagged_twice = 0;
	f->multicast = eth->h_dest[0] & 1;
	if (f->type == bpf_htons(ETH_P_8021Q) || f->type == bpf_htons(ETH_P_8021AD)) {
		struct vlan_header *tag = c->at;

		if ((void *)(tag + 1) > c->end)
			return -1;
		c->at = tag + 1;
		vlan = bpf_ntohs(tag->tci) & VLAN_VID_MASK;
		f->type = tag->type;
		f->tag_length = sizeof(*tag);
		f->tagged_twice = f->type == bpf_htons(ETH_P_8021Q) || f->type == bpf_htons(ETH_P_8021AD);
	}
	f->destination = vnic_key(eth->h_dest, vlan);
	f->source = vnic_key(eth->h_source, vlan);
	return 0;
}

/* Senders finish these themselves, or have none: the others may carry TCP or UDP within, or are SCTP. */
static __always_inline int has_software_checksum(__u8 protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 || protocol == IPPROTO_IGMP || protocol == IPPROTO_ESP ||
	       protocol == IPPROTO_FRAGMENT;
}

/* VXLAN, its older Linux port, Geneve: the outer checksum is finished even when the inner one is not. */
static __always_inline int is_tunnel_port(__be16 port)
{
	return port == bpf_htons(4789) || port == bpf_htons(8472) || port == bpf_htons(6081);
}

/* Ports and checksum of a TCP or UDP header, when it is there and whole. */
static __always_inline void parse_l4(struct cursor *c, struct tuple *t, __u8 protocol)
{
	if (protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = c->at;

		if ((void *)(tcp + 1) > c->end)
			return;
		t->ports = *(__u32 *)tcp;
		t->checksum = tcp->check;
		t->l4 = L4_TCP;
	} else if (protocol == IPPROTO_UDP) {
		struct udphdr *udp = c->at;

		if ((void *)(udp + 1) > c->end)
			return;
		t->ports = *(__u32 *)udp;
		t->checksum = udp->check;
		t->l4 = L4_UDP;
		t->unproven = !udp->check || is_tunnel_port(udp->dest);
	} else {
		t->unproven = !has_software_checksum(protocol);
	}
}

/*
 * The flow a frame belongs to. Fragments have no ports, the first one too: all of a datagram must meet on one queue
 * (the RSS rule of common NICs). Leaves family 0 when the headers are not IP or are cut short.
 */
static __always_inline void parse_tuple(struct cursor *c, __be16 type, struct tuple *t)
{
	*t = (struct tuple){};
	/* In memory from here on: as registers, every branch below would spill and zero them again. */
	asm volatile("" : : "r"(t) : "memory");
	if (type == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = c->at;
		__u32 header_length;

		if ((void *)(ip + 1) > c->end)
			return;
		header_length = ip->ihl * 4;
		if (ip->version != 4 || header_length < sizeof(*ip))
			return;
		t->family = 4;
		t->addresses = &ip->saddr;
		if (ip->frag_off & bpf_htons(IP_FRAGMENT))
			return;
		t->pseudo = bpf_htons(ip->protocol) + bpf_htons(bpf_ntohs(ip->tot_len) - header_length);
		c->at += header_length;
		parse_l4(c, t, ip->protocol);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = c->at;

		if ((void *)(ip + 1) > c->end)
			return;
		if (ip->version != 6)
			return;
		t->family = 6;
		t->addresses = ip->saddr.in6_u.u6_addr32;
		t->pseudo = bpf_htons(ip->nexthdr) + ip->payload_len;
		c->at = ip + 1;
		parse_l4(c, t, ip->nexthdr);
	}
}

/*
 * A sender that leaves the checksum to its device puts only the folded pseudo-header sum into the field (RFC 9293
 * section 3.1 and RFC 768 define that sum; the habit is Linux's CHECKSUM_PARTIAL). Redirected as it is, such a frame
 * arrives corrupt. A finished checksum equals this value once in 65535 frames; those only take the slower way, and so do
 * frames with an L4 header that is not looked into.
 */
static __always_inline int has_partial_checksum(const struct tuple *t)
{
	const __u32 *a = t->addresses;
	__u64 sum;

	if (t->unproven)
		return 1;
	if (t->l4 == L4_NONE)
		return 0;
	sum = (__u64)a[0] + a[1] + t->pseudo;
	if (t->family == 6)
		sum += (__u64)a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
	/* Below 2^36; the carries of these three steps cannot leave more than 16 bits. */
	sum = (__u32)sum + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == t->checksum;
}

#endif
