/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The two hashes: Toeplitz (RSS, bit for bit the NICs' one) and the flow hash (RFS, private to this host). */
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

/*
 * Toeplitz hash over source address, destination address and, where `types` has the frame's protocol, source and
 * destination port, all in network order; see maps/hash_types.h. What is not hashed has hash 0.
 */
static __always_inline __u32 toeplitz_hash(const struct rss *r, const struct tuple *t, __u8 types)
{
	const __u32 *a = t->addresses;
	__u32 enabled = t->family == 6 ? types >> HASH_TYPES_IPV6 : types;
	__u32 with_ports = t->l4 != L4_NONE && enabled >> t->l4 & 1;
	__u32 h = 0;

	if (!with_ports && !(enabled & 1))
		return 0;
	if (t->family == 4) {
		TOEPLITZ_WORD(h, r->tables, 0, a);
		TOEPLITZ_WORD(h, r->tables, 4, a + 1);
		if (with_ports)
			TOEPLITZ_WORD(h, r->tables, 8, &t->ports);
	} else if (t->family == 6) {
		TOEPLITZ_WORD(h, r->tables, 0, a);
		TOEPLITZ_WORD(h, r->tables, 4, a + 1);
		TOEPLITZ_WORD(h, r->tables, 8, a + 2);
		TOEPLITZ_WORD(h, r->tables, 12, a + 3);
		TOEPLITZ_WORD(h, r->tables, 16, a + 4);
		TOEPLITZ_WORD(h, r->tables, 20, a + 5);
		TOEPLITZ_WORD(h, r->tables, 24, a + 6);
		TOEPLITZ_WORD(h, r->tables, 28, a + 7);
		if (with_ports)
			TOEPLITZ_WORD(h, r->tables, 32, &t->ports);
	}
	return h;
}

static __always_inline __u64 pair(__u32 low, __u32 high)
{
	return (__u64)high << 32 | low;
}

/*
 * Flow hash toward the guest. `reverse` 1: the tuple was sent by the guest, so source and destination change places.
 * Only for tuples with ports. Every part has its own odd factor and the products are added, so that the multiplications do not wait
 * for each other; the end brings high bits down.
 */
static __always_inline __u64 flow_hash(const struct tuple *t, int reverse)
{
	const __u32 *a = t->addresses;
	__u32 ports = reverse ? t->ports << 16 | t->ports >> 16 : t->ports;
	__u64 seed = flow_seed;
	__u64 h = (seed ^ pair(ports, t->l4)) * 0x9e3779b97f4a7c15ULL;

	if (t->family == 6) {
		const __u32 *from = reverse ? a + 4 : a, *to = reverse ? a : a + 4;

		h += (seed ^ pair(from[1], to[1])) * 0xbf58476d1ce4e5b9ULL;
		h += (seed ^ pair(from[2], to[2])) * 0x94d049bb133111ebULL;
		h += (seed ^ pair(from[3], to[3])) * 0xd6e8feb86659fd93ULL;
		h += (seed ^ pair(from[0], to[0])) * 0xff51afd7ed558ccdULL;
	} else {
		h += (seed ^ (reverse ? pair(a[1], a[0]) : pair(a[0], a[1]))) * 0xff51afd7ed558ccdULL;
	}
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 29;
}

#endif
