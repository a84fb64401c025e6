/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * Which fields of which frame the RSS hash covers. In network order, one after the other:
 *
 *   frame                                        with its bit set                        without it
 *   TCP over IPv4                                source, destination, both ports         as IPv4
 *   UDP over IPv4                                source, destination, both ports         as IPv4
 *   SCTP over IPv4                               source, destination, both ports         as IPv4
 *   other IPv4, any fragment, L4 cut short       source, destination                     no hash
 *   TCP over IPv6                                source, destination, both ports         as IPv6
 *   UDP over IPv6                                source, destination, both ports         as IPv6
 *   SCTP over IPv6                               source, destination, both ports         as IPv6
 *   other IPv6, any fragment, L4 cut short       source, destination                     no hash
 *   everything else                              no hash
 *
 * "No hash" is hash 0, so the first bucket of the indirection table.
 *
 * Sources: Microsoft, "RSS Hashing Types" (fields and their order; a fragment, the first one too, has no port hash);
 * Virtual I/O Device (VIRTIO) 1.2, 5.1.6.4.3.1 (the same types as bits, and how they fall back); Intel 82599 data sheet,
 * 7.1.2.8.1 (fragments). Addresses are those of the IP header: the home address option and the type 2 routing header, which
 * the *_EX types of both specifications take instead, are not looked for, as NICs without these types do it. IPv6 extension
 * headers before TCP and UDP are stepped over. SCTP is in neither specification; NICs that can hash its ports (i40e, ice:
 * `ethtool -N ... rx-flow-hash sctp4 sdfn`) have it off by default, and so it is here.
 */
#ifndef UNIPATH_HASH_TYPES_H
#define UNIPATH_HASH_TYPES_H

enum hash_type {
	HASH_IPV4 = 1 << 0,
	HASH_TCP_IPV4 = 1 << 1,
	HASH_UDP_IPV4 = 1 << 2,
	HASH_SCTP_IPV4 = 1 << 3,
	HASH_IPV6 = 1 << 4,
	HASH_TCP_IPV6 = 1 << 5,
	HASH_UDP_IPV6 = 1 << 6,
	HASH_SCTP_IPV6 = 1 << 7,
	/* What NICs hash unless told otherwise. */
	HASH_DEFAULT = HASH_IPV4 | HASH_TCP_IPV4 | HASH_UDP_IPV4 | HASH_IPV6 | HASH_TCP_IPV6 | HASH_UDP_IPV6,
} __attribute__((packed));

#endif
