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

/* What identifies a flow, as read from the packet: network order in memory, i.e. hash-input order. */
struct tuple {
	__u32 source[4];	/* IPv4 uses [0] */
	__u32 destination[4];
	__u32 ports;		/* source port first in memory */
	__u16 length;		/* L4 bytes, host order, as the IP header has it */
	__u8 family;		/* 4, 6; 0 = not IP */
	__u8 l4;		/* enum l4_kind */
	__u8 protocol;
	__be16 checksum;	/* of the L4 header; valid when l4 != L4_NONE */
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

/* Ports and checksum of a TCP or UDP header, when it is there and whole. */
static __always_inline void parse_l4(struct cursor *c, struct tuple *t)
{
	if (t->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = c->at;

		if ((void *)(tcp + 1) > c->end)
			return;
		t->ports = *(__u32 *)tcp;
		t->checksum = tcp->check;
		t->l4 = L4_TCP;
	} else if (t->protocol == IPPROTO_UDP) {
		struct udphdr *udp = c->at;

		if ((void *)(udp + 1) > c->end)
			return;
		t->ports = *(__u32 *)udp;
		t->checksum = udp->check;
		t->l4 = L4_UDP;
	}
}

/*
 * The flow a frame belongs to. Fragments have no ports, the first one too: all of a datagram must meet on one queue
 * (the RSS rule of common NICs). Sets family 0 when the headers are not IP or are cut short.
 */
static __always_inline void parse_tuple(struct cursor *c, __be16 type, struct tuple *t)
{
	*t = (struct tuple){};
	if (type == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = c->at;
		__u32 header_length;

		if ((void *)(ip + 1) > c->end)
			return;
		header_length = ip->ihl * 4;
		if (ip->version != 4 || header_length < sizeof(*ip))
			return;
		t->family = 4;
		t->source[0] = ip->saddr;
		t->destination[0] = ip->daddr;
		t->protocol = ip->protocol;
		t->length = bpf_ntohs(ip->tot_len) - header_length;
		if (ip->frag_off & bpf_htons(IP_FRAGMENT))
			return;
		c->at += header_length;
		parse_l4(c, t);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = c->at;

		if ((void *)(ip + 1) > c->end)
			return;
		if (ip->version != 6)
			return;
		t->family = 6;
		__builtin_memcpy(t->source, &ip->saddr, sizeof(t->source));
		__builtin_memcpy(t->destination, &ip->daddr, sizeof(t->destination));
		t->protocol = ip->nexthdr;
		t->length = bpf_ntohs(ip->payload_len);
		c->at = ip + 1;
		parse_l4(c, t);
	}
}

/*
 * A sender that leaves the checksum to its device puts only the folded pseudo-header sum into the field (RFC 9293
 * section 3.1 and RFC 768 define that sum; the habit is Linux's CHECKSUM_PARTIAL). Redirected as it is, such a frame
 * arrives corrupt. A finished checksum equals this value once in 65535 frames; those only take the slower way.
 */
static __always_inline int has_partial_checksum(const struct tuple *t)
{
	__u64 sum;

	if (t->l4 == L4_NONE)
		return 0;
	sum = (__u64)t->source[0] + t->destination[0] + bpf_htons(t->protocol) + bpf_htons(t->length);
	if (t->family == 6) {
		sum += (__u64)t->source[1] + t->source[2] + t->source[3];
		sum += (__u64)t->destination[1] + t->destination[2] + t->destination[3];
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum == t->checksum;
}

#endif
