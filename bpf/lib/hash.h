/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The two hashes: Toeplitz (RSS, bit for bit the NICs' one) and the flow hash (RFS, private to this host). */
#ifndef UNIPATH_HASH_H
#define UNIPATH_HASH_H

#include "config.h"
#include "parse.h"
#include "steerings.h"

/*
 * One 32-bit word of hash input: four table look-ups. `first` is the index of its first byte. The empty asm keeps clang
 * from computing all table addresses ahead, which would overflow the 512-byte stack.
 */
#define TOEPLITZ_WORD(h, tables, first, word)                  \
	do {                                                   \
		__u32 w = (word);                              \
		h ^= (tables)[(first)][w & 0xff];              \
		h ^= (tables)[(first) + 1][(w >> 8) & 0xff];   \
		asm volatile("" : "+r"(h));                    \
		h ^= (tables)[(first) + 2][(w >> 16) & 0xff];  \
		h ^= (tables)[(first) + 3][w >> 24];           \
		asm volatile("" : "+r"(h));                    \
	} while (0)

/*
 * Toeplitz hash over source address, destination address and, when the frame has them, source and destination port, all
 * in network order (Microsoft, "RSS hashing types"). Not IP: 0.
 */
static __always_inline __u32 toeplitz_hash(const struct rss *r, const struct tuple *t)
{
	__u32 h = 0;

	if (t->family == 4) {
		TOEPLITZ_WORD(h, r->tables, 0, t->source[0]);
		TOEPLITZ_WORD(h, r->tables, 4, t->destination[0]);
		if (t->l4 != L4_NONE)
			TOEPLITZ_WORD(h, r->tables, 8, t->ports);
	} else if (t->family == 6) {
		TOEPLITZ_WORD(h, r->tables, 0, t->source[0]);
		TOEPLITZ_WORD(h, r->tables, 4, t->source[1]);
		TOEPLITZ_WORD(h, r->tables, 8, t->source[2]);
		TOEPLITZ_WORD(h, r->tables, 12, t->source[3]);
		TOEPLITZ_WORD(h, r->tables, 16, t->destination[0]);
		TOEPLITZ_WORD(h, r->tables, 20, t->destination[1]);
		TOEPLITZ_WORD(h, r->tables, 24, t->destination[2]);
		TOEPLITZ_WORD(h, r->tables, 28, t->destination[3]);
		if (t->l4 != L4_NONE)
			TOEPLITZ_WORD(h, r->tables, 32, t->ports);
	}
	return h;
}

static __always_inline __u64 mix(__u64 h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

static __always_inline __u64 pair(__u32 low, __u32 high)
{
	return (__u64)high << 32 | low;
}

/*
 * Flow hash toward the guest. `reverse` 1: the tuple was sent by the guest, so source and destination change places.
 * Only for tuples with ports.
 */
static __always_inline __u64 flow_hash(const struct tuple *t, int reverse)
{
	const __u32 *from = reverse ? t->destination : t->source;
	const __u32 *to = reverse ? t->source : t->destination;
	__u32 ports = reverse ? t->ports << 16 | t->ports >> 16 : t->ports;
	__u64 h = flow_seed;

	if (t->family == 6) {
		h = mix(h ^ pair(from[1], to[1]));
		h = mix(h ^ pair(from[2], to[2]));
		h = mix(h ^ pair(from[3], to[3]));
	}
	h = mix(h ^ pair(from[0], to[0]));
	return mix(h ^ pair(ports, t->protocol));
}

#endif
