/* SPDX-License-Identifier: MIT */
/*
 * An event's way into the registry: room for it, a private slot with a region, then linked
 * into the list of its name, unless the name came to be there meanwhile. The states and the
 * lists are told in registry.c, the floor that its numbers start at in bury.c.
 *
 * Ordering
 *   take_slot:A / walk:D, bury:B,C,D   a slot taken is clean, and its generation is new.
 *   set_name:A / registry_name:A, name_is:A   release/acquire, word by word: who sees a new
 *       word sees the new state when it looks again.
 *   registry_link:A / walk:A        release/acquire: all that is stored relaxed below.
 *   registry_use:A / in_use:A       seq_cst: in use before anyone can find it.
 * Progress  lock-free, but for the kernel's time: who loses the race for a name takes the
 *   winner's event.
 * Crash     a maker killed before the link leaves NEW: its reaper undoes it; after it, NEW
 *   in a list: anyone makes it LIVE.
 */
#include "registry-internal.h"

#include <errno.h>

#include "clock.h"
#include "event-map.h"
#include "region.h"
#include "timer.h"

/* ---- a private event ---------------------------------------------------------------- */

/* FREE to NEW. False: somebody else took it. */
static bool take_slot(struct aioevt_shm *bus, uint32_t index, struct event_ref *ret_ref)
{
	struct event *ev = bus_event(bus, index);
	uint64_t state = registry_state(bus, index);
	uint32_t generation = event_generation(state) + 1;

	if (event_phase(state) != EVENT_FREE)
		return false;
	/* before, so that whoever is killed in between is still found */
	bus_raise(&bus->header->events_hw, index + 1);
	/* take_slot:A  seq_cst, pairs with walk:D */
	if (!atomic_compare_exchange_strong(&ev->state, &state,
			event_word(generation, bus->port_index, EVENT_NEW)))
		return false;
	ret_ref->index = index;
	ret_ref->generation = generation;
	return true;
}

static void set_name(struct event *ev, const struct name *name)
{
	for (unsigned i = 0; i < NAME_WORDS; i++)
		/* set_name:A  release, pairs with registry_name:A, name_is:A */
		atomic_store_explicit(&ev->name[i], name->words[i], memory_order_release);
}

/* In my private slot: nothing of its former life. */
static void clear_slot(struct aioevt_shm *bus, struct event *ev, const struct name *name)
{
	for (unsigned k = 0; k < MAX_RINGS; k++)
		/* clear_slot:A  release, pairs with copy_rings:A */
		atomic_store_explicit(&ev->ring[k], 0, memory_order_release);
	for (uint32_t w = 0; w < bus->lo.n_words; w++)
		/* clear_slot:B  relaxed: registry_link:A publishes it */
		atomic_store_explicit(&ev->listeners[w], 0, memory_order_relaxed);
	/* clear_slot:C  relaxed: as B */
	atomic_store_explicit(&ev->n_words, 0, memory_order_relaxed);
	/* clear_slot:D  relaxed: as B */
	atomic_store_explicit(&ev->last_used, clock_ns(CLOCK_MONOTONIC_COARSE),
			      memory_order_relaxed);
	timer_clear_event(ev);
	set_name(ev, name);
}

/* NEW back to FREE, generation and all: nobody ever saw it. @map may be NULL. */
static void drop_slot(struct aioevt_shm *bus, struct event_ref ref, struct event_map *map)
{
	struct event *ev = bus_event(bus, ref.index);
	uint64_t rings[MAX_RINGS];

	if (map)
		event_map_drop(map);
	registry_copy_rings(ev, rings);
	registry_free_rings(bus, rings);
	/* bury:C  release, pairs with take_slot:A */
	atomic_store_explicit(&ev->state, event_word(ref.generation - 1, 0, EVENT_FREE),
			      memory_order_release);
}

/* A private slot, within the budget, with a region; in use, and mapped. */
static int make_private(struct aioevt_shm *bus, const struct name *name,
			struct event_map **ret_map)
{
	uint64_t size = event_region_size(bus, (uint64_t)__builtin_ctz(bus->lo.depth),
					  true);
	struct event_ref ref;
	unsigned n_tries = 0;
	int err;

	/* As in make_room(). */
	for (unsigned round = 0; round < MAX_LOST_LONG + bus->lo.n_events; round++) {
		uint32_t index;

		err = registry_find_slot(bus, size, &index);
		if (err < 0)
			return err;
		if (!take_slot(bus, index, &ref))
			continue;
		clear_slot(bus, bus_event(bus, ref.index), name);
		err = event_region_new(bus, ref, ret_map);
		if (!err)
			return 0;
		drop_slot(bus, ref, NULL);
		if (err == -ENOSPC && n_tries < MAX_MEMORY)
			err = registry_free_memory(bus, size, false, n_tries++);
		if (err < 0)
			return err;
	}
	return -EBUSY;
}

/* ---- into the list ------------------------------------------------------------------ */

uint64_t registry_floor(struct aioevt_shm *bus, const struct name *name)
{
	return registry_floor_of(registry_bucket(bus, name));
}

static uint64_t link_to(uint32_t generation, uint32_t index)
{
	return (uint64_t)generation << 32 | (uint64_t)(index + 1) << 1;
}

/*
 * Put a private event in, unless the name is there. Returns 1; 0 if it is; -EAGAIN if it was
 * put in and is DEAD, so is not private any more; -EPROTO.
 */
static int link_in(struct aioevt_shm *bus, const struct name *name, struct event_map *map,
		   struct event_ref *ret_found)
{
	struct event_ref ref = map->ref;
	struct bucket *bucket = registry_bucket(bus, name);
	struct walk w;
	int r;

	for (;;) {
		r = registry_walk(bus, bucket, name, true, &w);
		if (r < 0)
			return r;
		if (r) {
			ret_found->index = link_index(w.link) - 1;
			ret_found->generation = link_generation(w.link);
			return 0;
		}
		event_region_start(map, registry_floor_of(bucket));
		/* registry_link:C  release, pairs with walk:B */
		atomic_store_explicit(&map->event->next, w.head, memory_order_release);
		/* registry_link:A  seq_cst, pairs with walk:A */
		if (atomic_compare_exchange_strong(&bucket->link, &w.head,
						   link_to(ref.generation, ref.index)))
			break;
	}
	registry_make_live(bus, bucket, ref.index,
			   event_word(ref.generation, bus->port_index, EVENT_NEW));
	return registry_is_live(bus, ref) ? 1 : -EAGAIN;
}

/* Returns 1 and the new event, 0 and *ret_found if the name came to be there, or an error. */
static int create(struct aioevt_shm *bus, const struct name *name,
		  struct event_ref *ret_found, struct event_map **ret_map)
{
	struct event_map *map;
	int r = make_private(bus, name, &map);

	if (r < 0)
		return r;
	r = link_in(bus, name, map, ret_found);
	region_settle(bus);
	if (r == 1)
		*ret_map = map;
	else if (r == -EAGAIN)
		event_map_put(map);
	else
		drop_slot(bus, map->ref, map);
	return r;
}

int registry_get(struct aioevt_shm *bus, const struct name *name, bool create_it,
		 struct event_map **ret_map, bool *ret_created)
{
	struct event_ref ref;

	*ret_created = false;
	/* A round that fails saw somebody make or remove an event of that name. */
	for (unsigned round = 0; round < MAX_LOST_LONG; round++) {
		int r = registry_find(bus, name, &ref);

		if (!r && !create_it)
			return -ENOENT;
		if (!r) {
			r = create(bus, name, &ref, ret_map);
			*ret_created = r > 0;
			if (r > 0)
				return 0;
		}
		if (r >= 0)
			r = event_map_get(bus, ref, ret_map);
		/* An event that is open keeps its place: a scribbled generation. */
		if (r == -ENOENT && bus->maps[ref.index])
			return -EPROTO;
		if (r != -ENOENT && r != -EAGAIN)
			return r;
	}
	return -EBUSY;
}

/* ---- for the reaper of a maker ------------------------------------------------------ */

int registry_reap_new(struct aioevt_shm *bus, uint32_t index, uint32_t p)
{
	struct event *ev = bus_event(bus, index);
	uint64_t state = registry_state(bus, index), rings[MAX_RINGS];
	struct name name;
	struct walk w;
	int err;

	if (event_phase(state) != EVENT_NEW || event_port(state) != p)
		return 0;
	/* A walk makes it LIVE if it is linked. If the name is not whole it is not. */
	registry_name(bus, index, &name);
	err = registry_walk(bus, registry_bucket(bus, &name), NULL, false, &w);
	if (err < 0 || registry_state(bus, index) != state)
		return err;
	registry_copy_rings(ev, rings);
	registry_free_rings(bus, rings);
	/* bury:D  seq_cst, pairs with take_slot:A */
	atomic_compare_exchange_strong(&ev->state, &state,
			event_word(event_generation(state) - 1, 0, EVENT_FREE));
	return 0;
}

bool registry_has_region(struct aioevt_shm *bus, uint64_t offset, uint64_t size)
{
	for (uint32_t i = 0; i < bus_events_used(bus); i++) {
		uint64_t rings[MAX_RINGS];

		if (event_phase(registry_state(bus, i)) == EVENT_FREE)
			continue;
		registry_copy_rings(bus_event(bus, i), rings);
		for (unsigned k = 0; k < MAX_RINGS && rings[k] > RING_SEALED; k++) {
			uint64_t at = rings[k] / REGION_ALIGN * REGION_ALIGN;

			if (at < offset + size &&
			    offset < at + event_region_size(bus, rings[k], k == 0))
				return true;
		}
	}
	return false;
}
