/* SPDX-License-Identifier: MIT */
/*
 * The rings of an event after the first, and the end of the last. A ring may get a successor:
 *
 *   ring[k+1] = 0            none yet; a grower puts one there by a CAS (prepare)
 *   ring[k+1] = offset       the successor. While ring k is open it is prepared only: its
 *                            base is 0. Who finds ring k closed lets it begin there
 *   ring[k+1] = RING_SEALED  none, ever: the event is DEAD (seal)
 *
 * A ring is closed only after its successor is in place, or when its event is DEAD. So a
 * grower that is killed or stopped anywhere leaves nobody without a ring to emit to.
 *
 * Ordering
 *   prepare:A / load_ring:A     release/acquire: the successor's header is complete.
 *   prepare:A / seal:A          one of the two CAS wins: a successor or the end.
 * Progress  lock-free, but for the kernel's time and bus_lock().
 * Crash     a successor that was made and not published is in the port's pending words. One
 *   that was prepared and not begun is used by the next grower.
 */
#include "event-map-internal.h"

#include <errno.h>
#include <unistd.h>

#include "bounds.h"
#include "listener.h"
#include "region.h"
#include "reliable.h"

/* ---- successors ----------------------------------------------------------------------- */

/* Memory for a ring of @depth, made room for if need be. */
static int new_region(struct aioevt_shm *bus, uint32_t depth, uint64_t *ret_offset)
{
	uint64_t size = event_region_size(bus, make_word(0, depth), false);
	int err = registry_make_room(bus, size);

	if (err < 0)
		return err;
	err = region_new(bus, size, ret_offset);
	for (unsigned i = 0; i < MAX_MEMORY && err == -ENOSPC; i++) {
		err = registry_free_memory(bus, size, false, i);
		if (!err)
			err = region_new(bus, size, ret_offset);
	}
	return err;
}

/* Put a successor of @depth behind the last ring, unless there is one. */
static int prepare(struct event_map *map, uint32_t depth)
{
	struct aioevt_shm *bus = map->bus;
	unsigned k = event_map_rings(map);
	uint64_t offset, none = 0, size = event_region_size(bus, make_word(0, depth), false);
	int err;

	if (k >= MAX_RINGS)
		return -EOVERFLOW;
	if (load_ring(map->event, k))
		return 0;
	err = new_region(bus, depth, &offset);
	if (err < 0)
		return err;
	err = event_region_write_header(bus, offset, depth);
	/* prepare:A  seq_cst, pairs with load_ring:A, seal:A */
	if (err < 0 || !atomic_compare_exchange_strong(&map->event->ring[k], &none,
						       make_word(offset, depth)))
		region_free(bus, offset, round_up(size, REGION_ALIGN));
	region_settle(bus);
	return err;
}

int event_map_next(struct event_map *map, unsigned k, unsigned *ret_next)
{
	while (k + 1 >= event_map_rings(map)) {
		uint64_t end;
		int r = event_map_successor(map);

		if (!r)
			return k + 1 < MAX_RINGS && registry_is_live(map->bus, map->ref) &&
			       load_ring(map->event, k + 1) != RING_SEALED ? -EPROTO : -EPIPE;
		if (r > 0)
			r = ring_close(map->bus, &map->ring[k], &end);
		if (!r)
			r = event_map_begin(map, end);
		if (r < 0)
			return r;
	}
	*ret_next = k + 1;
	return 0;
}

int event_map_grow(struct event_map *map, uint32_t depth)
{
	for (;;) {
		int err = event_map_all(map);
		unsigned next;

		if (err < 0 || event_map_last(map)->depth >= depth)
			return err;
		err = prepare(map, depth);
		if (!err)
			err = event_map_next(map, event_map_rings(map) - 1, &next);
		if (err < 0)
			return err;
		reliable_wake(map);	/* there is room now */
	}
}

/* ---- the end -------------------------------------------------------------------------- */

/* Close the last ring of a DEAD event and keep others from making one more. */
static int seal(struct event_map *map, uint64_t *ret_end)
{
	for (;;) {
		int err = event_map_all(map);
		unsigned k = event_map_rings(map);
		uint64_t none = 0;

		if (!err)
			err = ring_close(map->bus, &map->ring[k - 1], ret_end);
		if (err < 0 || k == MAX_RINGS)
			return err;
		/* seal:A  seq_cst, pairs with load_ring:A, prepare:A */
		if (atomic_compare_exchange_strong(&map->event->ring[k], &none,
						   RING_SEALED) || none == RING_SEALED)
			return 0;
		err = event_map_successor(map);	/* one was prepared: it ends at once */
		if (err > 0)
			err = event_map_begin(map, *ret_end);
		if (err < 0)
			return err;
	}
}

static int end_in_use(struct event_map *map, uint64_t *ret_end)
{
	int err = event_map_all(map);

	if (err < 0)
		return err;
	err = seal(map, ret_end);
	listeners_ring(map->bus, map->ref.index);
	reliable_wake(map);	/* who waits for room here goes on with a fresh event */
	return err;
}

/* The number after the last of the ring at @at in the file. 0 if that is a hole by now. */
static uint64_t end_of_ring(struct aioevt_shm *bus, uint64_t at, uint32_t depth)
{
	uint64_t head, state, slots = ring_region_size(&bus->lo, depth) -
				      (uint64_t)depth * bus->lo.slot_size;

	if (pread(bus->fd, &head, sizeof(head),
		  (off_t)(at + offsetof(struct ring_header, head))) != sizeof(head))
		return 0;
	head = head_seq(head);
	if (pread(bus->fd, &state, sizeof(state),
		  (off_t)(at + slots + (head & (depth - 1)) * bus->lo.slot_size)) !=
	    sizeof(state))
		return 0;
	/* head lags behind the claims by one at most */
	return head + (state && slot_lap(state) == head >> __builtin_ctz(depth) &&
		       slot_phase(state) != SLOT_CLOSED);
}

/* Nobody emits to it and nobody will. */
static int end_idle(struct event_map *map, uint64_t *ret_end)
{
	struct aioevt_shm *bus = map->bus;
	uint64_t end = 0;

	for (unsigned k = 0; k < MAX_RINGS; k++) {
		uint64_t word = load_ring(map->event, k), ring_end;

		if (word <= RING_SEALED)
			break;
		ring_end = end_of_ring(bus, ring_offset(word) + (k ? 0 : bus->lo.ctl_size),
				       ring_depth(word));
		if (ring_end > end)
			end = ring_end;
	}
	*ret_end = end;
	return 0;
}

int event_map_end(struct event_map *map, uint64_t *ret_end)
{
	/* besides the caller */
	if (map->refs > 1 || registry_others_use(map->bus, map->ref.index))
		return end_in_use(map, ret_end);
	return end_idle(map, ret_end);
}
