/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Finding a vNIC, by address or by port, and its path. */
#ifndef UNIPATH_VNIC_H
#define UNIPATH_VNIC_H

#include "parse.h"
#include "vnics.h"

/* First of the VNIC_PROBES slots that may hold a key; multiplicative hash, the top 14 bits index VNIC_SLOTS = 16384. */
static __always_inline __u32 slot_of(__u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 50;
}

/* Key of a guest-facing port; no address has it, see vnic_key(). */
static __always_inline __u64 port_key(__u32 ifindex)
{
	return 1ULL << 62 | ifindex;
}

/* The slot that holds the key, or NULL. */
static __always_inline struct vnic_slot *find_slot(__u64 key)
{
	__u32 first = slot_of(key);

#pragma unroll
	for (int i = 0; i < VNIC_PROBES; i++) {
		__u32 index = (first + i) & (VNIC_SLOTS - 1);
		struct vnic_slot *slot = bpf_map_lookup_elem(&vnic_slots, &index);

		if (slot && slot->key == key)
			return slot;
	}
	return NULL;
}

/* vNIC id of a MAC address and VLAN, 0 when there is none. */
static __always_inline __u32 find_vnic(__u64 key)
{
	struct vnic_slot *slot = find_slot(key);

	return slot ? slot->vnic : 0;
}

static __always_inline struct vnic *vnic_of(__u32 id)
{
	return bpf_map_lookup_elem(&vnics, &id);
}

static __always_inline struct path_word *path_of(__u32 id)
{
	return bpf_map_lookup_elem(&paths, &id);
}

/* Is the vNIC on its VF, and is there one? */
static __always_inline int is_accelerated(const struct vnic *v, const struct path_word *p)
{
	return (p->word & PATH_MASK) == PATH_ACCELERATED && v->vf_ifindex;
}

/*
 * Has the guest's VF heard it already? While what waits is released to a VF behind the adapter's own switch, that switch gives what comes in by the
 * uplink to the VF, too; and some give back to the PF what is released, which would wait and be released for ever.
 */
static __always_inline int has_heard(const struct vnic *v, const struct path_word *p, __u32 ingress_ifindex)
{
	return p->word & PATH_RELEASE && is_accelerated(v, p) && v->vf_ifindex == v->uplink_ifindex && ingress_ifindex == v->uplink_ifindex;
}

#endif
