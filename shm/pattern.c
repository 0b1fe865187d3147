/* SPDX-License-Identifier: MIT */
/*
 * What a listener listens to: events by name, and by pattern. A pattern is tried on all
 * events once, and from then on on those that came since: header->n_created tells that there
 * are any, l->seen[] tells at which places.
 *
 * Ordering
 *   registry_link:D, ring_patterns:A / listen_pattern:A, pattern_scan:A   seq_cst, as
 *       subscribe:A (bell.c), for events that come into being: who sets its bit then looks
 *       at all events; who makes an event counts it, then looks at the bits.
 * Crash     see bell.c.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "name.h"
#include "rest.h"
#include "retune.h"

/* ---- by name -------------------------------------------------------------------------- */

static int listen_name(struct aioevt_shm_listener *l, const char *name,
		       uint32_t open_flags, uint32_t flags,
		       enum aioevt_shm_from from, uint64_t from_value,
		       struct aioevt_shm_sub **ret_sub)
{
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_event *ev;
	int err;

	/* By name: a sub whose event was removed is about to move to the event of that name. */
	sub = sub_find(l, name);
	if (sub) {
		err = flags & AIOEVT_SHM_OBSERVE ? 0 : sub_stop_observing(sub);
		return err < 0 ? err : -EEXIST;
	}
	err = aioevt_shm_event_open(l->bus, name, open_flags, &ev);
	if (err < 0)
		return err;
	err = sub_new(l, ev, flags, from, from_value, ret_sub);
	if (err < 0)
		aioevt_shm_event_close(ev);
	return err;
}

/* ---- what patterns match --------------------------------------------------------------- */

/*
 * What came into being at @index since the patterns looked: count what is gone again
 * unseen. Each use of a place grows its generation by one.
 */
static void note_seen(struct aioevt_shm_listener *l, uint32_t index, uint64_t state)
{
	uint32_t now = event_generation(state), unseen;

	if (event_phase(state) == EVENT_NEW)
		now--;			/* it is going to be seen, or never was */
	unseen = now - l->seen[index];
	if (unseen && event_is_findable(state))
		unseen--;
	l->lost_events += unseen;
	l->seen[index] = now;
}

/*
 * There is a sub of that name. Returns 0, or -EAGAIN if it is a pattern's and of a former
 * event: once that one was read to its end, it is the turn of the event at @index.
 */
static int try_later(struct aioevt_shm_sub *sub, uint32_t index, uint64_t state)
{
	const struct event_ref *ref;

	if (!(sub->flags & SUB_OF_PATTERN))
		return 0;
	ref = sub->is_resting ? &sub->ref : &sub->ev->map->ref;
	if (ref->index == index && ref->generation == event_generation(state))
		return 0;
	sub_mark_ready(sub);
	return -EAGAIN;
}

static int listen_under(struct aioevt_shm_listener *l, const char *name, uint32_t flags,
			enum aioevt_shm_from from, uint64_t from_value)
{
	struct aioevt_shm_sub *sub;
	int err = listen_name(l, name, AIOEVT_SHM_EXISTING, flags | SUB_OF_PATTERN, from,
			      from_value, &sub);

	if (!err)
		sub_born(sub);
	return err;
}

/*
 * Whether @name falls under the newest pattern, if @only_newest, or under any; with the flags of
 * all that it falls under in *ret_flags: one of them is reliable, so is the sub; all of them
 * observe, so does the sub.
 */
static bool is_under(const struct aioevt_shm_listener *l, const char *name, bool only_newest,
		     uint32_t *ret_flags)
{
	uint32_t flags = AIOEVT_SHM_OBSERVE;
	bool is_match = false;

	for (const struct pattern *p = l->patterns; p; p = p->next) {
		if (aioevt_shm_pattern_match(p->text, name)) {
			flags |= p->flags & AIOEVT_SHM_RELIABLE;
			flags &= p->flags | ~AIOEVT_SHM_OBSERVE;
			is_match = true;
		}
		if (only_newest && !is_match)
			return false;
	}
	*ret_flags = flags;
	return is_match;
}

/* The event at @index: listen to it if it falls under a pattern, the newest only if @first. */
static int try_event(struct aioevt_shm_listener *l, uint32_t index, uint64_t state,
		     bool first, enum aioevt_shm_from from, uint64_t from_value)
{
	char text[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_shm_sub *sub;
	struct name name;
	uint32_t flags;

	registry_name(l->bus, index, &name);
	if (registry_state(l->bus, index) != state || name_unpack(&name, text) < 0 ||
	    !is_under(l, text, first, &flags))
		return 0;
	sub = sub_find(l, text);
	if (sub && !(flags & AIOEVT_SHM_OBSERVE)) {
		int err = sub_stop_observing(sub);

		if (err < 0 && err != -EPIPE)
			return err;
	}
	return sub ? try_later(sub, index, state) :
		     listen_under(l, text, flags, from, from_value);
}

/*
 * @first: the pattern in front is new, try it on all there are. Else try all patterns on
 * what came since; numbers of those events start after the pattern was there.
 */
static int scan(struct aioevt_shm_listener *l, bool first, enum aioevt_shm_from from,
		uint64_t from_value)
{
	for (uint32_t i = 0; i < bus_events_used(l->bus); i++) {
		uint64_t state = registry_state(l->bus, i);
		int err = 0;

		if (event_is_findable(state) &&
		    (first || l->seen[i] != event_generation(state)))
			err = try_event(l, i, state, first, from, from_value);
		if (err == -EAGAIN) {
			l->created = UINT64_MAX;	/* look again */
			continue;
		}
		if (err == -ENOENT || err == -EPROTO)	/* went meanwhile, or is broken */
			state = event_word(event_generation(state), 0, EVENT_DEAD);
		else if (err < 0)
			return err;
		if (!first)
			note_seen(l, i, state);
	}
	return 0;
}

int pattern_scan(struct aioevt_shm_listener *l, bool force)
{
	/* pattern_scan:A  seq_cst, pairs with registry_link:D */
	uint64_t created = atomic_load(&l->bus->header->n_created);

	if (!l->patterns || (!force && created == l->created))
		return 0;
	l->created = created;
	rest_sweep(l);
	return scan(l, false, FROM_START, 0);
}

/* ---- by pattern ------------------------------------------------------------------------ */

/* The first pattern: what is there now came before it. */
static int start_seen(struct aioevt_shm_listener *l)
{
	if (!l->seen)
		l->seen = calloc(l->bus->lo.n_events, sizeof(*l->seen));
	if (!l->seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < bus_events_used(l->bus); i++) {
		uint64_t state = registry_state(l->bus, i);

		l->seen[i] = event_generation(state) - (event_phase(state) == EVENT_NEW);
	}
	return 0;
}

/* The newest pattern could not be tried on all events. Subs it has got stay. */
static void take_back(struct aioevt_shm_listener *l)
{
	struct pattern *p = l->patterns;

	if (!p->next)
		pattern_drop_all(l);
	else
		l->patterns = p->next, free(p);
}

static int listen_pattern(struct aioevt_shm_listener *l, const char *text, uint32_t flags,
			  enum aioevt_shm_from from, uint64_t from_value)
{
	struct pattern *p;
	int err;

	for (p = l->patterns; p; p = p->next)
		if (!strcmp(p->text, text))
			return -EEXIST;
	p = calloc(1, sizeof(*p));
	err = !p ? -ENOMEM : l->patterns ? pattern_scan(l, true) : start_seen(l);
	if (err < 0) {
		free(p);
		return err;
	}
	strcpy(p->text, text);
	p->flags = flags;
	p->next = l->patterns;
	l->patterns = p;
	/* listen_pattern:A  seq_cst, pairs with ring_patterns:A */
	atomic_fetch_or(&bus_patterns(l->bus)[l->index / 64], bit_of(l->index));
	err = scan(l, true, from, from_value);
	if (err < 0)
		take_back(l);
	return err;
}

void pattern_drop_all(struct aioevt_shm_listener *l)
{
	if (l->patterns && bus_check(l->bus) != -ECHILD)
		/* listen_pattern:B  seq_cst, pairs with ring_patterns:A */
		atomic_fetch_and(&bus_patterns(l->bus)[l->index / 64], ~bit_of(l->index));
	while (l->patterns) {
		struct pattern *p = l->patterns;

		l->patterns = p->next;
		free(p);
	}
}

uint64_t aioevt_shm_listener_lost_events(struct aioevt_shm_listener *l)
{
	uint64_t n = l ? l->lost_events : 0;

	if (l)
		l->lost_events = 0;
	return n;
}

int aioevt_shm_listen(struct aioevt_shm_listener *l, const char *pattern, uint32_t flags,
		      enum aioevt_shm_from from, uint64_t from_value,
		      struct aioevt_shm_sub **ret_sub)
{
	int err = l && pattern ? bus_check(l->bus) : -EINVAL, kind;
	uint32_t open_flags;

	if (err < 0)
		return err;
	kind = aioevt_shm_pattern_check(pattern, strnlen(pattern, AIOEVT_SHM_NAME_MAX + 1),
					NULL, NULL);
	if (kind < 0 || flags & ~(AIOEVT_SHM_RELIABLE | AIOEVT_SHM_EXISTING | AIOEVT_SHM_OBSERVE) ||
	    (flags & AIOEVT_SHM_RELIABLE && flags & AIOEVT_SHM_OBSERVE) ||
	    from > AIOEVT_SHM_FROM_TIME)
		return -EINVAL;
	open_flags = flags & AIOEVT_SHM_EXISTING;
	flags &= AIOEVT_SHM_RELIABLE | AIOEVT_SHM_OBSERVE;
	if (!kind)
		err = listen_name(l, pattern, open_flags, flags, from, from_value, ret_sub);
	else
		err = listen_pattern(l, pattern, flags, from, from_value);
	if (!err && kind && ret_sub)
		*ret_sub = NULL;
	return bus_result(l->bus, err);
}
