/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_REGISTRY_INTERNAL_H
#define AIOEVT_REGISTRY_INTERNAL_H

/* What registry.c, bury.c, create.c and room.c share. registry.c tells the states and the lists. */

#include "bounds.h"
#include "bus.h"
#include "registry.h"

#define MARK		UINT64_C(1)
#define MAX_BROKEN	4u		/* lists a scan may find broken before it leaves them be */

/* ---- links: generation:32 | index + 1:31 | mark:1 ---------------------------------- */

static inline uint32_t link_generation(uint64_t link)
{
	return (uint32_t)(link >> 32);
}

/* Index + 1; 0 at the end. */
static inline uint32_t link_index(uint64_t link)
{
	return (uint32_t)link >> 1;
}

/* ---- lists, registry.c ------------------------------------------------------------- */

struct bucket *registry_bucket(struct aioevt_shm *bus, const struct name *name);

/* Over all numbers of the events that were in the list of @bucket and are no more. */
static inline uint64_t registry_floor_of(struct bucket *bucket)
{
	/* registry_floor:A  acquire, pairs with bury:A */
	return atomic_load_explicit(&bucket->floor, memory_order_acquire);
}

struct walk {
	_Atomic uint64_t *from;		/* the link that led here */
	uint64_t link;			/* its value */
	uint64_t head;			/* the bucket's */
	uint64_t state;			/* of the event that was looked at last */
};

/* Walk the list of @bucket: 1 and w at @name, 0 at the end (NULL: always), or an error. */
int registry_walk(struct aioevt_shm *bus, struct bucket *bucket, const struct name *name,
		  bool help, struct walk *ret_walk);

/*
 * NEW in the list of @bucket is complete: its maker is about to do this, or was killed or
 * stopped. DEAD instead of LIVE if the floor is higher by now than what it starts at.
 */
void registry_make_live(struct aioevt_shm *bus, struct bucket *bucket, uint32_t index,
			uint64_t fresh);

/* ---- in use, registry.c ------------------------------------------------------------ */

static inline _Atomic uint64_t *using_word(struct port *port, uint32_t index)
{
	return &port->using[index / 64];
}

/*
 * Set and clear my port's bit of @index: for event-map.c alone, which does so with the mapping
 * of that index. With the bit set: has it kept @ref in its place, or did it come too late? That
 * includes DEAD events if @even_dead.
 */
void registry_use(struct aioevt_shm *bus, uint32_t index);
void registry_unuse(struct aioevt_shm *bus, uint32_t index);
bool registry_has_kept(struct aioevt_shm *bus, struct event_ref ref, bool even_dead);

/* RETIRING back to LIVE, if it still is. */
void registry_keep(struct aioevt_shm *bus, uint32_t index, uint64_t retiring);

/* ---- room, room.c ------------------------------------------------------------------ */

/* As registry_make_room(), and for a slot too: *ret_index was free. */
int registry_find_slot(struct aioevt_shm *bus, uint64_t size, uint32_t *ret_index);

/* ---- the way out, bury.c ----------------------------------------------------------- */

/* End, mark and unlink the DEAD event that @w is at. Returns 0, -EAGAIN, or an error. */
int registry_take_out(struct aioevt_shm *bus, struct bucket *bucket, struct walk *w);

/* Free the memory of an event of which this was a consistent copy. */
void registry_free_rings(struct aioevt_shm *bus, const uint64_t *rings);
void registry_copy_rings(struct event *ev, uint64_t *ret_rings);

#endif
