/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_REGISTRY_H
#define AIOEVT_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "name.h"

struct aioevt_shm;
struct event_map;

/* One incarnation of an event: its place in the table and that place's generation. */
struct event_ref {
	uint32_t index;
	uint32_t generation;
};

#define EVENT_FREE	0u
#define EVENT_NEW	1u
#define EVENT_LIVE	2u
#define EVENT_RETIRING	3u
#define EVENT_DEAD	4u
#define EVENT_GONE	5u

static inline uint32_t event_phase(uint64_t state)
{
	return state & 0xffff;
}

/* RETIRING is as good as LIVE to all but its retirer. */
static inline bool event_is_findable(uint64_t state)
{
	return event_phase(state) == EVENT_LIVE || event_phase(state) == EVENT_RETIRING;
}

static inline uint32_t event_port(uint64_t state)
{
	return state >> 16 & 0xffff;
}

static inline uint32_t event_generation(uint64_t state)
{
	return (uint32_t)(state >> 32);
}

static inline uint64_t event_word(uint32_t generation, uint32_t port, uint32_t phase)
{
	return (uint64_t)generation << 32 | (uint64_t)port << 16 | phase;
}

/* The state of the event slot @index now. */
uint64_t registry_state(struct aioevt_shm *bus, uint32_t index);

/* Is @ref still there and to be found, in the order of all? */
bool registry_is_live(struct aioevt_shm *bus, struct event_ref ref);

/*
 * Find the event @name. Unlinks dead events on the way. Returns 1 and the event, 0 if there
 * is none, or -EPROTO, -EBUSY. Like all below it is called with bus->lock held.
 */
int registry_find(struct aioevt_shm *bus, const struct name *name,
		  struct event_ref *ret_ref);

/*
 * Find it or make it, mapped: drop with event_map_put(). Returns 0, -ENOENT, -ENOSPC, -EFBIG,
 * -ENOMEM, -EPROTO, -EBUSY.
 */
int registry_get(struct aioevt_shm *bus, const struct name *name, bool create,
		 struct event_map **ret_map, bool *ret_created);

/* Is any port using it? Any but mine? */
bool registry_in_use(struct aioevt_shm *bus, uint32_t index);
bool registry_others_use(struct aioevt_shm *bus, uint32_t index);

/* Make it DEAD: nobody can find it any more. False: somebody else did. */
bool registry_kill(struct aioevt_shm *bus, struct event_ref ref);

/* Over all numbers that an event of that name, now gone, had. */
uint64_t registry_floor(struct aioevt_shm *bus, const struct name *name);

/* Bytes of the rings of all events, as an estimate. Takes no lock. */
uint64_t registry_memory(struct aioevt_shm *bus);

/*
 * Make room for @size bytes of rings in the budget, at the cost of idle events; if they do not
 * suffice, of none. Returns 0, -ENOSPC, or an error that region_new() would return, or mapping.
 */
int registry_make_room(struct aioevt_shm *bus, uint64_t size);

/*
 * There was no memory for @size bytes of a ring, or of a large payload: let there be, at the cost
 * of idle events as above. Tried for the first time, @n_tries is 0; see MAX_MEMORY. Returns 0, then try again, or -ENOSPC.
 */
int registry_free_memory(struct aioevt_shm *bus, uint64_t size, bool for_body, unsigned n_tries);

/*
 * Unlink a DEAD event and, if nobody uses it, free its memory and its slot. Whoever meets
 * one calls this; it may be repeated and done by several at once. Returns 0, done or not, or
 * -EPROTO if its list is broken.
 */
int registry_bury(struct aioevt_shm *bus, uint32_t index);

/* An event that a dead port was making: finish or undo it. Its reaper calls this. */
int registry_reap_new(struct aioevt_shm *bus, uint32_t index, uint32_t p);

/* Does any event own part of the region at @offset? */
bool registry_has_region(struct aioevt_shm *bus, uint64_t offset, uint64_t size);

/* Copy the name of @index. */
void registry_name(struct aioevt_shm *bus, uint32_t index, struct name *ret_name);

#endif
