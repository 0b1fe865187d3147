/* SPDX-License-Identifier: MIT */
/*
 * An event's way out of the registry: killed or retired, taken out of its list, buried. The
 * states, the lists and the bits in use are told in registry.c.
 *
 * Whoever ends, marks or unlinks a DEAD event uses it for that time, so that its place
 * cannot become another event's under his hands.
 *
 * A number is never used twice for one name: before an event is unlinked, the end of its
 * ring goes into its bucket's floor, and a new event starts at the floor, which its maker
 * reads after the walk that did not find the name. An event of that name may come and go
 * between that and the maker's CAS, and leave the head of the list as it was. So the floor
 * is compared again once the new event is in the list, by everyone who would make it LIVE
 * (registry_make_live): the other's end is in it by then. One that starts below it becomes
 * DEAD before it has a number, and its maker begins again. (Another name of the bucket may
 * have raised the floor: then that was for nothing, and another's removal was done.)
 *
 * Ordering
 *   bury:A / registry_floor:A       release/acquire.
 *   mark_next:A, unlink:A / walk:A,B   acq_rel: who comes past it sees what it led to.
 *   registry_kill:A, registry_retire:A,B, bury:E, in_use:A / registry_use:A,B   seq_cst store
 *       buffering, see registry.c.
 * Progress  lock-free, see registry.c.
 * Crash     a retirer killed leaves RETIRING, which is as good as LIVE. A killer or burier
 *   killed anywhere leaves DEAD or GONE: anyone who looks for a free slot, or passes by in
 *   the list, goes on with it.
 */
#include "registry-internal.h"

#include <errno.h>

#include "event-map.h"

bool registry_kill(struct aioevt_shm *bus, struct event_ref ref)
{
	uint64_t state = registry_state(bus, ref.index);

	while (event_generation(state) == ref.generation && event_is_findable(state))
		/* registry_kill:A  seq_cst, pairs with registry_use:B, walk:D */
		if (atomic_compare_exchange_strong(&bus_event(bus, ref.index)->state, &state,
				event_word(ref.generation, 0, EVENT_DEAD)))
			return true;
	return false;
}

static void raise_floor(struct bucket *bucket, uint64_t least)
{
	/* raise_floor:A  relaxed: only the CAS below decides */
	uint64_t floor = atomic_load_explicit(&bucket->floor, memory_order_relaxed);

	/* bury:A  release, pairs with registry_floor:A */
	while (floor < least &&
	       !atomic_compare_exchange_weak_explicit(&bucket->floor, &floor, least,
						      memory_order_release,
						      memory_order_relaxed))
		;
}

/* Mark the next of a DEAD event, for good. Returns where it leads. */
static uint64_t mark_next(struct event *ev)
{
	/* mark_next:A  acq_rel, pairs with walk:A, unlink:A */
	return atomic_fetch_or_explicit(&ev->next, MARK, memory_order_acq_rel) & ~MARK;
}

int registry_take_out(struct aioevt_shm *bus, struct bucket *bucket, struct walk *w)
{
	struct event_ref ref = { link_index(w->link) - 1, link_generation(w->link) };
	struct event_map *map;
	uint64_t end, next;
	int err = event_map_hold(bus, ref, true, &map);

	if (err < 0)
		return err == -ENOENT ? -EAGAIN : err;
	err = event_map_end(map, &end);
	if (!err) {
		raise_floor(bucket, end);
		next = mark_next(bus_event(bus, ref.index));
		/* unlink:A  acq_rel, pairs with walk:A, walk:B */
		if (atomic_compare_exchange_strong_explicit(w->from, &w->link, next,
							    memory_order_acq_rel,
							    memory_order_relaxed))
			w->link = next;
		else
			err = -EAGAIN;
	}
	event_map_drop(map);
	return err;
}

void registry_free_rings(struct aioevt_shm *bus, const uint64_t *rings)
{
	for (unsigned k = 0; k < MAX_RINGS && rings[k] > RING_SEALED; k++)
		event_region_free(bus, rings[k], k == 0);
}

void registry_copy_rings(struct event *ev, uint64_t *ret_rings)
{
	for (unsigned k = 0; k < MAX_RINGS; k++)
		/* copy_rings:A  acquire, pairs with set_ring:A, prepare:A, seal:A, clear_slot:A */
		ret_rings[k] = atomic_load_explicit(&ev->ring[k], memory_order_acquire);
}

/* With the event unlinked: DEAD to GONE. Returns the state now. */
static uint64_t make_gone(struct aioevt_shm *bus, uint32_t index, uint64_t dead)
{
	uint64_t gone = event_word(event_generation(dead), 0, EVENT_GONE);

	/* bury:E  seq_cst, pairs with registry_use:B: then the bits are looked at */
	if (atomic_compare_exchange_strong(&bus_event(bus, index)->state, &dead, gone))
		return gone;
	return dead;
}

int registry_bury(struct aioevt_shm *bus, uint32_t index)
{
	struct event *ev = bus_event(bus, index);
	uint64_t state = registry_state(bus, index), rings[MAX_RINGS];
	struct name name;
	struct walk w;
	int err;

	if (event_phase(state) != EVENT_DEAD && event_phase(state) != EVENT_GONE)
		return 0;
	registry_name(bus, index, &name);
	if (registry_state(bus, index) != state)
		return 0;		/* done by another, perhaps used anew */
	if (event_phase(state) == EVENT_DEAD) {
		err = registry_walk(bus, registry_bucket(bus, &name), NULL, true, &w);
		if (err < 0)
			return err == -EPROTO ? err : 0;
		state = make_gone(bus, index, state);
	}
	if (event_phase(state) != EVENT_GONE || registry_in_use(bus, index))
		return 0;		/* in use: its last user buries it */
	/* The rings of a GONE event do not change; but was it this one's all the time? */
	registry_copy_rings(ev, rings);
	if (registry_state(bus, index) != state)
		return 0;
	registry_free_rings(bus, rings);
	/* bury:B  seq_cst, pairs with take_slot:A, walk:D: what is freed is clean */
	atomic_compare_exchange_strong(&ev->state, &state,
			event_word(event_generation(state), 0, EVENT_FREE));
	return 0;
}
