/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Why a frame went where it went: one reason for every verdict. Both lists only grow; a retired value stays, marked. */
#ifndef UNIPATH_VERDICTS_H
#define UNIPATH_VERDICTS_H

#include "contract.h"

/*
 * The reason names the verdict in its prefix: pass_* goes to the bridge, redirect_* past it, drop_* is policy.
 * The same words are the metric label `reason`.
 */
enum reason {
	/* Toward a guest, decided on the uplink, or on the port of a neighbour on the same host. */
	REASON_REDIRECT_RSS = 0,	/* to the guest's current port; queue from the hash and the indirection table */
	REASON_REDIRECT_RFS = 1,	/* to the guest's current port; queue on which the guest itself sends this flow */
	REASON_REDIRECT_SINGLE = 2,	/* to the guest's current port, which has one queue: nothing to choose */

	/* From a guest. */
	REASON_REDIRECT_UPLINK = 3,	/* to a station known to be behind the uplink */

	/* To the bridge. */
	REASON_PASS_SOFTWARE = 4,	/* the vNIC is on its software path and cut-through is off */
	REASON_PASS_UNKNOWN_MAC = 5,	/* the destination is no vNIC of ours and not known behind the uplink */
	REASON_PASS_MULTICAST = 6,	/* broadcast and multicast are the bridge's business */
	REASON_PASS_OVERSIZE = 7,	/* larger than the target port accepts */
	REASON_PASS_PARTIAL_CHECKSUM = 8, /* the L4 checksum is only the pseudo-header sum, or one further in may be: someone must finish it */
	REASON_PASS_NO_TARGET = 9,	/* the target port is gone or down */
	REASON_PASS_RUNT = 10,		/* shorter than its Ethernet header and VLAN tags */
	REASON_PASS_UNKNOWN_PORT = 11,	/* arrived on a port that no vNIC owns (yet) */
	REASON_PASS_OTHER_DOMAIN = 12,	/* the destination vNIC hangs on another uplink */
	REASON_PASS_TOO_MANY_TAGS = 13,	/* more VLAN tags than are read: what is behind them may not be redirected unseen */

	/* Policy. */
	REASON_DROP_SPOOFED_MAC = 14,	/* a guest sent from a MAC address that is not its vNIC's */
	REASON_DROP_SPOOFED_VLAN = 15,	/* right MAC address, wrong VLAN */
	REASON_DROP_CONTROL = 16,	/* control frame from where none may come */
	REASON_CONTROL = 17,		/* control frame from the guest plug-in, or the guest's answer to a question of ours, consumed */

	/* Later ones. */
	REASON_REDIRECT_DRAIN = 18,	/* to the guest's current port, on the queue as before: the flow has a new one, and the old one may not
					 * be empty yet */
	REASON_PASS_MULTI_BUFFER = 19,	/* in several buffers, and the target port takes only frames in one */
	REASON_PASS_SAME_PORT = 20,	/* the target is the port it came in on: the adapter's own switch, or the bridge, knows better */
	REASON_PASS_NO_HEADROOM = 21,	/* a VLAN tag had to be put in and there was no room */
	REASON_DROP_SPOOFED_ARP = 22,	/* ARP that claims a MAC or IP address which is not the vNIC's */
	REASON_DROP_SPOOFED_ND = 23,	/* neighbour discovery that claims an address which is not the vNIC's */
	REASON_DROP_SPOOFED_IP = 24,	/* an IP source address which is not the vNIC's */
	REASON_DROP_RETAGGED = 25,	/* its way was gone after its VLAN tag had been changed for it: the bridge would take it for another VLAN's */

	REASON_HELD = 26,		/* kept back while its guest changes its path; delivered as soon as the guest hears again */
	REASON_DROP_HOLD_FULL = 27,	/* the same, but there was no room */
	REASON_REDIRECT_VF = 28,	/* came by the bridge to the tap of a guest that hears on its VF only: to the VF port */
	REASON_DROP_REFLECTED = 29,	/* the guest's own frame, which the bridge brought back to its tap, or the adapter's own switch to the uplink; or
					 * one for its VF and others, which that switch gives to all of them */

	REASON_DROP_RATE = 30,		/* the guest sends more than it may */
	REASON_PASS_NO_TRANSMIT = 31,	/* the target port's driver takes no frames from programs on other devices */

	REASON_COUNT = 32,
};

/* The two ways between a vNIC and the wire. */
enum vnic_path {
	PATH_SOFTWARE = 0,
	PATH_ACCELERATED = 1,
} __attribute__((packed));

/* Which of a vNIC's two ports. */
enum port_role {
	PORT_TAP = 0,
	PORT_VF = 1,
} __attribute__((packed));

#endif
