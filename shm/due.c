/* SPDX-License-Identifier: MIT */
/*
 * A listener's part in timers: it knows the earliest due of its events, sleeps no longer than
 * that, and fires what is due. How it comes to know is told in timer.c, what firing is in
 * timer-fire.c.
 *
 * l->due may be too low: that costs a look at all its subs. It is too high only between the
 * moment somebody lowers an event's due and the ring that follows.
 *
 * What could not be fired, because a reliable reader has not made room or the file system is full,
 * is tried again after RETRY_NS, then after twice as long each time, up to a second; after
 * GRACE_NS if another is at it. That is the sub's own floor: other events do not wait for it.
 *
 * Ordering
 *   note_due:A / lower:B   seq_cst, as ring_look:A / ring_commit:A in bell.c.
 */
#include "due.h"

#include <errno.h>

#include "bus.h"
#include "clock.h"
#include "listener.h"
#include "rest.h"
#include "timer.h"

#define RETRY_NS	UINT64_C(1000000)

/* NULL if it went, or that of a resting sub is another's by now. */
static const struct event *event_of(const struct aioevt_shm_sub *sub)
{
	struct aioevt_shm *bus = sub->listener->bus;

	if (sub->is_resting)
		return registry_is_live(bus, sub->ref) ? bus_event(bus, sub->ref.index) : NULL;
	return sub->is_detached ? NULL : sub->ev->map->event;
}

static uint64_t sub_due(const struct aioevt_shm_sub *sub)
{
	const struct event *ev = event_of(sub);
	uint64_t due;

	if (!ev)
		return NO_DUE;
	/* note_due:A  seq_cst, pairs with lower:B, mend_due:B */
	due = due_ns(atomic_load_explicit(&ev->due, memory_order_seq_cst));
	return due < sub->fire_floor ? sub->fire_floor : due;
}

void listener_note_due(struct aioevt_shm_listener *l, struct aioevt_shm_sub *sub)
{
	uint64_t due = sub_due(sub);

	if (__builtin_expect(due < l->due, 0))
		l->due = due;
}

/* When to try again what is due still. */
static uint64_t retry_at(struct aioevt_shm_sub *sub, uint64_t now, int err)
{
	if (err == -EBUSY)
		return now + GRACE_NS;
	sub->fire_delay = sub->fire_delay ? sub->fire_delay * 2 : RETRY_NS;
	if (sub->fire_delay > RECHECK_NS)
		sub->fire_delay = RECHECK_NS;
	return now + sub->fire_delay;
}

static void fire(struct aioevt_shm_sub *sub, uint64_t now)
{
	int err = sub_revive(sub);

	sub_mark_ready(sub);
	if (!err && !sub->is_detached)
		err = timer_fire(sub->ev, now, &sub->patience);
	sub->fire_floor = 0;
	if (sub_due(sub) <= now)
		sub->fire_floor = retry_at(sub, now, err);
	else
		sub->fire_delay = 0;
}

bool listener_fire(struct aioevt_shm_listener *l)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), due = NO_DUE;
	struct aioevt_shm_sub *sub;

	if (now < l->due)
		return false;
	TAILQ_FOREACH(sub, &l->subs, all) {
		if (sub_due(sub) <= now)
			fire(sub, now);
		if (sub_due(sub) < due)
			due = sub_due(sub);
	}
	l->due = due;
	return true;
}

static bool is_mine(void *arg, uint32_t event)
{
	const struct aioevt_shm_listener *l = arg;

	return l->by_event[event];
}

void listener_heal_timers(struct aioevt_shm_listener *l)
{
	timer_heal(l->bus, is_mine, l);
	l->due = 0;			/* look at all of them */
}
