/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_OWN_H
#define AIOEVT_OWN_H

/*
 * Words that say who may use something: counts of references, and flags of things that one thread
 * has at a time. Of one process; nothing here is on a bus.
 *
 * Ordering
 *   ref_put:A / ref_put:A     acq_rel: who drops the last reference sees all that others did.
 *   flag_give:A / flag_take:A release/acquire: who takes it sees what the one before did to it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static inline void ref_get(_Atomic unsigned *refs)
{
	/* ref_get:A  relaxed: who calls has a reference already */
	atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* True if it was the last. */
static inline bool ref_put(_Atomic unsigned *refs)
{
	/* ref_put:A  acq_rel, pairs with ref_put:A */
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static inline bool flag_take(_Atomic uint32_t *flag)
{
	uint32_t idle = 0;

	/* flag_take:A  acquire, pairs with flag_give:A */
	return atomic_compare_exchange_strong_explicit(flag, &idle, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static inline void flag_give(_Atomic uint32_t *flag)
{
	/* flag_give:A  release, pairs with flag_take:A */
	atomic_store_explicit(flag, 0, memory_order_release);
}

#endif
