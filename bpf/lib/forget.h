/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Keeps clang from making use of what it knows of a value, where the verifier does not know it and must be shown. */
#ifndef UNIPATH_FORGET_H
#define UNIPATH_FORGET_H

#define FORGET(value) asm volatile("" : "+r"(value))

#endif
