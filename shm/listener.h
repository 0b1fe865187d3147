/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LISTENER_H
#define AIOEVT_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <bsd/sys/queue.h>

#include "event.h"
#include "timer.h"

/* ---- the emitter's side, bell.c ----------------------------------------------------- */

/* There is something to read in event @index: tell its listeners. Async-signal-safe. */
void listeners_ring(struct aioevt_shm *bus, uint32_t index);

/*
 * Arm @bell before the last look and the sleep: returns the value to sleep on. Ring it: wake
 * @n of those who sleep. Disarm one's own, if nobody rang it meanwhile.
 */
uint32_t bell_arm(_Atomic uint32_t *bell);
void bell_ring(_Atomic uint32_t *bell, int n);
void bell_disarm(_Atomic uint32_t *bell, uint32_t armed);

/*
 * Wake those who sleep with one of @bits, see futex_wait_bits(); @bell stays armed for the others.
 * Async-signal-safe.
 */
void bell_call(_Atomic uint32_t *bell, uint32_t bits);

/* There is a new event: tell the listeners that have patterns. */
void listeners_ring_patterns(struct aioevt_shm *bus);

/* ---- the listener's side -------------------------------------------------------------- */

struct aioevt_shm_sub {
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_event *ev;
	const struct ring *ring;	/* the one that is read; may be behind ev->ring */
	unsigned ring_index;
	uint64_t pos;			/* the next number to read */
	uint64_t voids;			/* numbers below pos, in this ring, that are no records */
	uint64_t missed;		/* to be told with the next record */
	uint64_t published;		/* the cursor, if reliable */
	uint64_t copied;		/* the number after the last record that was read */
	uint64_t handled;		/* all below it is, if says_handled */
	uint64_t busy_pos;		/* that was found being written, and when */
	uint64_t busy_since;
	uint64_t skip_below;		/* records before it are not wanted */
	uint64_t fire_floor, fire_delay;	/* see due.c */
	struct patience patience;
	uint32_t flags;
	bool is_ready;
	bool says_handled;		/* by aioevt_shm_sub_handled() */
	bool is_resting, is_idle;	/* see rest.c */
	struct event_ref ref;		/* while it rests: of what, and where its place is */
	uint64_t ring_offset, slot_offset;
	uint32_t ring_shift;
	bool is_detached;		/* its event went, and opening it anew failed */
	int stuck;			/* the error for which it cannot go on, or 0, */
	uint64_t stuck_until;		/* and the re-check at which it tries again */
	void *data;
	TAILQ_ENTRY(aioevt_shm_sub) all, ready, idle;
};

struct pattern {
	struct pattern *next;
	uint32_t flags;
	char text[AIOEVT_SHM_NAME_MAX + 1];
};

/* A listener of so few looks at each ring, one of more at its news. */
#define FEW_SUBS	4u

struct aioevt_shm_listener {
	struct aioevt_shm *bus;
	struct listener *shared;
	uint32_t index;
	unsigned n_subs;
	TAILQ_HEAD(, aioevt_shm_sub) subs;
	TAILQ_HEAD(, aioevt_shm_sub) ready;	/* to be looked at */
	TAILQ_HEAD(, aioevt_shm_sub) idle;	/* that may be put to rest, see rest.c */
	unsigned n_awake;
	struct aioevt_shm_sub **by_event;	/* [n_events] */
	struct pattern *patterns;
	uint32_t *seen;			/* [n_events] generations that patterns were tried on */
	uint64_t created;		/* header->n_created then */
	uint64_t lost_events;		/* came and went between two looks */
	bool keeps_subs;		/* closes none, see listener_look() */
	struct aioevt_shm_sub *last_read;	/* reliable, since the last wait */
	bool has_read_others;		/* besides it */
	uint64_t recheck_at;
	uint64_t told_at;		/* recheck_at when the error of a stuck sub was told */
	uint64_t due;			/* of the earliest timer of its events, see due.c */
	uint64_t spin_always, spin_busy;
	_Atomic uint32_t woken;		/* by aioevt_shm_listener_wake() */
	_Atomic uint32_t *_Atomic bell;	/* that it sleeps on, or was armed for it; NULL: none */
	unsigned streak;		/* records since it last slept for long */
	unsigned n_waits;
	unsigned batch;			/* records since it last waited */
	void (*on_close)(void *data);	/* of each sub, see retune.h */
};

/* What it sleeps with on a bell that it shares, see bell.c. */
static inline uint32_t listener_bit(const struct aioevt_shm_listener *l)
{
	return UINT32_C(1) << l->index % 32;
}

/* From the first record of an event, whatever its number. */
#define FROM_START	((enum aioevt_shm_from)100)

/* Internal flag of a sub: a pattern brought it forth; it goes when its event goes. */
#define SUB_OF_PATTERN	(1u << 31)

/* Take what the patterns match among the events that came since. Returns 0 or an error. */
int pattern_scan(struct aioevt_shm_listener *l, bool force);

/* Its listener goes: forget the patterns. */
void pattern_drop_all(struct aioevt_shm_listener *l);

/* Make a sub of the event of @ev, which it takes over. */
int sub_new(struct aioevt_shm_listener *l, struct aioevt_shm_event *ev, uint32_t flags,
	    enum aioevt_shm_from from, uint64_t from_value, struct aioevt_shm_sub **ret_sub);

/*
 * Look at a sub's next number, past those that are no records: LOOK_RECORD, LOOK_BUSY,
 * LOOK_EMPTY, or an error: -EPIPE if it is a pattern's and its event went. A sub that cannot go
 * on for lack of memory or places is stuck: it gives the same error until the next re-check.
 */
int sub_look(struct aioevt_shm_sub *sub, uint64_t *ret_state);

/* The caller, who has a last_read, waits again: it has handled what it read. */
void listener_come_back(struct aioevt_shm_listener *l);

/*
 * Another sub that has a record at once, as a wait until 0, but no sub is closed: those that
 * the last wait and the looks since have given stay. -ETIMEDOUT if there is none.
 */
int listener_look(struct aioevt_shm_listener *l, struct aioevt_shm_sub **ret_sub);

void sub_mark_ready(struct aioevt_shm_sub *sub);

/* A registration that does not observe wants the sub too: the sub counts from now on. */
int sub_stop_observing(struct aioevt_shm_sub *sub);

/* The number to start at. The sub's bit is set already. Returns 0, -EINVAL, -EPROTO. */
int sub_find_start(struct aioevt_shm_sub *sub, enum aioevt_shm_from from, uint64_t value,
		   uint64_t *ret_pos);

/*
 * The event was removed: go on with the one that has its name now. If that fails, the sub
 * is of no event until the next look tries again. The gap in the numbers counts as missed:
 * it is what others emitted in between, or was left by another removed event.
 */
int sub_reattach(struct aioevt_shm_sub *sub);

#define GRACE_NS	UINT64_C(100000)	/* before an emitter is given up on */

#endif
