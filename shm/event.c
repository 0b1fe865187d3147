/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "bus.h"
#include "listener.h"
#include "name.h"
#include "registry.h"
#include "timer.h"

/* Find or make the event and map it. With bus->lock. */
static int get_map(struct aioevt_shm *bus, const struct name *name, bool create,
		   struct event_map **ret_map)
{
	bool created;
	int err = registry_get(bus, name, create, ret_map, &created);

	if (created)
		listeners_ring_patterns(bus);
	return err;
}

static void use_ring(struct aioevt_shm_event *ev, unsigned k)
{
	ev->ring_index = k;
	ev->ring = &ev->map->ring[k];
	ev->limit = (struct reliable_limit){ 0 };	/* look before the next claim */
	ev->body_hint = 0;
}

static void use_last_ring(struct aioevt_shm_event *ev)
{
	use_ring(ev, event_map_rings(ev->map) - 1);
}

/* Attach @ev to what its name is now. With bus->lock. */
static int resolve(struct aioevt_shm_event *ev, struct event_map **ret_map)
{
	struct name name;
	int err = name_pack(ev->name, &name);

	if (err < 0)
		return err;
	return get_map(ev->bus, &name, !(ev->flags & AIOEVT_SHM_EXISTING), ret_map);
}

int aioevt_shm_event_open(struct aioevt_shm *bus, const char *name, uint32_t flags,
			  struct aioevt_shm_event **ret_event)
{
	struct aioevt_shm_event *ev;
	int err = bus_check(bus);

	if (err < 0)
		return err;
	if (!name || !ret_event || flags & ~(AIOEVT_SHM_EXISTING | AIOEVT_SHM_PRECISE_TIME) ||
	    aioevt_shm_name_check(name, strnlen(name, AIOEVT_SHM_NAME_MAX + 1),
				  NULL, NULL) < 0)
		return -EINVAL;
	ev = calloc(1, sizeof(*ev));
	if (!ev)
		return -ENOMEM;
	ev->bus = bus;
	ev->flags = flags;
	strcpy(ev->name, name);
	bus_lock(bus);
	err = resolve(ev, &ev->map);
	if (!err && !(flags & AIOEVT_SHM_EXISTING))
		ev->map->was_used = true;
	if (!err && bus_result(bus, 0) < 0) {
		event_map_put(ev->map);
		err = -EPROTO;
	}
	bus_unlock(bus);
	if (err < 0) {
		free(ev);
		return err;
	}
	use_last_ring(ev);
	/* handles:A  relaxed: read by who closes the bus, alone */
	atomic_fetch_add_explicit(&bus->n_handles, 1, memory_order_relaxed);
	if (!(flags & AIOEVT_SHM_EXISTING))
		timer_fire_overdue(ev);
	*ret_event = ev;
	return 0;
}

void event_release(struct aioevt_shm_event *ev)
{
	bus_lock(ev->bus);
	if (ev->map)
		event_map_put(ev->map);
	ev->map = NULL;
	bus_unlock(ev->bus);
}

int event_acquire(struct aioevt_shm_event *ev, struct event_ref ref)
{
	int err;

	bus_lock(ev->bus);
	err = event_map_get(ev->bus, ref, &ev->map);
	if (!err)
		err = event_map_all(ev->map);
	bus_unlock(ev->bus);
	if (!err)
		use_last_ring(ev);
	else if (ev->map)
		event_release(ev);
	return err;
}

struct aioevt_shm_event *aioevt_shm_event_close(struct aioevt_shm_event *ev)
{
	if (!ev)
		return NULL;
	if (bus_check(ev->bus) != -ECHILD) {
		event_release(ev);
		/* handles:B  relaxed: as A */
		atomic_fetch_sub_explicit(&ev->bus->n_handles, 1, memory_order_relaxed);
	}
	free(ev);
	return NULL;
}

int event_reopen(struct aioevt_shm_event *ev, bool was_ended)
{
	struct event_map *map;
	int err;

	bus_lock(ev->bus);
	err = resolve(ev, &map);
	if (!err && was_ended && map == ev->map) {
		event_map_put(map);
		err = -EPROTO;
	}
	if (!err) {
		event_map_put(ev->map);
		ev->map = map;
		use_last_ring(ev);
	}
	bus_unlock(ev->bus);
	return err;
}

int event_renew(struct aioevt_shm_event *ev)
{
	struct event_ref ended = { UINT32_MAX, 0 };
	struct event_map *map;
	int err;

	bus_lock(ev->bus);
	if (ev->map) {
		ended = ev->map->ref;
		event_map_put(ev->map);
		ev->map = NULL;
	}
	err = resolve(ev, &map);
	if (!err && map->ref.index == ended.index && map->ref.generation == ended.generation) {
		event_map_put(map);
		err = -EPROTO;
	}
	if (!err) {
		ev->map = map;
		use_last_ring(ev);
	}
	bus_unlock(ev->bus);
	return err;
}

int event_catch_up(struct aioevt_shm_event *ev)
{
	int err;

	bus_lock(ev->bus);
	err = event_map_all(ev->map);
	bus_unlock(ev->bus);
	if (!err && ev->ring != event_map_last(ev->map))
		use_last_ring(ev);
	return err;
}

int event_follow(struct aioevt_shm_event *ev)
{
	unsigned next;
	int err;

	bus_lock(ev->bus);
	err = event_map_next(ev->map, ev->ring_index, &next);
	bus_unlock(ev->bus);
	if (err == -EPIPE)
		return event_reopen(ev, true);
	if (!err)
		use_ring(ev, next);
	return err;
}

int aioevt_shm_event_grow(struct aioevt_shm_event *ev, uint32_t depth)
{
	int err = ev ? bus_check(ev->bus) : -EINVAL;
	uint32_t pow2 = 8;

	if (err < 0)
		return err;
	if (depth > MAX_DEPTH)
		return -EINVAL;
	while (pow2 < depth)
		pow2 *= 2;
	err = -EPIPE;
	/* Each round but the last found that somebody removed the event. */
	for (unsigned i = 0; err == -EPIPE && i < MAX_LOST_LONG; i++) {
		err = i ? event_reopen(ev, true) : 0;
		if (err < 0)
			break;
		bus_lock(ev->bus);
		err = event_map_grow(ev->map, pow2);
		bus_unlock(ev->bus);
	}
	if (err == -EPIPE)
		err = -EBUSY;
	if (!err)
		use_last_ring(ev);
	return bus_result(ev->bus, err);
}

int aioevt_shm_event_remove(struct aioevt_shm *bus, const char *text)
{
	struct event_ref ref;
	struct name name;
	int r = bus_check(bus);

	if (r < 0)
		return r;
	r = name_pack(text, &name);
	if (r < 0)
		return r;
	bus_lock(bus);
	r = registry_find(bus, &name, &ref);
	if (r > 0) {
		registry_kill(bus, ref);	/* or another just did */
		timer_drop_event(bus, ref);
		registry_bury(bus, ref.index);
		r = 0;
	} else if (!r) {
		r = -ENOENT;
	}
	bus_unlock(bus);
	return bus_result(bus, r);
}

int aioevt_shm_event_next(struct aioevt_shm *bus, uint32_t *walk, char *ret_name)
{
	int err = walk && ret_name ? bus_check(bus) : -EINVAL;

	if (err < 0)
		return err;
	for (uint32_t i = *walk; i < bus_events_used(bus); i++) {
		uint64_t state = registry_state(bus, i);
		struct name name;

		if (!event_is_findable(state))
			continue;
		registry_name(bus, i, &name);
		if (registry_state(bus, i) != state || name_unpack(&name, ret_name) < 0)
			continue;	/* gone meanwhile, or scribbled on */
		*walk = i + 1;
		return bus_result(bus, 1);
	}
	*walk = bus->lo.n_events;
	return bus_result(bus, 0);
}

/* ---- looking ---------------------------------------------------------------------- */

/* The newest record in ring @k; its number and time. */
static bool newest(struct event_map *map, unsigned k, uint64_t *ret_seq, uint64_t *ret_time)
{
	const struct ring *ring = &map->ring[k];
	struct ring_record record;
	uint64_t seq, state;

	if (ring_frontier(ring, &seq) < 0)
		return false;
	for (uint32_t n = 0; n < ring->depth && seq > ring->base; n++)
		if (ring_look(ring, --seq, &state) == LOOK_RECORD &&
		    ring_copy(ring, seq, state, NULL, 0, &record)) {
			*ret_seq = seq;
			*ret_time = record.time;
			return true;
		}
	return false;
}

/* Numbers of ring @k that became records, as far as it is decided. */
static uint64_t count_records(struct event_map *map, unsigned k)
{
	const struct ring *ring = &map->ring[k];
	uint64_t head, voids, seq;

	if (ring_head(ring, &head, &voids) < 0)
		return 0;
	seq = head_seq(head);
	return seq - ring->base - voids -
	       ring_count_voids(ring, ring_oldest(ring, seq), seq);
}

static void count_kinds(struct event_map *map, struct aioevt_shm_event_info *info)
{
	for (uint32_t w = 0; w < map->bus->lo.n_words; w++) {
		/* count_kinds:A  acquire, pairs with subscribe:A */
		uint64_t bits = atomic_load_explicit(&map->event->listeners[w],
						     memory_order_acquire);
		/* count_kinds:B  relaxed: A saw what is told by it */
		uint64_t observers = atomic_load_explicit(&map->observers[w],
							  memory_order_relaxed);

		for (; bits; bits &= bits - 1) {
			uint32_t l = w * 64 + (uint32_t)__builtin_ctzll(bits);

			if (listener_is_dead(map->bus, l))
				continue;
			info->n_listeners++;
			info->n_observers += (observers & bit_of(l)) != 0;
		}
	}
}

static void describe_slowest(struct event_map *map, struct aioevt_shm_event_info *info)
{
	const struct ring *ring = event_map_last(map);
	struct reliable_slowest slowest;
	uint64_t frontier;
	uint32_t owner;

	reliable_find_slowest(map, &slowest);
	info->n_reliable = slowest.n;
	if (!slowest.n || ring_frontier(ring, &frontier) < 0)
		return;
	/* describe_slowest:A  relaxed: for people to read */
	owner = atomic_load_explicit(&bus_listener(map->bus, slowest.listener)->owner,
				     memory_order_relaxed);
	if (owner && owner <= map->bus->lo.n_listeners)
		/* describe_slowest:B  relaxed: as A */
		info->slowest_pid = (pid_t)atomic_load_explicit(
			&bus_port(map->bus, owner - 1)->pid, memory_order_relaxed);
	info->slowest_lag = frontier > slowest.seq ? frontier - slowest.seq : 0;
}

int aioevt_shm_event_get_info(struct aioevt_shm_event *ev,
			      struct aioevt_shm_event_info *ret_info)
{
	struct aioevt_shm_event_info info = { 0 };
	struct event_map *map;
	int err = ev && ret_info ? bus_check(ev->bus) : -EINVAL;
	uint64_t seq;

	if (err < 0)
		return err;
	map = ev->map;
	bus_lock(ev->bus);
	err = event_map_all(map);
	bus_unlock(ev->bus);
	if (err < 0)
		return err;
	for (unsigned k = 0; k < event_map_rings(map); k++) {
		info.n_records += count_records(map, k);
		if (newest(map, k, &seq, &info.last_time))
			info.last_seq = seq_to_user(&ev->bus->lo, seq);
	}
	info.depth = event_map_last(map)->depth;
	count_kinds(map, &info);
	describe_slowest(map, &info);
	err = bus_result(ev->bus, 0);
	if (!err)
		*ret_info = info;
	return err;
}
