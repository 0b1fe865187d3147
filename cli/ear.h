/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_EAR_H
#define AIOEVT_EAR_H

/*
 * An attached bus with a listener for several names and patterns, that hands out the records
 * of all of them, each event's in their order, and of those that are there at once the one
 * with the smallest time first. When the bus is removed it goes on with the one that takes its place.
 * Belongs to one thread at a time, but for ear_wake().
 */

#include <pthread.h>
#include <stdatomic.h>

#include "common.h"

struct cursor;

struct ear {
	const struct bus_options *options;
	char *const *names;
	size_t n_names;
	uint64_t after;		/* records up to this number do not count; 0: not asked */
	bool from_after;	/* hear what is newer than that, not only what is new */
	bool from_last;		/* hear the newest record of each event, then what is new */
	struct cursor *cursor;	/* may be NULL; hear what is not known to it, see place.h */
	uint32_t flags;		/* of aioevt_shm_listen(): RELIABLE, OBSERVE or 0 */
	bool many;		/* more than one event may have something */
	struct held *held;	/* many: one record of each event that has any */
	size_t n_held, held_room;
	size_t n_given;		/* since the listener was last asked */
	struct aioevt_shm_sub *given;	/* of the record that was handed out last */
	uint64_t given_seq;
	bool for_reader;	/* of stdout: without one ear_hear() waits no longer */
	bool by_hand;		/* only ear_handled_below() says what is handled */
	uint64_t lost;		/* events that came and went unread, until ear_close() */
	struct aioevt_shm *bus;
	pthread_mutex_t lock;	/* of the two below: ear_wake() uses them */
	struct aioevt_shm_listener *listener;
	bool woken;
	_Atomic uint64_t woken_at;	/* ns, CLOCK_REALTIME; 0: it was not */
};

#define EAR_INIT { .lock = PTHREAD_MUTEX_INITIALIZER }

/* One record, with memory of its own. */
struct heard {
	char event[AIOEVT_SHM_NAME_MAX + 1];
	uint64_t seq, time, missed;
	void *payload;
	size_t size, room;
};

/*
 * Attach and listen, as options, names, after, from_after, from_last and cursor say. Returns
 * 0, or the exit status after a message.
 */
int ear_open(struct ear *ear);

void ear_close(struct ear *ear);

/*
 * Wait for the next record until @deadline. *heard is filled in; its memory is used again by
 * the next call. Returns 0 or an error of the engine, -ETIMEDOUT among them, or -EINTR if
 * there is none and ear_wake() was called; -EPIPE if there is none, and with for_reader standard
 * output is a pipe or socket whose reader went, up to a second ago; or -ECANCELED, after a message, if the bus was
 * removed and cannot be attached to again.
 */
int ear_hear(struct ear *ear, uint64_t deadline, struct heard *heard);

/*
 * What ear_hear() handed out last is handled: who emitted it may be waiting to know. The next
 * ear_hear() says so by itself, unless by_hand; to be called by who ends instead.
 */
void ear_handled(struct ear *ear);

/* The same for all of @event that was handed out, below number @seq; UINT64_MAX: all. */
void ear_handled_below(struct ear *ear, const char *event, uint64_t seq);

/* Let ear_hear() wait no longer, on this bus and the next. Any thread. */
void ear_wake(struct ear *ear);

/* Was this record emitted after ear_wake() was called? */
bool ear_is_late(const struct ear *ear, const struct heard *heard);

/*
 * Read the next record of @sub, its payload into the memory of @heard, which is made large
 * enough; the rest of *heard is left alone. Returns 1, 0 if there is none yet, or an error.
 */
int heard_read(struct heard *heard, struct aioevt_shm_sub *sub, struct aioevt_shm_record *record);

void heard_deinit(struct heard *heard);

#endif
