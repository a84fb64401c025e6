/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * The programs' clock for ageing: coarse and cheap. A tick is 2^tick_shift timer interrupts: reading their number is one load, where
 * reading a time costs as much as half of a redirect.
 */
#ifndef UNIPATH_CLOCK_H
#define UNIPATH_CLOCK_H

#include "config.h"

static __always_inline __u32 tick_now(void)
{
	return frozen_tick ? frozen_tick : bpf_jiffies64() >> tick_shift;
}

/* Ticks from `then` to `now`; a `then` that is a little ahead was just now, not 2^32 ticks ago. */
static __always_inline __u32 ticks_since(__u32 then, __u32 now)
{
	__u32 age = now - then;

	return age >= (__u32)-CLOCK_SKEW ? 0 : age;
}

/* The same where only the low 16 bits of `then` are kept. */
static __always_inline __u32 ticks_since16(__u16 then, __u32 now)
{
	__u16 age = now - then;

	return age >= (__u16)-CLOCK_SKEW ? 0 : age;
}

#endif
