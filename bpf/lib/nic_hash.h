/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * The RSS hash that the NIC has computed of a frame already (XDP metadata, Documentation/networking/xdp-rx-metadata.rst). Only a program that is
 * loaded for one device may ask its driver for it.
 */
#ifndef UNIPATH_NIC_HASH_H
#define UNIPATH_NIC_HASH_H

#include "hash.h"

/* include/net/xdp.h: what was hashed. */
enum xdp_rss_hash_type {
	XDP_RSS_L3_IPV4 = 1 << 0,
	XDP_RSS_L3_IPV6 = 1 << 1,
	XDP_RSS_L4 = 1 << 3,
	XDP_RSS_L4_TCP = 1 << 4,
	XDP_RSS_L4_UDP = 1 << 5,
	XDP_RSS_L4_SCTP = 1 << 6,
};

#ifndef RX_HASH
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash, enum xdp_rss_hash_type *type) __ksym __weak;
#define RX_HASH bpf_xdp_metadata_rx_hash
#endif

/* The fields that rss_hash() hashes of a frame, as a NIC says it; 0: none. */
static __always_inline __u32 fields_of_nic(const struct tuple *t, __u32 types)
{
	__u32 addresses = t->family == 6 ? XDP_RSS_L3_IPV6 : XDP_RSS_L3_IPV4;

	switch (hashed_fields(t->family, t->l4, types)) {
	case HASHED_PORTS:
		return addresses | XDP_RSS_L4 | (t->l4 == L4_TCP ? XDP_RSS_L4_TCP : t->l4 == L4_UDP ? XDP_RSS_L4_UDP : XDP_RSS_L4_SCTP);
	case HASHED_ADDRESSES:
		return addresses;
	default:
		return 0;
	}
}

/* Returns 1, or 0 where the NIC has no hash over just these fields. */
static __always_inline int nic_hash(struct xdp_md *ctx, const struct tuple *t, __u32 types, __u32 *hash)
{
	enum xdp_rss_hash_type fields = 0;
	__u32 told = 0; /* of its own: the verifier forgets what lies beside a word that the kernel writes */

	if (!t->family || RX_HASH(ctx, &told, &fields) || !fields || fields != fields_of_nic(t, types))
		return 0;
	*hash = told;
	return 1;
}

#define NIC_HASH nic_hash

#endif
