/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_RETUNE_H
#define AIOEVT_RETUNE_H

#include <stdbool.h>

#include "aioevt-shm.h"

/*
 * What the loops of lib/ need of a listener beyond aioevt-shm.h: to change what it listens to
 * while it is in use, and to sleep elsewhere. As for the rest of a listener: one thread at a time.
 */

/* The sub of event @name, by name or brought forth by a pattern; NULL if there is none. */
struct aioevt_shm_sub *sub_find(struct aioevt_shm_listener *l, const char *name);

/* Walk over the subs: the first, and the next. */
struct aioevt_shm_sub *sub_first(struct aioevt_shm_listener *l);
struct aioevt_shm_sub *sub_next(struct aioevt_shm_sub *sub);

/* Call @fn(data of the sub) for each sub that is closed, by whomever. */
void listener_on_close(struct aioevt_shm_listener *l, void (*fn)(void *data));

/*
 * Let a sub that a pattern brought forth go on by its own name, as if it had been listened to by
 * name; and the other way round. Returns 0, or -EPIPE if its event went, -ENOMEM, -EPROTO.
 */
int sub_keep(struct aioevt_shm_sub *sub);
int sub_unkeep(struct aioevt_shm_sub *sub);

/* Make it reliable from its place on, or lossy. Returns 0, or as sub_keep(). */
int sub_set_reliable(struct aioevt_shm_sub *sub, bool reliable);

/*
 * Read again from number @seq, as far as it is held; what is not is counted as missed. The cursor of a
 * reliable sub stays where it is. Returns 0, or as sub_keep(); then its place is what it was.
 */
int sub_go_back(struct aioevt_shm_sub *sub, uint64_t seq);

/*
 * If it is reliable, all that was read of it is handled, or what was said to be: tell emitters how
 * far it is, because it found nothing more, or is about to be closed or lossy.
 */
void sub_publish(struct aioevt_shm_sub *sub);

/* The number it reads next at the earliest; 0 if that is not known (its event went). */
uint64_t sub_place(const struct aioevt_shm_sub *sub);

/*
 * The number that comes after all records that were emitted: *ret_seq is 0 if there is none that the
 * sub has not read. Returns 0, or as sub_keep().
 */
int sub_frontier(struct aioevt_shm_sub *sub, uint64_t *ret_seq);

/*
 * The number after all that were emitted to the event that has the name of @event now, which is
 * opened anew if it was removed. Returns 0, or as aioevt_shm_event_open().
 */
int event_frontier(struct aioevt_shm_event *event, uint64_t *ret_seq);

/* A pattern that is listened to already: with these flags from now on. Or no more. */
void pattern_set_flags(struct aioevt_shm_listener *l, const char *text, uint32_t flags);
void pattern_drop(struct aioevt_shm_listener *l, const char *text);

struct bell_watch {
	_Atomic uint32_t *word;		/* futex_wait() on it */
	uint32_t value;			/* while it has this value */
	uint64_t until;			/* a deadline, at the latest the re-check */
};

/*
 * As aioevt_shm_wait() with deadline 0; but if it found nothing, the bell is armed, and
 * another thread may sleep for this one by @watch. Not woken then: -ETIMEDOUT.
 */
int listener_arm(struct aioevt_shm_listener *l, struct aioevt_shm_sub **ret_sub,
		 struct bell_watch *ret_watch);

/*
 * Emit out of a signal handler: no lock, no allocation, never more than the inline size. As
 * aioevt_shm_emit(), or -EPIPE if the event was grown or removed.
 */
int event_emit_raw(struct aioevt_shm_event *event, const void *data, size_t size);

#endif
