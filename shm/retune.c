/* SPDX-License-Identifier: MIT */
/*
 * A listener in use listens to something else: a sub that a pattern brought forth stays for its
 * own name, becomes reliable or lossy, and a pattern goes. No atomics here: what is shared is
 * changed by sub.c, rest.c, reliable.c and pattern.c, and left behind by a killed process as
 * they say.
 */
#include "retune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "bus.h"
#include "listener.h"
#include "reliable.h"
#include "rest.h"

struct aioevt_shm_sub *sub_find(struct aioevt_shm_listener *l, const char *name)
{
	struct aioevt_shm_sub *sub;

	TAILQ_FOREACH(sub, &l->subs, all)
		if (!strcmp(sub->ev->name, name))
			return sub;
	return NULL;
}

struct aioevt_shm_sub *sub_first(struct aioevt_shm_listener *l)
{
	return TAILQ_FIRST(&l->subs);
}

struct aioevt_shm_sub *sub_next(struct aioevt_shm_sub *sub)
{
	return TAILQ_NEXT(sub, all);
}

void listener_on_close(struct aioevt_shm_listener *l, void (*fn)(void *data))
{
	l->on_close = fn;
}

/* ---- subs ------------------------------------------------------------------------------ */

int sub_keep(struct aioevt_shm_sub *sub)
{
	int err = sub_revive(sub);

	if (err < 0 || !(sub->flags & SUB_OF_PATTERN))
		return err;
	/* not counted among those that may rest any more */
	sub_forget(sub);
	sub->flags &= ~SUB_OF_PATTERN;
	sub->ev->flags &= ~AIOEVT_SHM_EXISTING;
	sub_mark_ready(sub);
	return 0;
}

int sub_unkeep(struct aioevt_shm_sub *sub)
{
	if (sub->is_detached)
		return -EPIPE;
	sub->flags |= SUB_OF_PATTERN;
	sub->ev->flags |= AIOEVT_SHM_EXISTING;
	sub_born(sub);
	return 0;
}

static int make_reliable(struct aioevt_shm_sub *sub)
{
	uint64_t from;
	int err = reliable_register(sub->ev->map, sub->listener->index, sub->pos, &from);

	if (err < 0)
		return err;
	/* What may be overtaken below @from meanwhile is counted when it is. */
	sub->published = event_map_last(sub->ev->map)->base;
	if (sub->published < from)
		sub->published = from;
	return 0;
}

static int make_lossy(struct aioevt_shm_sub *sub)
{
	reliable_unregister(sub->ev->map, sub->listener->index);
	return ring_settle_voids(sub->ev->bus, sub->ring, sub->pos, &sub->voids);
}

/* A sub of a pattern that is reliable never rests, and is not counted among those. */
int sub_set_reliable(struct aioevt_shm_sub *sub, bool reliable)
{
	uint32_t was = sub->flags & AIOEVT_SHM_RELIABLE;
	int err;

	if (!was == !reliable)
		return 0;
	err = sub_revive(sub);
	if (err < 0)
		return err;
	if (reliable) {
		err = sub->is_detached ? 0 : make_reliable(sub);
		if (err < 0)
			return err;
		sub_forget(sub);
		sub->flags |= AIOEVT_SHM_RELIABLE;
		sub_mark_ready(sub);
		return 0;
	}
	sub->flags &= ~AIOEVT_SHM_RELIABLE;
	err = sub->is_detached ? 0 : make_lossy(sub);
	sub_born(sub);
	return err;
}

static int map_all(struct aioevt_shm_event *ev)
{
	int err;

	bus_lock(ev->bus);
	err = event_map_all(ev->map);
	bus_unlock(ev->bus);
	return err;
}

static uint64_t next_wanted(const struct aioevt_shm_sub *sub)
{
	return sub->pos > sub->skip_below ? sub->pos : sub->skip_below;
}

uint64_t sub_place(const struct aioevt_shm_sub *sub)
{
	return sub->is_detached ? 0 : seq_to_user(&sub->listener->bus->lo, next_wanted(sub));
}

int sub_frontier(struct aioevt_shm_sub *sub, uint64_t *ret_seq)
{
	uint64_t end;
	int err;

	if (!sub_peek(sub)) {
		*ret_seq = 0;
		return 0;
	}
	err = sub_revive(sub);
	if (err < 0 || sub->is_detached)
		return err < 0 ? err : -EPIPE;
	err = map_all(sub->ev);
	if (!err)
		err = ring_frontier(event_map_last(sub->ev->map), &end);
	if (!err)
		*ret_seq = end > next_wanted(sub) ? seq_to_user(&sub->ev->bus->lo, end) : 0;
	return err;
}

/* Each round but the last found that somebody grew or removed the event. */
int event_frontier(struct aioevt_shm_event *ev, uint64_t *ret_seq)
{
	uint64_t end, state;
	int err = bus_check(ev->bus);

	for (unsigned i = 0; !err && i < MAX_LOST_LONG; i++) {
		err = map_all(ev);
		if (!err)
			err = ring_frontier(event_map_last(ev->map), &end);
		if (!err && ring_look(event_map_last(ev->map), end, &state) != LOOK_CLOSED) {
			*ret_seq = seq_to_user(&ev->bus->lo, end);
			return 0;
		}
		ev->ring_index = event_map_rings(ev->map) - 1;
		if (!err)
			err = event_follow(ev);
	}
	return err < 0 ? bus_result(ev->bus, err) : -EBUSY;
}

/* ---- patterns --------------------------------------------------------------------------- */

void pattern_set_flags(struct aioevt_shm_listener *l, const char *text, uint32_t flags)
{
	for (struct pattern *p = l->patterns; p; p = p->next)
		if (!strcmp(p->text, text))
			p->flags = flags;
}

static bool is_wanted(const struct aioevt_shm_listener *l, const struct aioevt_shm_sub *sub)
{
	if (!(sub->flags & SUB_OF_PATTERN))
		return true;
	for (const struct pattern *p = l->patterns; p; p = p->next)
		if (aioevt_shm_pattern_match(p->text, sub->ev->name))
			return true;
	return false;
}

void pattern_drop(struct aioevt_shm_listener *l, const char *text)
{
	struct aioevt_shm_sub *sub, *next;
	struct pattern **at = &l->patterns, *p;

	while (*at && strcmp((*at)->text, text))
		at = &(*at)->next;
	p = *at;
	if (!p)
		return;
	if (p == l->patterns && !p->next) {
		pattern_drop_all(l);
	} else {
		*at = p->next;
		free(p);
	}
	for (sub = TAILQ_FIRST(&l->subs); sub; sub = next) {
		next = TAILQ_NEXT(sub, all);
		if (!is_wanted(l, sub))
			aioevt_shm_sub_close(sub);
	}
}
