/* SPDX-License-Identifier: MIT */
/*
 * Emitting, and waiting until readers have handled it. No atomics here: the cursors and their
 * order are in reliable.c, the bell in bell.c.
 *
 * Who is to handle it is marked before it is emitted, so that one who joins behind it and has
 * a cursor above its number is not taken for one who handled it.
 *
 * Progress  sleeps; a reader that stops is waited for until the deadline, one that dies until the
 *   next look.
 * Crash     leaves the bell armed, one spare wake; and ctl->wanted, for which readers publish
 *   the next records one by one.
 */
#include <errno.h>
#include <stdlib.h>

#include "bus.h"
#include "clock.h"
#include "event.h"
#include "futex.h"
#include "listener.h"
#include "retune.h"

#define WANT_AHEAD	64u	/* numbers that others may take before mine */

struct acks {
	struct event_ref ref;		/* of the event whose readers are marked */
	struct reliable_mark *marks;
	uint32_t n_marks;
	uint64_t seq;
};

/* Before it is emitted: who is there, and that they shall say when they have it. */
static int begin(struct aioevt_shm_event *ev, struct acks *acks)
{
	uint64_t next;
	int err = event_frontier(ev, &next);

	if (err < 0)
		return err;
	acks->ref = ev->map->ref;
	acks->marks = calloc(ev->bus->lo.n_listeners, sizeof(*acks->marks));
	if (!acks->marks)
		return -ENOMEM;
	reliable_want(ev->map, seq_from_user(&ev->bus->lo, next) + WANT_AHEAD);
	acks->n_marks = reliable_mark(ev->map, acks->marks);
	return 0;
}

/* Was it emitted to the event whose readers were marked? It may have been removed meanwhile. */
static bool is_of(const struct acks *acks, const struct aioevt_shm_event *ev)
{
	return ev->map->ref.index == acks->ref.index &&
	       ev->map->ref.generation == acks->ref.generation;
}

/* Returns 1 if @n have handled it, 0 if that may still be, or -ENOLINK. */
static int count(struct event_map *map, struct acks *acks, uint32_t n, uint32_t *ret_n)
{
	uint32_t n_handled = 0, n_pending = 0;

	for (uint32_t i = 0; i < acks->n_marks; i++) {
		enum reliable_stand stand = reliable_look(map, &acks->marks[i], acks->seq);

		n_handled += stand == RELIABLE_HANDLED;
		n_pending += stand == RELIABLE_PENDING;
	}
	*ret_n = n_handled;
	if (n_handled >= n)
		return 1;
	return n_pending < n - n_handled ? -ENOLINK : 0;
}

static int await(struct aioevt_shm_event *ev, struct acks *acks, uint32_t n, uint64_t deadline,
		 uint32_t *ret_n)
{
	struct event_map *map = ev->map;

	for (;;) {
		uint32_t armed = bell_arm(&map->ctl->space);
		int r = count(map, acks, n, ret_n);
		uint64_t now = clock_ns(CLOCK_MONOTONIC), recheck = now + RECHECK_NS;

		if (r)
			return r < 0 ? r : 0;
		if (now >= deadline)
			return -ETIMEDOUT;
		if (!bus_ok(ev->bus, clock_ns(CLOCK_REALTIME_COARSE)))
			return -ENOLINK;
		futex_wait(&map->ctl->space, armed, deadline < recheck ? deadline : recheck);
	}
}

int aioevt_shm_emit_handled(struct aioevt_shm_event *ev, const void *data, size_t size,
			    uint32_t n, uint64_t deadline, uint64_t *ret_seq, uint32_t *ret_n)
{
	uint32_t n_handled = 0;
	struct acks acks;
	uint64_t seq;
	int err = ev && (data || !size) ? begin(ev, &acks) : -EINVAL;

	if (err < 0)
		return err;
	err = aioevt_shm_emit_wait(ev, data, size, deadline, &seq);
	if (!err) {
		acks.seq = seq_from_user(&ev->bus->lo, seq);
		/* others may have taken more numbers while it waited for room */
		reliable_want(ev->map, acks.seq);
		err = !is_of(&acks, ev) ? (n ? -ENOLINK : 0) :
		      await(ev, &acks, n, deadline, &n_handled);
		if (ret_seq)
			*ret_seq = seq;
		if (ret_n)
			*ret_n = n_handled;
	}
	free(acks.marks);
	return err;
}
