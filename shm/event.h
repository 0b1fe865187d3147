/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_EVENT_H
#define AIOEVT_EVENT_H

#include "aioevt-shm.h"
#include "event-map.h"
#include "reliable.h"

/* A handle: one thread's view of an event. */
struct aioevt_shm_event {
	struct aioevt_shm *bus;
	struct event_map *map;
	const struct ring *ring;	/* the one that is emitted to */
	struct reliable_limit limit;
	unsigned ring_index;
	uint32_t flags;
	uint32_t body_hint;
	char name[AIOEVT_SHM_NAME_MAX + 1];
};

/*
 * Open the name in @ev anew, after its event went away. Errors as event_open, and -EPROTO if
 * @was_ended, so its last ring is closed for good, but its name still leads to it.
 */
int event_reopen(struct aioevt_shm_event *ev, bool was_ended);

/*
 * The same for an event that has ended, but its use ends first, so that the new one can have its
 * place in a full table. On failure the handle has no event, and this is called again.
 */
int event_renew(struct aioevt_shm_event *ev);

/*
 * Let go of the event, keeping the handle and its name; get hold of it again. Returns 0,
 * -ENOENT if @ref is there no more, -ENOMEM, -EPROTO.
 */
void event_release(struct aioevt_shm_event *ev);
int event_acquire(struct aioevt_shm_event *ev, struct event_ref ref);

/* Go on to the last ring there is by now. Returns 0, -ENOMEM, -EPROTO. */
int event_catch_up(struct aioevt_shm_event *ev);

/*
 * Emit the record of a timer, unless it turns out to be somebody else's to fire, or the number was
 * revoked: -ECANCELED; see timer-fire.c. Else as aioevt_shm_emit(), but -EPIPE if the ring was
 * closed.
 */
struct firing;
int event_emit_firing(struct aioevt_shm_event *ev, const void *data, size_t size,
		      struct firing *firing);

/* The ring of @ev was closed: go on to the next, or to a new event of that name. */
int event_follow(struct aioevt_shm_event *ev);

#endif
