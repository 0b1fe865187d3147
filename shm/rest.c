/* SPDX-License-Identifier: MIT */
/*
 * A listener with a pattern may have thousands of events, and what it has open cannot be
 * retired. Scripts that use a new name for each job would be refused one day because
 * somebody, perhaps stopped, listens to ">". So of the lossy subs that patterns brought
 * forth only MAX_AWAKE have their event open; the others rest: they keep the listener's
 * bit on the event, their place, and nothing mapped and no use.
 *
 * An emitter sees no difference: it sets the bit in the news and rings the doorbell; the
 * listener then opens the event again. If it was retired first, the sub ends; what it had
 * not read of it is lost, and told by aioevt_shm_listener_lost_events(): the floor of the
 * name's bucket is above the sub's place then. (Another name of the bucket may have raised
 * it. So the number may be too high, never too low.)
 *
 * Ordering  as in bell.c for the news, and registry.c for the use. sub_peek() reads the
 *   file without a use: its offset is never another's, so it reads the slot or zeros.
 * Crash     a killed listener's bits on events where it rests are taken off by its reaper,
 *   which looks at all events for that (reap.c).
 */
#include "rest.h"

#include <errno.h>
#include <unistd.h>

#include "bus.h"
#include "cancel.h"
#include "listener.h"
#include "name.h"

bool sub_may_rest(const struct aioevt_shm_sub *sub)
{
	return sub->flags & SUB_OF_PATTERN && !(sub->flags & AIOEVT_SHM_RELIABLE) &&
	       !sub->is_resting && !sub->is_detached;
}

static void leave_idle_list(struct aioevt_shm_sub *sub)
{
	if (!sub->is_idle)
		return;
	TAILQ_REMOVE(&sub->listener->idle, sub, idle);
	sub->is_idle = false;
}

static void rest(struct aioevt_shm_sub *sub)
{
	leave_idle_list(sub);
	sub->ref = sub->ev->map->ref;
	sub->ring_offset = sub->ring->offset;
	sub->slot_offset = (uint64_t)((unsigned char *)ring_slot(sub->ring, sub->pos) -
				      (unsigned char *)sub->ring->header);
	sub->ring_shift = sub->ring->shift;
	event_release(sub->ev);
	sub->ring = NULL;
	sub->is_resting = true;
	sub->listener->n_awake--;
}

void sub_idle(struct aioevt_shm_sub *sub)
{
	struct aioevt_shm_listener *l = sub->listener;

	if (!sub_may_rest(sub))
		return;
	leave_idle_list(sub);
	TAILQ_INSERT_TAIL(&l->idle, sub, idle);
	sub->is_idle = true;
	if (l->n_awake > MAX_AWAKE)
		rest(TAILQ_FIRST(&l->idle));
}

void sub_born(struct aioevt_shm_sub *sub)
{
	if (!sub_may_rest(sub))
		return;
	if (++sub->listener->n_awake > MAX_AWAKE)
		rest(sub);
}

/*
 * Its event was retired or removed: was there something that it had not read? The floor is
 * raised before an event is unlinked, not when it dies: so take out first what is dead.
 */
static int gone(struct aioevt_shm_sub *sub)
{
	struct aioevt_shm *bus = sub->ev->bus;
	struct event_ref ref;
	struct name name;

	bus_lock(bus);
	if (name_pack(sub->ev->name, &name) < 0 || registry_find(bus, &name, &ref) < 0 ||
	    registry_floor(bus, &name) > sub->pos)
		sub->listener->lost_events++;
	bus_unlock(bus);
	return -EPIPE;
}

int sub_revive(struct aioevt_shm_sub *sub)
{
	int err;

	if (!sub->is_resting)
		return 0;
	err = event_acquire(sub->ev, sub->ref);
	if (err == -ENOENT)
		return gone(sub);
	if (err < 0)
		return err;
	if (sub->ring_index >= event_map_rings(sub->ev->map)) {
		event_release(sub->ev);
		return -EPROTO;
	}
	sub->ring = &sub->ev->map->ring[sub->ring_index];
	sub->is_resting = false;
	if (++sub->listener->n_awake > MAX_AWAKE && !TAILQ_EMPTY(&sub->listener->idle))
		rest(TAILQ_FIRST(&sub->listener->idle));
	return 0;
}

bool sub_peek(const struct aioevt_shm_sub *sub)
{
	uint64_t state;
	ssize_t n;
	int cancel;

	if (!sub->is_resting)
		return true;
	cancel = cancel_off();
	n = pread(sub->ev->bus->fd, &state, sizeof(state),
		  (off_t)(sub->ring_offset + sub->slot_offset));
	cancel_on(cancel);
	if (n != sizeof(state))
		return true;
	return state && slot_lap(state) >= sub->pos >> sub->ring_shift;
}

void sub_forget(struct aioevt_shm_sub *sub)
{
	struct aioevt_shm_listener *l = sub->listener;

	leave_idle_list(sub);
	if (!sub->is_resting) {
		l->n_awake -= sub_may_rest(sub);
		return;
	}
	/* Another sub of this listener: of a later event, whose bit it is now. */
	if (l->by_event[sub->ref.index] != sub)
		return;
	l->by_event[sub->ref.index] = NULL;
	/* sub_forget:A  release, pairs with listeners_ring:B */
	atomic_fetch_and_explicit(&bus_event(l->bus, sub->ref.index)->listeners[l->index / 64],
				  ~bit_of(l->index), memory_order_release);
}

void rest_sweep(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *sub, *next;

	for (sub = TAILQ_FIRST(&l->subs); sub; sub = next) {
		next = TAILQ_NEXT(sub, all);
		if (!sub->is_resting || registry_is_live(l->bus, sub->ref))
			continue;
		gone(sub);
		aioevt_shm_sub_close(sub);
	}
}
