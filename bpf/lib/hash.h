/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The two hashes: Toeplitz (RSS, bit for bit the NICs' one) and the flow hash (RFS, private to a vNIC). */
#ifndef UNIPATH_HASH_H
#define UNIPATH_HASH_H

#include "config.h"
#include "parse.h"
#include "steerings.h"

/*
 * Four bytes of hash input: four table look-ups. `first` is the index of the first byte. Bytes are read one by one, which is
 * cheaper than taking a word apart. The empty asm keeps clang from computing all table addresses ahead, which would
 * overflow the 512-byte stack.
 */
#define TOEPLITZ_WORD(h, tables, first, bytes)       \
	do {                                         \
		const __u8 *in = (const __u8 *)(bytes); \
		h ^= (tables)[(first)][in[0]];       \
		h ^= (tables)[(first) + 1][in[1]];   \
		asm volatile("" : "+r"(h));          \
		h ^= (tables)[(first) + 2][in[2]];   \
		h ^= (tables)[(first) + 3][in[3]];   \
		asm volatile("" : "+r"(h));          \
	} while (0)

/* Bit numbers in enum hash_type: the family's own, and behind it those of its protocols in the order of enum l4_kind. */
#define HASH_TYPES_IPV4 0
#define HASH_TYPES_IPV6 4

/* What of a frame is hashed. */
enum hashed_fields {
	HASHED_NOTHING = 0,
	HASHED_ADDRESSES = 1,
	HASHED_PORTS = 2,	/* and the addresses */
};

static __always_inline enum hashed_fields hashed_fields(__u32 family, __u32 l4, __u32 types)
{
	__u32 enabled = family == 6 ? types >> HASH_TYPES_IPV6 : types >> HASH_TYPES_IPV4;

	if (l4 != L4_NONE && enabled >> (l4 & 3) & 1)
		return HASHED_PORTS;
	return enabled & 1 ? HASHED_ADDRESSES : HASHED_NOTHING;
}

/* How rss_hash() shall hash. */
static __always_inline __u32 hash_request(__u32 row, __u32 types, const struct tuple *t)
{
	return row | types << 8 | (__u32)t->family << 16 | (__u32)t->l4 << 24;
}

/*
 * Toeplitz hash over source address, destination address and, where the types have the frame's protocol, source and
 * destination port, all in network order; see maps/hash_types.h. What is not hashed has hash 0. The addresses lie `offset` bytes into
 * the frame. A function of its own, that the verifier looks at once: it is the longest part of all.
 */
__weak __noinline __u32 rss_hash(struct xdp_md *ctx, __u32 offset, __u32 ports, __u32 request)
{
	__u32 row = request & 0xff, types = request >> 8 & 0xff, family = request >> 16 & 0xff, l4 = request >> 24;
	const __u32 *a = (void *)(long)ctx->data + (offset & FRAME_OFFSET_MASK);
	void *end = (void *)(long)ctx->data_end;
	struct rss *r = bpf_map_lookup_elem(&rss, &row);
	enum hashed_fields fields = hashed_fields(family, l4, types);
	__u32 h = 0;

	if (!r || fields == HASHED_NOTHING)
		return 0;
	if (family == 4 && (void *)(a + 2) <= end) {
		TOEPLITZ_WORD(h, r->tables, 0, a);
		TOEPLITZ_WORD(h, r->tables, 4, a + 1);
		if (fields == HASHED_PORTS)
			TOEPLITZ_WORD(h, r->tables, 8, &ports);
	} else if (family == 6 && (void *)(a + 8) <= end) {
		TOEPLITZ_WORD(h, r->tables, 0, a);
		TOEPLITZ_WORD(h, r->tables, 4, a + 1);
		TOEPLITZ_WORD(h, r->tables, 8, a + 2);
		TOEPLITZ_WORD(h, r->tables, 12, a + 3);
		TOEPLITZ_WORD(h, r->tables, 16, a + 4);
		TOEPLITZ_WORD(h, r->tables, 20, a + 5);
		TOEPLITZ_WORD(h, r->tables, 24, a + 6);
		TOEPLITZ_WORD(h, r->tables, 28, a + 7);
		if (fields == HASHED_PORTS)
			TOEPLITZ_WORD(h, r->tables, 32, &ports);
	}
	return h;
}

/* The same for a frame that was parsed. */
static __always_inline __u32 toeplitz_hash(struct xdp_md *ctx, const struct tuple *t, __u32 row, __u32 types)
{
	if (!t->family)
		return 0;
	return rss_hash(ctx, t->addresses, t->ports, hash_request(row, types, t));
}

static __always_inline __u64 pair(__u32 low, __u32 high)
{
	return (__u64)high << 32 | low;
}

/* Key of the flow hash of a vNIC. */
static __always_inline __u64 flow_seed_of(__u32 vnic)
{
	__u64 *seed = bpf_map_lookup_elem(&flow_seeds, &vnic);

	return seed ? *seed : 0;
}

/*
 * Flow hash toward the guest. `reverse` 1: the tuple was sent by the guest, so source and destination change places.
 * Only for tuples with ports. Every part has its own odd factor and the products are added, so that the multiplications do not wait
 * for each other; the end brings high bits down.
 */
static __always_inline __u64 flow_hash(const struct tuple *t, struct cursor addresses, __u64 seed, int reverse)
{
	const __u32 *a = addresses.at;
	__u32 ports = reverse ? t->ports << 16 | t->ports >> 16 : t->ports;
	__u64 h = (seed ^ pair(ports, t->l4)) * 0x9e3779b97f4a7c15ULL;

	if (t->family == 6 && (void *)(a + 8) <= addresses.end) {
		const __u32 *from = reverse ? a + 4 : a, *to = reverse ? a : a + 4;

		h += (seed ^ pair(from[1], to[1])) * 0xbf58476d1ce4e5b9ULL;
		h += (seed ^ pair(from[2], to[2])) * 0x94d049bb133111ebULL;
		h += (seed ^ pair(from[3], to[3])) * 0xd6e8feb86659fd93ULL;
		h += (seed ^ pair(from[0], to[0])) * 0xff51afd7ed558ccdULL;
	} else if (t->family == 4 && (void *)(a + 2) <= addresses.end) {
		h += (seed ^ (reverse ? pair(a[1], a[0]) : pair(a[0], a[1]))) * 0xff51afd7ed558ccdULL;
	}
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 29;
}

#endif
