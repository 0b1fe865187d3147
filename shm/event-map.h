/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_EVENT_MAP_H
#define AIOEVT_EVENT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "registry.h"
#include "ring.h"

/*
 * An event as this process uses it, mapped or to be, shared by all that do and counted. As long
 * as there is one in bus->maps[], my port's bit says that its index is in use; nothing else sets
 * or clears that bit, so that a former event of the index may be asked for without touching
 * it. All under bus->lock.
 */
struct event_map {
	struct aioevt_shm *bus;
	struct event_ref ref;
	unsigned refs;			/* users: handles, the maker, one who ends or reaps it */
	bool is_borrowed;		/* a reaper's, not in bus->maps[]: the dead port's bit is set */
	_Atomic unsigned n_rings;	/* mapped; the last is the one to emit to */
	bool was_used;			/* more than looked at, see event_map_put() */
	uint64_t first_head;		/* of the last ring, when it was mapped */
	struct event *event;
	struct event_ctl *ctl;
	_Atomic uint64_t *observers;	/* [n_words], see sub.c */
	_Atomic uint64_t *cursors;	/* of reliable readers, see reliable.c */
	struct ring ring[MAX_RINGS];
};

/* ---- regions: @ring is a word of event->ring[], @first whether of ring[0] --------- */

uint64_t event_region_size(struct aioevt_shm *bus, uint64_t ring, bool first);
bool event_region_is_sane(struct aioevt_shm *bus, uint64_t ring, bool first);
void event_region_free(struct aioevt_shm *bus, uint64_t ring, bool first);

/* Bytes of memory that its bodies take. */
uint64_t event_region_bodies(struct aioevt_shm *bus, uint64_t ring, bool first);

/* The first number of a new event, from the floor of its bucket. */
uint64_t event_first_number(const struct aioevt_shm *bus, uint64_t floor);

/* The largest region that was ever made. */
uint64_t event_region_max(struct aioevt_shm *bus);

/* For the private event @ref: make its region, mapped; set where numbers start. */
int event_region_new(struct aioevt_shm *bus, struct event_ref ref, struct event_map **ret_map);
void event_region_start(struct event_map *map, uint64_t floor);

/* ---- maps ------------------------------------------------------------------------- */

/*
 * Use exactly @ref, a DEAD one only if @even_dead, so that it keeps its place; nothing is mapped
 * by that. Returns 0, -ENOENT if it went, -ENOMEM.
 */
int event_map_hold(struct aioevt_shm *bus, struct event_ref ref, bool even_dead,
		   struct event_map **ret_map);

/* End a use; with the last one, all that was mapped is unmapped. */
void event_map_drop(struct event_map *map);

/* Use a LIVE event and map it. Returns 0, -ENOENT if it went, -ENOMEM, -EPROTO. */
int event_map_get(struct aioevt_shm *bus, struct event_ref ref, struct event_map **ret_map);

/*
 * End the use of a mapped event; the last one buries it if it is DEAD. If it was opened to emit
 * or to listen, or was emitted to, then this is when it was last used; that it was looked at
 * does not keep an event from being retired before others.
 */
void event_map_put(struct event_map *map);

/*
 * The ring after ring @k of @map, which is closed. Returns 0; -EPIPE if there is none
 * because the event was removed; -ENOMEM, -EPROTO.
 */
int event_map_next(struct event_map *map, unsigned k, unsigned *ret_next);

/* Map what successors there are. Returns 0, -ENOMEM, -EPROTO. */
int event_map_all(struct event_map *map);

/* A deeper ring. Errors as aioevt_shm_event_grow(). */
int event_map_grow(struct event_map *map, uint32_t depth);

/*
 * Make sure that nothing is emitted any more to a DEAD event that the caller holds; *ret_end is
 * over all its numbers. Returns 0, -ENOMEM, -EPROTO.
 */
int event_map_end(struct event_map *map, uint64_t *ret_end);

/*
 * Use, for its reaper, what a dead port used: that port's bit keeps it in place. Nothing is
 * mapped by that. -ENOENT if there is nothing to clean, -ENOMEM.
 */
int event_map_for_reaper(struct aioevt_shm *bus, uint32_t index, struct event_map **ret_map);

/* The number of rings, and the last of them. */
static inline unsigned event_map_rings(const struct event_map *map)
{
	/* event_map_rings:A  acquire, pairs with map_region:A */
	return atomic_load_explicit(&map->n_rings, memory_order_acquire);
}

static inline const struct ring *event_map_last(const struct event_map *map)
{
	return &map->ring[event_map_rings(map) - 1];
}

/* ---- numbers ---------------------------------------------------------------------- */

/* Where numbers of a bus start: just below a wrap of the low bits of the lap. */
static inline uint64_t seq_bias(const struct layout *lo)
{
	uint64_t depth = lo->depth < 65536 ? lo->depth : 65536;

	return (UINT64_C(0xfffffffe)) * depth;
}

static inline uint64_t seq_to_user(const struct layout *lo, uint64_t seq)
{
	return seq - seq_bias(lo) + 1;
}

static inline uint64_t seq_from_user(const struct layout *lo, uint64_t seq)
{
	return seq + seq_bias(lo) - 1;
}

#endif
