/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_BOUNDS_H
#define AIOEVT_BOUNDS_H

/*
 * How often a loop may begin again. The engine is lock-free: a round of a loop fails because another
 * participant changed what the loop looks at, so that participant got something done. A round in
 * which the loop itself gets on (it skips a record, carries a slot to the next lap, retires an
 * event) counts for no bound.
 *
 *   MAX_STILL      rounds in a row that find the same words and fail. Participants leave nothing
 *                  behind on which a round fails twice, and 64 allow for what nobody thought of:
 *                  -EPROTO, the memory is damaged.
 *   MAX_LOST       rounds lost to others, a few memory accesses each. Of some processors that
 *                  compete for a word each gets it within a few rounds; 2^20 take 20 ms at least:
 *                  -EBUSY, others came first each time.
 *   MAX_LOST_LONG  the same for rounds that make system calls or go through a ring, 1 us to 1 ms
 *                  each: a second, or a few.
 *   MAX_SLOW       looks that have to be quick and were not, because the processor was taken
 *                  away during each: 100 times 10 ms, -EBUSY.
 *   MAX_BATCHES    batches of timers that one call fires; the others stay due. A table holds
 *                  fewer, so more were scheduled meanwhile, and the caller has other things to do.
 *   MAX_MEMORY     times that memory was given back at the cost of idle events, and others were
 *                  faster to take it: -ENOSPC. Each time costs more events.
 */

#include <errno.h>
#include <stdint.h>

#define MAX_STILL	64u
#define MAX_LOST	(1u << 20)
#define MAX_LOST_LONG	(1u << 14)
#define MAX_SLOW	100u
#define MAX_MEMORY	8u
#define MAX_BATCHES	1000u

/* The rounds of one loop, from { 0 }. */
struct rounds {
	uint64_t place, word;		/* what the last one found */
	unsigned n_still, n_lost;
};

/* Count a round that found @word at @place and failed. Returns 0, -EPROTO or -EBUSY. */
static inline int rounds_lose(struct rounds *r, uint64_t place, uint64_t word)
{
	r->n_still = r->n_lost && r->place == place && r->word == word ? r->n_still + 1 : 0;
	r->place = place;
	r->word = word;
	r->n_lost++;
	return r->n_still >= MAX_STILL ? -EPROTO : r->n_lost >= MAX_LOST ? -EBUSY : 0;
}

#endif
