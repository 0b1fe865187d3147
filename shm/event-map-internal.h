/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_EVENT_MAP_INTERNAL_H
#define AIOEVT_EVENT_MAP_INTERNAL_H

/* What event-map.c and grow.c share. */

#include "bus.h"
#include "event-map.h"

/* ---- the words of event->ring[]: offset | log2 depth -------------------------------- */

#define LOG2_MASK	UINT64_C(63)
#define MAX_LOG2	20u

static inline uint64_t ring_offset(uint64_t word)
{
	return word & ~(REGION_ALIGN - 1);
}

static inline uint32_t ring_depth(uint64_t word)
{
	return 1u << ((word & LOG2_MASK) < MAX_LOG2 ? (word & LOG2_MASK) : MAX_LOG2);
}

static inline uint64_t make_word(uint64_t offset, uint32_t depth)
{
	return offset | (uint64_t)__builtin_ctz(depth);
}

static inline uint64_t load_ring(const struct event *ev, unsigned k)
{
	/* load_ring:A  acquire, pairs with prepare:A, set_ring:A, seal:A */
	return atomic_load_explicit(&ev->ring[k], memory_order_acquire);
}

/* ---- maps -------------------------------------------------------------------------- */

/* Map the successor of the last ring, if there is one. Returns 1 or 0, or an error. */
int event_map_successor(struct event_map *map);

/* The last ring ended before @end, so its mapped successor begins there. */
int event_map_begin(struct event_map *map, uint64_t end);

/* What a fresh ring starts with; its base is set when it begins. */
int event_region_write_header(struct aioevt_shm *bus, uint64_t at, uint32_t depth);

#endif
