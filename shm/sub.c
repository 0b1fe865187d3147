/* SPDX-License-Identifier: MIT */
/*
 * A sub: a place in an event's numbers. Here is how it comes to be, changes its event and
 * goes; start.c has where it starts, read.c how it goes on. It belongs to one thread; what it
 * shares with others is the listener's bit on the event, and the cursor if it is reliable
 * (reliable.c).
 *
 * A sub may be an observer: nobody's work hangs on it, so it is not counted with those that an
 * emitter waits for. The bit among the observers means something only beside the listener's bit:
 * it is written before that, set or cleared, and stays when that goes. So there is nothing to
 * reap, and what a former listener of that index, or a former event, left does not matter.
 *
 * Ordering
 *   subscribe:A / listeners_ring:A,B   seq_cst, see bell.c.
 *   subscribe:A / count_kinds:A    release/acquire: who counts it sees whether it observes.
 * Crash  a killed subscriber leaves its bit and cursor to the reaper of its port.
 */
#include <errno.h>
#include <stdlib.h>

#include "bus.h"
#include "listener.h"
#include "rest.h"
#include "retune.h"

/* ---- its place -------------------------------------------------------------------------- */

/*
 * Put the sub at @pos of ring @k; what lies below what is held will show as overtaken. A
 * number to come is waited for at the frontier, and what is below it skipped.
 */
static int place(struct aioevt_shm_sub *sub, unsigned k, uint64_t pos)
{
	const struct ring *ring = &sub->ev->map->ring[k];
	uint64_t end;
	int err = ring_frontier(ring, &end);

	if (err < 0)
		return err;
	if (pos < ring->base) {
		sub->missed += ring->base - pos;
		pos = ring->base;
	}
	if (pos > end) {
		sub->skip_below = pos;
		pos = end;
	}
	sub->ring_index = k;
	sub->ring = ring;
	sub->pos = pos;
	sub->busy_pos = 0;
	/* A reliable reader is not overtaken: it need not know. */
	if (sub->flags & AIOEVT_SHM_RELIABLE)
		return 0;
	return ring_settle_voids(sub->ev->bus, ring, pos, &sub->voids);
}

/* The ring that has number @pos, or would have it. */
static unsigned ring_of(struct event_map *map, uint64_t pos)
{
	unsigned k = event_map_rings(map) - 1;

	while (k && map->ring[k].base > pos)
		k--;
	return k;
}

/* ---- coming and going ------------------------------------------------------------------- */

/* Say whether the sub observes. The listener's bit is not set, or it stops to. */
static void set_kind(struct aioevt_shm_sub *sub)
{
	uint32_t l = sub->listener->index;
	_Atomic uint64_t *word = &sub->ev->map->observers[l / 64];
	bool observes = sub->flags & AIOEVT_SHM_OBSERVE;

	/* set_kind:A  relaxed: only this listener changes its bit */
	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit_of(l)) == !observes)
		return;
	if (observes)
		/* set_kind:B  relaxed: subscribe:A publishes it */
		atomic_fetch_or_explicit(word, bit_of(l), memory_order_relaxed);
	else
		/* set_kind:C  relaxed: as B; or it counts a moment later */
		atomic_fetch_and_explicit(word, ~bit_of(l), memory_order_relaxed);
}

static void set_bits(struct aioevt_shm_sub *sub)
{
	struct event *event = sub->ev->map->event;
	uint32_t l = sub->listener->index;

	set_kind(sub);
	/* subscribe:B  is bus_raise:A, pairs with listeners_ring:A: the word is looked at
	 * before the bit in it is set */
	bus_raise(&event->n_words, l / 64 + 1);
	/* subscribe:A  seq_cst, pairs with listeners_ring:B, count_kinds:A: then the ring is looked at */
	atomic_fetch_or(&event->listeners[l / 64], bit_of(l));
	sub->listener->by_event[sub->ev->map->ref.index] = sub;
}

static void clear_bits(struct aioevt_shm_sub *sub)
{
	uint32_t l = sub->listener->index;

	if (sub->flags & AIOEVT_SHM_RELIABLE)
		reliable_unregister(sub->ev->map, l);
	/* subscribe:C  release, pairs with listeners_ring:B */
	atomic_fetch_and_explicit(&sub->ev->map->event->listeners[l / 64],
				  ~bit_of(l), memory_order_release);
	sub->listener->by_event[sub->ev->map->ref.index] = NULL;
}

static int attach_reliable(struct aioevt_shm_sub *sub, uint64_t *pos)
{
	uint64_t from;
	int err = reliable_register(sub->ev->map, sub->listener->index, *pos, &from);

	if (err < 0)
		return err;
	if (from > *pos) {
		sub->missed += from - *pos;
		*pos = from;
	}
	/* Closed rings need no protection, so the cursor starts no lower than the last. */
	sub->published = event_map_last(sub->ev->map)->base;
	if (sub->published < from)
		sub->published = from;
	return 0;
}

/* Attached to the event now open: set the bits, and take the place. */
static int attach(struct aioevt_shm_sub *sub, enum aioevt_shm_from from, uint64_t value)
{
	struct event_map *map = sub->ev->map;
	bool is_new = from == AIOEVT_SHM_FROM_NEW || (from == AIOEVT_SHM_FROM_LAST && !value);
	uint64_t pos;
	int err;

	bus_lock(map->bus);		/* another may have grown it */
	map->was_used = true;
	err = event_map_all(map);
	bus_unlock(map->bus);
	/* Before others can see that somebody listens: what they emit then is heard. */
	if (!err && is_new)
		err = ring_frontier(event_map_last(map), &pos);
	if (err < 0)
		return err;
	set_bits(sub);
	if (!is_new)
		err = sub_find_start(sub, from, value, &pos);
	if (!err && sub->flags & AIOEVT_SHM_RELIABLE)
		err = attach_reliable(sub, &pos);
	if (!err)
		err = place(sub, ring_of(map, pos), pos);
	if (err < 0)
		clear_bits(sub);
	return err;
}

int sub_new(struct aioevt_shm_listener *l, struct aioevt_shm_event *ev, uint32_t flags,
	    enum aioevt_shm_from from, uint64_t from_value, struct aioevt_shm_sub **ret_sub)
{
	struct aioevt_shm_sub *sub = calloc(1, sizeof(*sub));
	int err;

	if (!sub)
		return -ENOMEM;
	sub->listener = l;
	sub->ev = ev;
	sub->flags = flags;
	err = attach(sub, from, from_value);
	if (err < 0) {
		free(sub);
		return err;
	}
	TAILQ_INSERT_TAIL(&l->subs, sub, all);
	l->n_subs++;
	sub_mark_ready(sub);
	if (ret_sub)
		*ret_sub = sub;
	return 0;
}

struct aioevt_shm_sub *aioevt_shm_sub_close(struct aioevt_shm_sub *sub)
{
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *other;

	if (!sub)
		return NULL;
	l = sub->listener;
	if (bus_check(l->bus) != -ECHILD) {
		sub_forget(sub);
		if (!sub->is_detached && !sub->is_resting)
			clear_bits(sub);
	}
	TAILQ_REMOVE(&l->subs, sub, all);
	if (l->last_read == sub)
		l->last_read = l->has_read_others ? TAILQ_FIRST(&l->subs) : NULL;
	if (sub->is_ready)
		TAILQ_REMOVE(&l->ready, sub, ready);
	l->n_subs--;
	aioevt_shm_event_close(sub->ev);
	if (l->on_close)
		l->on_close(sub->data);
	free(sub);
	/* Few again: they all stay on the list from now on. */
	if (l->n_subs == FEW_SUBS)
		TAILQ_FOREACH(other, &l->subs, all)
			sub_mark_ready(other);
	return NULL;
}

const char *aioevt_shm_sub_name(const struct aioevt_shm_sub *sub)
{
	return sub ? sub->ev->name : NULL;
}

void aioevt_shm_sub_set_data(struct aioevt_shm_sub *sub, void *data)
{
	if (sub)
		sub->data = data;
}

void *aioevt_shm_sub_data(const struct aioevt_shm_sub *sub)
{
	return sub ? sub->data : NULL;
}

void sub_mark_ready(struct aioevt_shm_sub *sub)
{
	if (sub->is_ready)
		return;
	if (sub->is_idle)
		TAILQ_REMOVE(&sub->listener->idle, sub, idle);
	sub->is_idle = false;
	TAILQ_INSERT_TAIL(&sub->listener->ready, sub, ready);
	sub->is_ready = true;
}

int sub_stop_observing(struct aioevt_shm_sub *sub)
{
	int err = sub->flags & AIOEVT_SHM_OBSERVE ? sub_revive(sub) : 0;

	if (err < 0 || !(sub->flags & AIOEVT_SHM_OBSERVE))
		return err;
	sub->flags &= ~AIOEVT_SHM_OBSERVE;
	if (!sub->is_detached)
		set_kind(sub);
	return 0;
}

int sub_go_back(struct aioevt_shm_sub *sub, uint64_t seq)
{
	const struct layout *lo = &sub->listener->bus->lo;
	struct aioevt_shm_sub before;
	uint64_t pos;
	int err = sub_revive(sub);

	if (err < 0 || sub->is_detached)
		return err < 0 ? err : -EPIPE;
	if (seq > SEQ_MASK - seq_bias(lo))
		return -EINVAL;
	before = *sub;
	pos = seq_from_user(lo, seq ? seq : 1);
	sub->skip_below = 0;
	err = place(sub, ring_of(sub->ev->map, pos), pos);
	/* below its cursor a reliable one may be overtaken, too */
	if (!err)
		err = ring_settle_voids(sub->ev->bus, sub->ring, sub->pos, &sub->voids);
	if (err < 0) {
		sub->ring_index = before.ring_index;
		sub->ring = before.ring;
		sub->pos = before.pos;
		sub->voids = before.voids;
		sub->missed = before.missed;
		sub->skip_below = before.skip_below;
		return err;
	}
	sub_mark_ready(sub);
	return 0;
}

int sub_reattach(struct aioevt_shm_sub *sub)
{
	/* What was not wanted is not missed. */
	uint64_t end = sub->pos > sub->skip_below ? sub->pos : sub->skip_below;
	uint64_t missed = sub->missed;
	int err;

	if (sub->flags & SUB_OF_PATTERN)
		return -EPIPE;		/* it shall not make the event anew */

	if (!sub->is_detached)
		clear_bits(sub);
	sub->is_detached = true;
	sub->ring = NULL;
	err = event_renew(sub->ev);
	if (!err)
		err = attach(sub, FROM_START, 0);
	if (err < 0) {
		/* tried again: what is missed is counted once, from the same place */
		sub->missed = missed;
		sub->pos = end;
		sub->skip_below = 0;
		return err;
	}
	sub->is_detached = false;
	sub->missed = missed + (sub->pos > end ? sub->pos - end : 0);
	sub_mark_ready(sub);
	return 0;
}
