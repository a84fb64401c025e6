/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Knobs: set between open and load, then constant, so that the verifier removes the branches not taken. */
#ifndef UNIPATH_CONFIG_H
#define UNIPATH_CONFIG_H

#include "contract.h"

/* Learnt flows per vNIC; a power of two. `flows` has MAX_VNICS times as many rows. */
const volatile __u32 flows_per_vnic __weak = 4096;

/* Inode of the network namespace that is served: tracepoints fire for all of them. 0 = count everything. */
const volatile __u32 own_netns __weak = 0;

/* Timer interrupts per tick, as a power of two: such that a tick has 13 to 26 ms. The default is right for 250 Hz. */
const volatile __u32 tick_shift __weak = 2;

/* For tests: the clock stands still at this tick. 0 = it runs. */
const volatile __u32 frozen_tick __weak = 0;

/* Frames on the uplink may have a partial checksum: true for virtual uplinks, never so on a wire. */
const volatile __u8 uplink_partial_checksum __weak = 1;

#endif
