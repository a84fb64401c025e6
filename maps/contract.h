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
	CONTRACT_VERSION = 1,
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
	/* The programs' clock for ageing: CLOCK_MONOTONIC in ns, shifted right by this (16.8 ms). */
	TICK_SHIFT = 24,
	/* Slots of the vNIC index, and how many of them a look-up may visit. */
	VNIC_SLOTS = 4096,
	VNIC_PROBES = 4,
	/* Stations behind the uplink that are remembered at once. */
	REMOTE_SLOTS = 4096,
	/* Bytes of hash input that have a Toeplitz table: two IPv6 addresses, two ports. */
	RSS_INPUT_SIZE = 36,
	RSS_KEY_SIZE = 40,
	/* Tap and VF port: two rows in `steerings`, vNIC id * PORTS_PER_VNIC + port_role. */
	PORTS_PER_VNIC = 2,
	/* IEEE Std 802, Local Experimental EtherType 1: control frames. They never cross the uplink or go guest to guest. */
	CONTROL_ETHERTYPE = 0x88b5,
	/* "UNIP", first in every control frame. */
	CONTROL_MAGIC = 0x554e4950,
};

/* What made the pinned state, so that a restarted daemon knows whether it may adopt it. */
struct meta {
	__u32 contract_version;
	__u32 cpus_map_id; /* kernel id of our cpumap: its tracepoint names nothing else */
	__u8 object_sha256[32];
};
_Static_assert(sizeof(struct meta) == 40, "struct meta is a wire format");

/* One row: who made this set of maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meta);
} metas __weak SEC(".maps");

#endif
