/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * The contract between the BPF programs and the control plane.
 *
 * Everything that both sides must agree on is written here, once, in C. The TypeScript types, codecs and enums in
 * maps/generated/ are made from the BTF of the compiled object, and unipathd compares the object it is about to load
 * with them before it trusts a byte.
 *
 * Rules for a shared type, so that BTF carries all of it and no byte is left to the compiler:
 *   - fixed-width integers; no pointers, bit fields, floats or unnamed unions;
 *   - padding is a named field `reserved`, written as zero and never read;
 *   - an enum of one byte is `__attribute__((packed))`; its values only ever grow;
 *   - a MAC address is six bytes in wire order; an IPv4/IPv6 address and a port inside a struct are in network order;
 *   - every struct states its size in a _Static_assert: that sentence says "this is a wire format".
 * A change that breaks one of these types raises CONTRACT_VERSION, which is part of the pin path.
 */
#ifndef UNIPATH_CONTRACT_H
#define UNIPATH_CONTRACT_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* Sizes fixed by the contract. */
enum contract_limit {
	CONTRACT_VERSION = 5,
	/* vNIC ids are 1 .. MAX_VNICS - 1; id 0 stands for "no vNIC known". */
	MAX_VNICS = 1024,
	/* Queues of one port that can be told apart. */
	MAX_QUEUES = 64,
	/* Entries of the indirection table, as in the RSS of common NICs. */
	RETA_SIZE = 128,
	/* CPUs that can be named as a queue's server. */
	MAX_CPUS = 512,
	/* In steering.queue_cpus: no CPU reaches this queue. */
	QUEUE_UNREACHABLE = 0xffff,
	/*
	 * Ages, in ticks of 13 to 26 ms (see bpf/lib/clock.h). A flow changes its queue, and a vNIC leaves its VF, only after the
	 * old one has been quiet for QUIET_TICKS: at least 13 ms, because the first of them may be nearly over. Another flow may
	 * take the slot of a learnt one after FLOW_LIFETIME; what was learnt is not used beyond FLOW_EXPIRY. A station is believed to be
	 * behind the uplink for REMOTE_LIFETIME. What another CPU wrote may be CLOCK_SKEW ahead. What a guest sent to all comes back within
	 * REFLECTED_TICKS, if at all; from another host, to which the guest has gone, it is said more often than that.
	 */
	QUIET_TICKS = 2,
	REFLECTED_TICKS = 8,
	FLOW_LIFETIME = 64,
	FLOW_EXPIRY = 1800,
	REMOTE_LIFETIME = 3600,
	CLOCK_SKEW = 8,
	/* Slots of the vNIC index, and how many of them a look-up may visit. */
	VNIC_SLOTS = 16384,
	VNIC_PROBES = 4,
	/* Stations behind the uplink that are remembered at once. */
	REMOTE_SLOTS = 4096,
	/* Bytes of hash input that have a Toeplitz table: two IPv6 addresses, two ports. */
	RSS_INPUT_SIZE = 36,
	RSS_KEY_SIZE = 40,
	/* Rows of `rss`: the host's key, keys that single vNICs have of their own, and one at least to change to. */
	RSS_ROWS = 16,
	/* VLAN tags that are read, and IPv6 extension headers that are followed. */
	MAX_TAGS = 2,
	MAX_EXTENSIONS = 6,
	/* VLAN ids of one trunk vNIC. */
	MAX_VLANS = 16,
	/* Prefixes, of each family, that a vNIC's IP sources are checked against. */
	MAX_PREFIXES = 16,
	/* Tap and VF port: two rows in `steerings`, vNIC id * PORTS_PER_VNIC + port_role. */
	PORTS_PER_VNIC = 2,
	/* IEEE Std 802, Local Experimental EtherType 1: control frames. They never cross the uplink or go guest to guest. */
	CONTROL_ETHERTYPE = 0x88b5,
	/* "UNIP", first in every control frame. */
	CONTROL_MAGIC = 0x554e4950,
	/*
	 * Source of control frames and of questions to a guest, 02:00:00:00:00:01, locally administered: first two bytes, last four. What a
	 * guest sends to it is an answer to us.
	 */
	CONTROL_MAC_HIGH = 0x0200,
	CONTROL_MAC_LOW = 0x00000001,
	/*
	 * Source of questions to a guest on a VF behind the adapter's own switch: these four bytes (02:00:00:01), then the vNIC's id. The PF
	 * hears it meanwhile, and whatever VLAN the answer is in, the address says whose it is.
	 */
	QUESTION_MAC_HIGH = 0x02000001,
};

/* What made the pinned state, so that a restarted daemon knows whether it may adopt it. */
struct meta {
	__u32 contract_version;
	__u32 cpus_map_id; /* kernel id of our cpumap: its tracepoint names nothing else */
	__u8 object_sha256[32];
	__u32 capturing;   /* see enum capture_limit in capture.h; set by who reads, set back by the programs when nobody does */
	__u32 reserved;
};
_Static_assert(sizeof(struct meta) == 48, "struct meta is a wire format");

/* One row: who made this set of maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meta);
} metas __weak SEC(".maps");

#endif
