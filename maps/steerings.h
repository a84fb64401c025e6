/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* How flows are spread over the queues of a port. */
#ifndef UNIPATH_STEERINGS_H
#define UNIPATH_STEERINGS_H

#include "bridge_vlans.h" /* here because a map is in the contract only if a program's source includes it */
#include "hash_types.h"
#include "verdicts.h"

/*
 * Devices take the transmit queue of a redirected frame from the CPU that sends it (tun_xdp_xmit, veth_xdp_xmit:
 * smp_processor_id() % queues). So a queue is chosen by choosing a CPU.
 */
struct steering {
	__u32 queues;			/* real number of queues of the port; 0 and 1: nothing to choose */
	enum hash_type hash_types;	/* which frames are hashed over what */
	__u8 rss_row;			/* whose key and tables: row of `rss` */
	__u8 nic_hash;			/* 1: the uplink's NIC has that key, so its hash is ours where it hashed the same fields */
	__u8 reserved;
	__u8 reta[RETA_SIZE];		/* low 7 bits of the RSS hash -> queue */
	__u16 queue_cpus[MAX_QUEUES];	/* queue -> a CPU congruent to it modulo `queues`, or QUEUE_UNREACHABLE */
};
_Static_assert(sizeof(struct steering) == 264, "struct steering is a wire format");

/* Per port: vNIC id * PORTS_PER_VNIC + port_role. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS * PORTS_PER_VNIC);
	__type(key, __u32);
	__type(value, struct steering);
} steerings __weak SEC(".maps");

/* The Toeplitz hash by table: hash = XOR of tables[i][input byte i]. Computed from the key by the control plane. */
struct rss {
	__u8 key[RSS_KEY_SIZE];
	__u32 tables[RSS_INPUT_SIZE][256];
};
_Static_assert(sizeof(struct rss) == 36904, "struct rss is a wire format");

/* RSS keys and their tables. A new key is written to a row that nobody names, then the steerings name it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RSS_ROWS);
	__type(key, __u32);
	__type(value, struct rss);
} rss __weak SEC(".maps");

/* Which fields of a wish count. */
enum rss_wish_flag {
	RSS_WISH_HASH_TYPES = 1 << 0,	/* `hash_types` */
	RSS_WISH_WEIGHTS = 1 << 1,	/* `weights`; all 0: equal shares, whatever the configuration says */
	RSS_WISH_KEY = 1 << 2,		/* `rss_row` is that of a key of its own; row 0: the key in force was set by the operator */
	RSS_WISH_RANDOM = 1 << 3,	/* row 0 only: the key in force was drawn at random */
} __attribute__((packed));

/* What the operator asked for by command, so that it outlives the daemon. Read by the control plane only. */
struct rss_wish {
	enum rss_wish_flag flags;
	enum hash_type hash_types;
	__u8 rss_row;			/* row of `rss`; row 0: of the key in force for all that have none of their own */
	__u8 reserved;
	__u8 weights[MAX_QUEUES];	/* queue -> its share of the indirection table, in parts of the sum */
};
_Static_assert(sizeof(struct rss_wish) == 68, "struct rss_wish is a wire format");

/* The operator's settings of RSS: row 0 for all vNICs of the host, the others for one, by id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct rss_wish);
} rss_wishes __weak SEC(".maps");

/*
 * RFS: the queue on which the guest sends a flow is where its application runs, so the other direction of that flow is
 * delivered there. Two records per flow, each one word that is read and written whole: no lock, no half-read entry.
 *   learnt   written on the guest's ports: where the guest sends the flow
 *   steered  written where frames are steered to the guest: where its last frame went, so that a change of queue waits until the
 *            old one is empty
 */
struct flow_record {
	__u32 tag;	/* upper half of the flow hash; the lower half chose the slot */
	__u16 seen;	/* low 16 bits of the tick of the last frame */
	__u8 queue;
	__u8 valid;	/* 1 when in use */
};
_Static_assert(sizeof(struct flow_record) == 8, "struct flow_record is a wire format");

struct flow {
	struct flow_record learnt;
	struct flow_record steered;
};
_Static_assert(sizeof(struct flow) == 16, "struct flow is a wire format");

/*
 * Key of the flow hash, by vNIC id: random, so that nobody can aim at a slot, and one for each vNIC, so that it and the flows learnt with it
 * can go along when the guest moves to another host. Written by the control plane only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, __u64);
} flow_seeds __weak SEC(".maps");

/*
 * Flows: vNIC id * flows_per_vnic + (hash & (flows_per_vnic - 1)). Every vNIC has its own slice, so no guest can evict
 * another's flows. Sized before loading.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VNICS);
	__type(key, __u32);
	__type(value, struct flow);
} flows __weak SEC(".maps");

#endif
