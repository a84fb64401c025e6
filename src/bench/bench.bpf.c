// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What the bench compares unipath with, and what it counts at.
 *
 * Every measured program is entered through a `vary_*` that writes another vNIC and another flow into each frame, so that no
 * predictor learns a single one; that costs all of them the same. What is too fast to be timed alone runs RUNS times in one
 * `loop_*`, against a loop that does all the rest.
 */
#include "config.h"
#include "hash.h"
#include "steer.h"

/* Index into `stages`. */
enum stage {
	STAGE_EMPTY = 0,
	STAGE_PASS = 1,
	STAGE_REDIRECT = 2,
	STAGE_STEER = 3,	/* steer_uplink, put there by the bench */
	STAGE_GUEST = 4,	/* steer_guest, likewise */
	STAGE_HANDOVER = 5,
	STAGE_COUNT = 6,
};

/* What runs after the frame was changed. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGE_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} stages SEC(".maps");

enum target {
	TARGET_PORT = 0,	/* of the minimal redirect */
	TARGET_WIRE = 1,	/* of what plays the wire */
	TARGET_COUNT = 2,
};

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, TARGET_COUNT);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} targets SEC(".maps");

/* How frames are varied, see src/bench/variation.ts. Offsets are from the beginning of the frame. */
struct variation {
	__u32 flows;		/* of all vNICs together */
	__u32 vnics;		/* in turn: how many */
	__u32 uniform;		/* 1: a flow at random, and the vNIC that it belongs to; 0: flows and vNICs in turn */
	__u32 first_vnic;	/* last byte of the first one's MAC address */
	__u16 mac_at;		/* the last two bytes of the vNIC's MAC address */
	__u16 address_at;	/* the last four bytes of the station's address */
	__u16 ports_at;
	__u16 reply;		/* 1: the frame goes to the station */
	__u32 address;		/* those four bytes of flow 0's station, host order */
	__u32 flow;		/* state of the turns */
	__u32 vnic;
	__u32 turn;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct variation);
} variations SEC(".maps");

/*
 * Lines of their own for each queue, because another CPU counts there; and what the source looks at is on a line that seldom
 * changes, so that looking does not slow the sink down.
 */
struct arrival {
	__u64 frames;
	__u64 reserved[15];
	__u64 published;	/* the last multiple of STAMP_EVERY frames */
	__u64 last_ns;		/* when that was complete */
	__u64 reserved2[14];
};

#define ARRIVAL_QUEUES 8
#define STAMP_EVERY 64

/* Frames that reached the sink, by receive queue. One CPU serves a queue at a time, so plain additions are exact. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ARRIVAL_QUEUES);
	__type(key, __u32);
	__type(value, struct arrival);
} arrivals SEC(".maps");

/* Written by `pace_*`, which hold the source back while more than `limit` frames are under way. */
struct pace {
	__u64 sent;
	__u64 first_ns;		/* when the first frame was sent */
	__u64 limit;
	__u64 waits;		/* how often it had to */
	__u64 handover_cpu;	/* of the minimal way through a cpumap */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pace);
} paces SEC(".maps");

#define FIRST_PORT 4096
#define TO_PORT 53
#define VNIC_FLOWS_SHIFT 12
#define VNIC_FLOWS (1 << VNIC_FLOWS_SHIFT)
#define OFFSET_MASK 0xff
/* Of the MAC addresses in src/bench/stage.ts. */
#define MAC_BYTE_4 0x7c

/* Good enough to have no pattern, cheap enough not to be seen. */
static __always_inline __u32 mix(__u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352d;
	x ^= x >> 15;
	x *= 0x846ca68b;
	return x ^ x >> 16;
}

/* 0 .. limit - 1 out of a 32-bit number, without a division. */
static __always_inline __u32 scale(__u32 random, __u32 limit)
{
	return (__u64)random * limit >> 32;
}

/*
 * Fields are written as wide as they are read: a read that spans a narrower write would wait for the cache, which a frame
 * from a wire does not know.
 */
static __always_inline void vary(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, flow, vnic;
	struct variation *v = bpf_map_lookup_elem(&variations, &zero);
	__u32 *address, *ports;
	__u16 *mac;

	if (!v)
		return;
	if (v->uniform) {
		flow = scale(mix(v->turn++), v->flows);
		vnic = flow >> VNIC_FLOWS_SHIFT;
	} else {
		flow = v->flow;
		vnic = v->vnic;
		if (++v->vnic >= v->vnics)
			v->vnic = 0;
		if (++v->flow >= v->flows) {
			v->flow = 0;
			v->vnic = 0;
		}
	}
	flow &= VNIC_FLOWS - 1;
	mac = data + (v->mac_at & OFFSET_MASK);
	address = data + (v->address_at & OFFSET_MASK);
	ports = data + (v->ports_at & OFFSET_MASK);
	if ((void *)(mac + 1) > end || (void *)(address + 1) > end || (void *)(ports + 1) > end)
		return;
	*mac = MAC_BYTE_4 | (v->first_vnic + vnic) << 8;
	*address = bpf_htonl(v->address + flow);
	if (v->reply)
		*ports = bpf_htons(TO_PORT) | bpf_htons(FIRST_PORT + flow) << 16;
	else
		*ports = bpf_htons(FIRST_PORT + flow) | bpf_htons(TO_PORT) << 16;
}

SEC("xdp.frags")
int vary_empty(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_EMPTY);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int vary_pass(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_PASS);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int vary_redirect(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_REDIRECT);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int vary_steer(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_STEER);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int vary_guest(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_GUEST);
	return XDP_ABORTED;
}

/* The sink's frames, all queues. */
static __always_inline __u64 count_arrivals(void)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < ARRIVAL_QUEUES; i++) {
		__u32 queue = i;
		struct arrival *a = bpf_map_lookup_elem(&arrivals, &queue);

		if (a)
			sum += *(volatile __u64 *)&a->published;
	}
	return sum;
}

static __always_inline struct pace *pace_row(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&paces, &zero);
}

/* 1 ends the loop. */
static long is_room(__u64 i, void *ctx)
{
	struct pace *p = pace_row();

	return !p || p->sent - count_arrivals() < p->limit;
}

#define LONGEST_WAIT (1 << 18)

/* Looks only now and then: the line that the other CPU counts in is dear to read. */
static __always_inline void keep_pace(void)
{
	struct pace *p = pace_row();

	if (!p)
		return;
	if (!p->sent)
		p->first_ns = bpf_ktime_get_ns();
	if (!(p->sent % STAMP_EVERY) && !is_room(0, NULL)) {
		p->waits++;
		bpf_loop(LONGEST_WAIT, is_room, NULL, 0);
	}
	p->sent++;
}

SEC("xdp.frags")
int pace_redirect(struct xdp_md *ctx)
{
	keep_pace();
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_REDIRECT);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int pace_steer(struct xdp_md *ctx)
{
	keep_pace();
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_STEER);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int pace_handover(struct xdp_md *ctx)
{
	keep_pace();
	vary(ctx);
	bpf_tail_call(ctx, &stages, STAGE_HANDOVER);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int bench_empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}

/* To the Linux bridge. */
SEC("xdp.frags")
int bench_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&targets, TARGET_PORT, XDP_ABORTED);
}

/* The minimal way through a cpumap. */
SEC("xdp.frags")
int bench_handover(struct xdp_md *ctx)
{
	struct pace *p = pace_row();

	return p ? bpf_redirect_map(&cpus, p->handover_cpu, XDP_ABORTED) : XDP_ABORTED;
}

SEC("xdp.frags/cpumap")
int bench_queue(struct xdp_md *ctx)
{
	return bpf_redirect_map(&targets, TARGET_PORT, XDP_ABORTED);
}

/* The wire: gives the uplink frames as a driver would, in pages of their own, not as a sender's skb. */
SEC("xdp.frags")
int bench_wire(struct xdp_md *ctx)
{
	return bpf_redirect_map(&targets, TARGET_WIRE, XDP_ABORTED);
}

/* At the receiver's end: counts and drops. */
SEC("xdp.frags")
int bench_sink(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;
	struct arrival *a = bpf_map_lookup_elem(&arrivals, &queue);

	if (a && !(++a->frames % STAMP_EVERY)) {
		a->last_ns = bpf_ktime_get_ns();
		*(volatile __u64 *)&a->published = a->frames;
	}
	return XDP_DROP;
}

/* Loops over what is too fast to be timed alone. */

#define RUNS 16

/* In memory, so that clang takes nothing out of the loops. */
struct {
	__u32 turn;
	__u32 result;
	__u32 hits;
} scratch;

/* Where in the frame the input of a hash lies: addresses, then ports, without a gap. */
#define INPUT_AT 16
#define WORDS4 3
#define WORDS6 9

/* The input in the frame, or NULL when the frame is too short. */
static __always_inline __u32 *input_in(struct xdp_md *ctx)
{
	__u32 *input = (void *)(long)ctx->data + INPUT_AT;

	return (void *)(input + WORDS6) <= (void *)(long)ctx->data_end ? input : NULL;
}

/* Another input, all words of it. */
static __always_inline void change_input(__u32 *input, int words)
{
	__u32 x = mix(scratch.turn++);

#pragma clang loop unroll(full)
	for (int i = 0; i < words; i++) {
		input[i] = x;
		x = x * 0x9e3779b1 + 0x7f4a7c15;
	}
	asm volatile("" : : : "memory");
}

static __always_inline void hash_by_tables(struct xdp_md *ctx, __u32 *input, int words)
{
	struct tuple t = { .addresses = INPUT_AT, .family = words == WORDS4 ? 4 : 6, .l4 = L4_UDP, .ports = input[words - 1] };

	scratch.result ^= toeplitz_hash(ctx, &t, 0, HASH_DEFAULT);
}

/*
 * The definition, as QEMU's rss.bpf.c follows it: for every bit of the input, the 32 bits of the key that start there. A function of
 * its own, like the other, and so that the verifier looks at it once.
 */
__weak __noinline __u32 hash_by_bits(struct xdp_md *ctx, __u32 length)
{
	const __u8 *input = (const __u8 *)input_in(ctx);
	__u32 zero = 0, hash = 0, window;
	struct rss *r = bpf_map_lookup_elem(&rss, &zero);

	if (!r || !input)
		return 0;
	window = (__u32)r->key[0] << 24 | (__u32)r->key[1] << 16 | (__u32)r->key[2] << 8 | r->key[3];
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WORDS6 * 4; i++) {
		__u32 byte = input[i], next = r->key[i + 4];

		if (i >= length)
			break;
		for (__u32 bit = 0; bit < 8; bit++) {
			if (byte & 0x80) {
				hash ^= window;
				/* A branch it must stay: masks by arithmetic shift have crashed verifiers. */
				asm volatile("" : "+r"(hash));
			}
			window = window << 1 | (next >> 7 & 1);
			byte <<= 1;
			next <<= 1;
		}
	}
	return hash;
}

/* A program that does this RUNS times: `input` is a new one every time. */
#define HASH_LOOP(name, words, work)                     \
	SEC("xdp.frags")                                 \
	int loop_##name(struct xdp_md *ctx)              \
	{                                                \
		for (int i = 0; i < RUNS; i++) {         \
			__u32 *input = input_in(ctx);    \
                                                         \
			if (!input)                      \
				return XDP_ABORTED;      \
			change_input(input, words);      \
			work;                            \
		}                                        \
		return XDP_DROP;                         \
	}

HASH_LOOP(empty4, WORDS4, (void)0)
HASH_LOOP(empty6, WORDS6, (void)0)
HASH_LOOP(tables4, WORDS4, hash_by_tables(ctx, input, WORDS4))
HASH_LOOP(tables6, WORDS6, hash_by_tables(ctx, input, WORDS6))
HASH_LOOP(bits4, WORDS4, scratch.result ^= hash_by_bits(ctx, WORDS4 * 4))
HASH_LOOP(bits6, WORDS6, scratch.result ^= hash_by_bits(ctx, WORDS6 * 4))

/* A 5-tuple, as a connection table would have it. */
struct flow_key {
	__be32 from;
	__be32 to;
	__u32 ports;
	__u32 protocol;
};

#define TABLE_FLOWS (1 << 20)

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TABLE_FLOWS);
	__type(key, struct flow_key);
	__type(value, __u32);
} lru SEC(".maps");

/* Flow `number` in 0 .. TABLE_FLOWS - 1. */
static __always_inline struct flow_key key_of(__u32 number)
{
	return (struct flow_key){
		.from = mix(number),
		.to = bpf_htonl(0xc0000201),
		.ports = bpf_htons(FIRST_PORT + (number & (VNIC_FLOWS - 1))) | bpf_htons(TO_PORT) << 16,
		.protocol = L4_UDP,
	};
}

/* One of them at random. `chained`: the look-up before must have ended, as it has when a frame does one. */
static __always_inline __u32 random_flow(int chained)
{
	return scale(mix(scratch.turn++ + (chained ? scratch.result >> 31 : 0)), TABLE_FLOWS);
}

/* The slice of its vNIC, and the slot in there. */
static __always_inline struct flow *slot_of_flow(__u32 number, const struct flow_key *key, __u64 *hash)
{
	struct tuple t = { .family = 4, .l4 = L4_UDP, .ports = key->ports };
	struct cursor addresses = { .at = (void *)&key->from, .end = (void *)&key->ports };

	*hash = flow_hash(&t, addresses, flow_seed_of(0), 0);
	return flow_of(number >> VNIC_FLOWS_SHIFT, *hash);
}

static __always_inline void look_nowhere(int chained)
{
	struct flow_key key = key_of(random_flow(chained));

	asm volatile("" : : "r"(&key) : "memory");
	scratch.result = key.protocol;
}

static __always_inline void look_in_lru(int chained)
{
	struct flow_key key = key_of(random_flow(chained));
	__u32 *queue = bpf_map_lookup_elem(&lru, &key);

	if (queue) {
		scratch.result = *queue;
		scratch.hits++;
	}
}

static __always_inline void look_in_flows(int chained)
{
	__u32 number = random_flow(chained);
	struct flow_key key = key_of(number);
	struct flow_record learnt;
	struct flow *slot;
	__u64 hash;

	slot = slot_of_flow(number, &key, &hash);
	if (!slot)
		return;
	learnt = read_record(&slot->learnt);
	scratch.result = learnt.queue;
	if (learnt.valid && learnt.tag == hash >> 32)
		scratch.hits++;
}

/* A program that looks RUNS times, one look-up after the other, or with nothing that keeps them from overlapping. */
#define LOOKUP_LOOP(name, look, chained)                 \
	static long step_##name(__u64 i, void *ctx)      \
	{                                                \
		look(chained);                           \
		return 0;                                \
	}                                                \
	SEC("xdp.frags")                                 \
	int loop_##name(struct xdp_md *ctx)              \
	{                                                \
		bpf_loop(RUNS, step_##name, NULL, 0);    \
		return XDP_DROP;                         \
	}

LOOKUP_LOOP(nowhere, look_nowhere, 0)
LOOKUP_LOOP(lru, look_in_lru, 0)
LOOKUP_LOOP(flows, look_in_flows, 0)
LOOKUP_LOOP(nowhere_chained, look_nowhere, 1)
LOOKUP_LOOP(lru_chained, look_in_lru, 1)
LOOKUP_LOOP(flows_chained, look_in_flows, 1)

/* One entry of both tables per run; `turn` counts. */
SEC("xdp.frags")
int fill_tables(struct xdp_md *ctx)
{
	__u32 number = scratch.turn++ & (TABLE_FLOWS - 1), queue = number & 1;
	struct flow_key key = key_of(number);
	struct flow *slot;
	__u64 hash;

	bpf_map_update_elem(&lru, &key, &queue, BPF_ANY);
	slot = slot_of_flow(number, &key, &hash);
	if (slot)
		write_record(&slot->learnt, hash >> 32, queue, 0);
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
