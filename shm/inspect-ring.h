/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_INSPECT_RING_H
#define AIOEVT_INSPECT_RING_H

/* What inspect-ring.c and inspect-body.c share: one ring, copied. */

#include "inspect.h"

struct scan {
	struct look *look;
	const struct extent *extent;
	uint32_t event;
	uint64_t at;			/* of the ring's header in the file */
	uint64_t slots_at;
	uint32_t depth, shift, n_bodies;
	uint64_t head, head_after;	/* numbers */
	bool quiet;			/* nothing was emitted meanwhile */
	bool has_next;			/* a successor */
	struct slot *slots;		/* their first words */
	uint32_t *owners;		/* of bodies; NULL if it has none */
	uint32_t *linked;		/* how many slots have the body */
	/* as it was before the slots were read; last, for it ends in an open array */
	struct ring_header header;
};

/* A problem of this ring. */
#define ring_problem(scan, code, a, format, ...) \
	report((scan)->look, PROBLEM, code, (scan)->at, a, "event \"%s\": " format, \
	       look_name((scan)->look, (scan)->event), __VA_ARGS__)

static inline uint64_t to_user(const struct scan *scan, uint64_t seq)
{
	return seq_to_user(&scan->look->lo, seq);
}

static inline uint64_t state_of(const struct scan *scan, uint32_t i)
{
	return get64(&scan->slots[i].state);
}

static inline uint64_t seq_of(const struct scan *scan, uint32_t i)
{
	return slot_lap(state_of(scan, i)) << scan->shift | i;
}

/* Its bodies, and whether they go with its slots. */
void scan_bodies(struct scan *scan);

/* Those of an event on its way out are its own still, and not looked at. */
void look_at_loose_bodies(struct look *look, const struct extent *extent);

#endif
