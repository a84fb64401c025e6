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
/* For the verifier: offsets of headers, behind MAX_EXTENSIONS headers of 2048 bytes at most, stay below. */
#define FRAME_OFFSET_MASK 0x3fff

struct cursor {
	void *at;
	void *end;
};

/* Bytes from the start of the frame. The empty asm keeps clang from subtracting halves of pointers, which the verifier refuses. */
static __always_inline __u32 offset_in(struct xdp_md *ctx, const void *at)
{
	__u64 offset = at - (void *)(long)ctx->data;

	asm volatile("" : "+r"(offset));
	return offset;
}

struct vlan_header {
	__be16 tci;
	__be16 type;
};

/* The outer part of a frame. */
struct frame {
	__u64 destination;	/* vNIC key: MAC address and VLAN id */
	__u64 source;		/* vNIC key */
	__u32 length;		/* bytes from the destination MAC address on, of all buffers */
	__u32 tag_length;	/* bytes of the outer VLAN tag */
	__u16 vlan;		/* VLAN id of the outer tag; 0 = none */
	__be16 type;		/* EtherType after the tags */
	__u8 multicast;
	__u8 tagged_twice;	/* or more often */
	__u8 too_many_tags;
	__u8 multi_buffer;	/* headers are read in the first buffer only */
};

enum l4_kind {
	L4_NONE = 0,	/* no ports: other protocol, fragment, or header cut short */
	L4_TCP = 1,
	L4_UDP = 2,
	L4_SCTP = 3,
};

/*
 * What identifies a flow. The addresses stay in the packet: copies of them would be spilled to the stack and read back.
 * Where they are is a number, not a pointer: whoever reads them checks the bounds again, and the verifier need not follow every family
 * and protocol to the end of the program by itself, each of which has seen more or less of the frame.
 */
struct tuple {
	__u32 addresses;	/* bytes into the frame; source, then destination: 1 + 1 words of IPv4, 4 + 4 of IPv6; network order */
	__u32 ports;		/* there when l4 is not L4_NONE; source port first in memory */
	__u32 pseudo;		/* what protocol and length add to the pseudo-header sum, network order */
	__be16 checksum;	/* of the L4 header */
	__u8 family;		/* 4, 6; 0 = not IP */
	__u8 l4;		/* enum l4_kind */
	__u8 protocol;		/* behind the extension headers */
	__u8 unproven;		/* there may be an unfinished checksum where we do not look */
};

/* MAC address (first wire byte lowest) | VLAN id << 48 | a bit that makes no key zero. */
static __always_inline __u64 vnic_key(const __u8 *mac, __u16 vlan)
{
	return (__u64)*(const __u32 *)mac | (__u64)*(const __u16 *)(mac + 4) << 32 | (__u64)vlan << 48 | 1ULL << 63;
}

static __always_inline int is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* Steps over a VLAN tag. Returns it, or NULL when it is cut short. */
static __always_inline struct vlan_header *parse_tag(struct cursor *c, struct frame *f)
{
	struct vlan_header *tag = c->at;

	if ((void *)(tag + 1) > c->end)
		return NULL;
	c->at = tag + 1;
	f->type = tag->type;
	return tag;
}

/* The same address in another VLAN. */
static __always_inline __u64 key_in_vlan(__u64 key, __u16 vlan)
{
	return (key & ~((__u64)VLAN_VID_MASK << 48)) | (__u64)vlan << 48;
}

/*
 * Ethernet and at most MAX_TAGS VLAN tags, 802.1Q or 802.1ad; the outer one tells the VLAN. Returns 0, or -1 when the frame is
 * shorter than that.
 */
static __always_inline int parse_frame(struct xdp_md *ctx, struct cursor *c, struct frame *f)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	c->end = (void *)(long)ctx->data_end;
	f->length = bpf_xdp_get_buff_len(ctx);
	f->multi_buffer = f->length != (__u32)(c->end - (void *)eth);
	if ((void *)(eth + 1) > c->end)
		return -1;
	c->at = eth + 1;
	f->type = eth->h_proto;
	f->tag_length = 0;
	f->vlan = 0;
	f->tagged_twice = 0;
	f->too_many_tags = 0;
	f->multicast = eth->h_dest[0] & 1;
	if (is_tag(f->type)) {
		struct vlan_header *tag = parse_tag(c, f);

		if (!tag)
			return -1;
		f->vlan = bpf_ntohs(tag->tci) & VLAN_VID_MASK;
		f->tag_length = sizeof(*tag);
		if (is_tag(f->type)) {
			if (!parse_tag(c, f))
				return -1;
			f->tagged_twice = 1;
			f->too_many_tags = is_tag(f->type);
		}
	}
	f->destination = vnic_key(eth->h_dest, f->vlan);
	f->source = vnic_key(eth->h_source, f->vlan);
	return 0;
}

/* At the addresses; their bounds have to be checked. */
static __always_inline struct cursor addresses_of(struct xdp_md *ctx, const struct tuple *t)
{
	void *data = (void *)(long)ctx->data;

	return (struct cursor){ .at = data + (t->addresses & FRAME_OFFSET_MASK), .end = (void *)(long)ctx->data_end };
}

/* Senders finish these themselves, or have none: the others may carry TCP or UDP within. */
static __always_inline int has_software_checksum(__u8 protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 || protocol == IPPROTO_IGMP || protocol == IPPROTO_ESP ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_NONE;
}

/* VXLAN, its older Linux port, Geneve: the outer checksum is finished even when the inner one is not. */
static __always_inline int is_tunnel_port(__be16 port)
{
	return port == bpf_htons(4789) || port == bpf_htons(8472) || port == bpf_htons(6081);
}

/* RFC 9260 section 3.1. */
struct sctp_header {
	__be32 ports;
	__be32 verification_tag;
	__le32 checksum;
};

/* Ports and checksum of a TCP, UDP or SCTP header, when it is there and whole. */
static __always_inline void parse_l4(struct cursor *c, struct tuple *t, __u8 protocol)
{
	if (protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = c->at;

		if ((void *)(tcp + 1) > c->end)
			return;
		t->ports = *(__u32 *)tcp;
		t->checksum = tcp->check;
		t->l4 = L4_TCP;
		t->unproven = 0;
	} else if (protocol == IPPROTO_UDP) {
		struct udphdr *udp = c->at;

		if ((void *)(udp + 1) > c->end)
			return;
		t->ports = *(__u32 *)udp;
		t->checksum = udp->check;
		t->l4 = L4_UDP;
		t->unproven = !udp->check || is_tunnel_port(udp->dest);
	} else if (protocol == IPPROTO_SCTP) {
		struct sctp_header *sctp = c->at;

		if ((void *)(sctp + 1) > c->end)
			return;
		t->ports = sctp->ports;
		t->l4 = L4_SCTP;
		/* A sender that leaves the CRC to its device leaves zero (net/sctp/output.c, sctp_packet_pack). */
		t->unproven = !sctp->checksum;
	} else {
		t->unproven = !has_software_checksum(protocol);
	}
}

static __always_inline int is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING;
}

/* The part that IPv6 extension headers have in common (RFC 8200 section 4), and of a routing header how far it got. */
struct extension_header {
	__u8 next;
	__u8 length; /* in units of 8 bytes, the first 8 not counted */
	__u8 type;
	__u8 segments_left;
	__u8 content[4];
};

/* Bits of what skip_extensions() returns. */
#define EXTENSIONS_NEXT_MASK 0xff
#define EXTENSIONS_ROUTED (1 << 8)
#define EXTENSIONS_OFFSET_SHIFT 16

/*
 * Steps over at most MAX_EXTENSIONS extension headers from `offset` bytes into the frame on. Returns what follows and where: when
 * that is an extension header there are more, or it is cut short. A routing header that is not at its end hides the address that an
 * unfinished checksum is made with. A function of its own, that the verifier looks at once.
 */
__weak __noinline __u32 skip_extensions(struct xdp_md *ctx, __u32 offset, __u32 next)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 routed = 0;

#pragma unroll
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		struct extension_header *extension = data + (offset & FRAME_OFFSET_MASK);

		if (!is_extension(next) || (void *)(extension + 1) > end)
			break;
		if (next == IPPROTO_ROUTING && extension->segments_left)
			routed = EXTENSIONS_ROUTED;
		next = extension->next;
		offset += (extension->length + 1) * 8;
	}
	return (next & EXTENSIONS_NEXT_MASK) | routed | offset << EXTENSIONS_OFFSET_SHIFT;
}

/*
 * The flow a frame belongs to. Fragments have no ports, the first one too: all of a datagram must meet on one queue
 * (the RSS rule of common NICs). Leaves family 0 when the headers are not IP or are cut short. What cannot be read because it is in
 * a further buffer stays unproven.
 */
static __always_inline void parse_tuple(struct xdp_md *ctx, struct cursor *c, const struct frame *f, struct tuple *t)
{
	*t = (struct tuple){ .unproven = f->multi_buffer };
	/* In memory from here on: as registers, every branch below would spill and zero them again. */
	asm volatile("" : : "r"(t) : "memory");
	if (f->type == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = c->at;
		__u32 header_length;

		if ((void *)(ip + 1) > c->end)
			return;
		header_length = ip->ihl * 4;
		if (ip->version != 4 || header_length < sizeof(*ip))
			return;
		t->family = 4;
		t->addresses = offset_in(ctx, &ip->saddr);
		t->protocol = ip->protocol;
		if (ip->frag_off & bpf_htons(IP_FRAGMENT)) {
			t->unproven = 0; /* who makes fragments has finished the checksum */
			return;
		}
		t->pseudo = bpf_htons(ip->protocol) + bpf_htons(bpf_ntohs(ip->tot_len) - header_length);
		c->at += header_length;
		parse_l4(c, t, ip->protocol);
	} else if (f->type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = c->at;
		__u32 payload, found;

		if ((void *)(ip + 1) > c->end)
			return;
		if (ip->version != 6)
			return;
		t->family = 6;
		t->addresses = offset_in(ctx, &ip->saddr);
		t->protocol = ip->nexthdr;
		c->at = ip + 1;
		if (!is_extension(ip->nexthdr)) {
			t->pseudo = bpf_htons(ip->nexthdr) + ip->payload_len;
			parse_l4(c, t, ip->nexthdr);
			return;
		}
		payload = offset_in(ctx, c->at);
		found = skip_extensions(ctx, payload, ip->nexthdr);
		t->protocol = found & EXTENSIONS_NEXT_MASK;
		c->at = (void *)(long)ctx->data + (found >> EXTENSIONS_OFFSET_SHIFT & FRAME_OFFSET_MASK);
		t->pseudo = bpf_htons(t->protocol) + bpf_htons(bpf_ntohs(ip->payload_len) - ((found >> EXTENSIONS_OFFSET_SHIFT) - payload));
		parse_l4(c, t, t->protocol);
		t->unproven |= !!(found & EXTENSIONS_ROUTED);
	}
}

/*
 * A sender that leaves the checksum to its device puts only the folded pseudo-header sum into the field (RFC 9293
 * section 3.1 and RFC 768 define that sum; the habit is Linux's CHECKSUM_PARTIAL). Redirected as it is, such a frame
 * arrives corrupt. A finished checksum equals this value once in 65535 frames; those only take the slower way, and so do
 * frames with an L4 header that is not looked into.
 */
static __always_inline int has_partial_checksum(const struct tuple *t, struct cursor addresses)
{
	const __u32 *a = addresses.at;
	__u64 sum;

	if (t->unproven)
		return 1;
	if (t->l4 == L4_NONE || t->l4 == L4_SCTP)
		return 0;
	if ((void *)(a + 2) > addresses.end)
		return 1; /* cannot happen: they were read */
	sum = (__u64)a[0] + a[1] + t->pseudo;
	if (t->family == 6) {
		if ((void *)(a + 8) > addresses.end)
			return 1; /* nor this */
		sum += (__u64)a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
	}
	/* Below 2^36; the carries of these three steps cannot leave more than 16 bits. */
	sum = (__u32)sum + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == t->checksum;
}

#endif
