/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LOOP_H
#define AIOEVT_LOOP_H

/*
 * Loops and what is registered with them. loop.c runs them, dispatch.c calls the callbacks,
 * evt.c and register.c are how registrations come and go, topic.c is what a loop listens to,
 * pump.c serves foreign loops.
 *
 *   loop->ear_lock  the listener and its subs. The thread that runs the loop holds it while it
 *                   waits and reads, not while callbacks run; who needs it wakes that thread:
 *                   ear_enter().
 *   loop->lock      topics, evts, what runs. Held for moments.
 * What is changed with both (a topic's sub, is_heard, the table) may be looked at with either.
 */

#include <bsd/sys/tree.h>
#include <pthread.h>
#include <stdbool.h>
#include <bsd/sys/queue.h>

#include "data.h"
#include "manager.h"
#include "own.h"
#include "retune.h"

#define BATCH	32u			/* records that are read at a time */

struct pump;

struct aioevt_evt {
	_Atomic unsigned refs;		/* its users, and its loop while it is registered */
	struct aioevt_loop *loop;	/* held */
	struct topic *topic;		/* while it is linked */
	aioevt_fn fn;
	void *userdata;
	uint32_t flags;
	int status;			/* 0, or why it has ended */
	bool is_linked, is_timed;
	bool is_wait;			/* of aioevt_wait_on(): told if it is cancelled */
	bool is_untold;			/* it was, and is in loop->untold */
	uint64_t number;		/* in the order of registration */
	uint64_t from_seq;		/* of its event: it takes no records before */
	uint64_t deadline;
	RB_ENTRY(aioevt_evt) timer;
	TAILQ_ENTRY(aioevt_evt) in_topic, in_patterns, in_loop, in_untold;
	char name[];
};

RB_HEAD(aioevt_timers, aioevt_evt);
TAILQ_HEAD(evts, aioevt_evt);
RB_PROTOTYPE(aioevt_timers, aioevt_evt, timer, )

/* Records before @seq are not for evts of patterns with @number or above. */
struct fence {
	uint64_t seq, number;
};

/* A name or pattern that a loop listens to, or an event that a pattern brought forth. */
struct topic {
	struct topic *next;		/* of the same hash */
	struct aioevt_loop *loop;
	struct aioevt_shm_sub *sub;	/* NULL: a pattern, or none at the moment */
	struct aioevt_shm_event *event;	/* of the same name, to look where numbers are */
	bool is_pattern, is_heard;	/* the listener listens to it under this name */
	bool has_gap, is_gap_told;	/* the bus was another before */
	bool is_changed;		/* on the list of those */
	unsigned n_pins;		/* a batch of its records is in hand, somebody is at it */
	unsigned n_live, n_reliable;	/* evts */
	struct evts evts;
	struct fence *fences;		/* rising */
	unsigned n_fences;
	uint64_t raise_to;		/* once the batch in hand is given: topic_rewind() */
	TAILQ_ENTRY(topic) changed;
	char name[AIOEVT_SHM_NAME_MAX + 1];
};

struct aioevt_loop {
	struct aioevt *mgr;		/* held */
	_Atomic unsigned users;		/* its users, its driver: it is shut down with the last */
	_Atomic unsigned refs;		/* of the memory: one for all users, evts */
	TAILQ_ENTRY(aioevt_loop) in_manager;
	bool is_listed;

	pthread_mutex_t ear_lock;
	pthread_cond_t calm;		/* nobody waits for ear_lock any more */
	_Atomic unsigned n_intruders;	/* who wait for it */
	struct link *link;
	struct aioevt_shm_listener *ear;	/* changed with both locks */
	bool is_lost;			/* its bus was removed; nothing is listened to on the next yet */
	uint64_t always_ns, busy_ns;	/* to spin */

	pthread_mutex_t lock;
	pthread_cond_t done;		/* a callback has ended */
	struct topic **topics;		/* by hash */
	unsigned n_topics, n_buckets;
	unsigned n_patterns;
	TAILQ_HEAD(, topic) changed;	/* to be put right by loop_tidy() */
	struct evts evts;		/* all that are linked */
	struct evts pattern_evts;
	struct evts untold;		/* waits that were cancelled; held */
	struct aioevt_timers timers;
	uint64_t last_number;
	bool is_dead, is_running, is_stopped;
	bool is_telling;		/* by a thread that does not run it otherwise */
	bool is_dispatching;		/* evts stay linked */
	bool has_dead;			/* of which some are dead */
	struct aioevt_evt *running;	/* whose callback is being called */
	unsigned n_waiting;		/* for its end */
	struct aioevt_loop *waits_for;	/* under waits_lock in evt.c */

	/* Of the thread that runs it. */
	struct aioevt_shm_record records[BATCH];
	struct topic *batch;		/* whose records they are; NULL: none are left */
	unsigned n_records, next_record;
	uint64_t batch_number;		/* evts that were registered when they were read */
	uint64_t given_to;		/* evts up to this number have the next record already */
	unsigned char *buf;
	size_t buf_size;
	struct aioevt_data *data;
	unsigned n_calls;

	struct pump *pump;		/* once it has a descriptor */
	aioevt_error_fn on_error;	/* NULL: none; with its userdata, under lock */
	void *on_error_data;
};

/* Loops that the calling thread is inside of. */
struct frame {
	struct aioevt_loop *loop;
	struct frame *up;
};
extern _Thread_local struct frame *frames;

/* Is the calling thread in the run of @loop? */
bool loop_is_mine(const struct aioevt_loop *loop);

/* ---- loop.c ------------------------------------------------------------------------------ */

/* As aioevt_loop_new(), with mgr->lock; and undone, with it. */
int loop_make(struct aioevt *mgr, struct aioevt_loop **ret_loop);
void loop_discard(struct aioevt_loop *loop);

bool loop_is_alive(struct aioevt_loop *loop);

/* The memory: stays while it is held. */
void loop_hold(struct aioevt_loop *loop);
void loop_drop(struct aioevt_loop *loop);

/* Unregister all, and listen no more. Returns 0, or -EDEADLK as aioevt_evt_unregister(). */
int loop_shutdown(struct aioevt_loop *loop);

/*
 * Get hold of the listener, from whichever thread, and attach if it is not yet. Returns 0, or the
 * error that keeps it from being attached: then it is not held.
 */
int ear_enter(struct aioevt_loop *loop);
void ear_leave(struct aioevt_loop *loop);

/* With ear_lock: listen to all topics, on the bus that is there now. Returns 0 or an error. */
int loop_attach(struct aioevt_loop *loop);

/* Let the thread that waits look again, now. */
void loop_wake(struct aioevt_loop *loop);

/* Error @err of a process, or of the manager's own thread. Returns @err. */
int loop_complain(struct aioevt_loop *loop, int err);

/* With ear_lock: the bus was removed. Attach to the one that has its name now. */
int loop_reattach(struct aioevt_loop *loop);

/* ---- topic.c ----------------------------------------------------------------------------- */

/* With loop->lock. NULL: there is none, or no memory. */
struct topic *topic_find(struct aioevt_loop *loop, const char *name);
struct topic *topic_new(struct aioevt_loop *loop, const char *name, bool is_pattern);

/* With loop->lock: loop_tidy() shall look at it. */
void topic_changed(struct topic *topic);

/* With both locks. */
void topic_free_if_unused(struct topic *topic);
void topics_free(struct aioevt_loop *loop);

/* ---- hear.c ------------------------------------------------------------------------------ */

/*
 * All with ear_lock, and a listener that is attached.
 *
 * Let the listener do for @topic what its evts need: listen from @from on if it does not yet, be
 * reliable or lossy, or not listen any more. Returns 0 or an error.
 */
int topic_listen(struct topic *topic, enum aioevt_shm_from from, uint64_t from_value);

/* Go back to number @seq, for one evt: those that are there take nothing twice. */
int topic_rewind(struct topic *topic, uint64_t seq);

/* With loop->lock: the batch of @topic's records was given. */
void topic_batch_given(struct topic *topic);

/* The topic of a sub; made, if a pattern brought it forth. NULL: no memory. */
struct topic *topic_of_sub(struct aioevt_loop *loop, struct aioevt_shm_sub *sub);

/* What others have not read yet is not for evts of patterns with @number and above. */
int topic_put_fences(struct topic *pattern, uint64_t number);

/*
 * With loop->lock: evts of patterns take record @seq of @topic only if their number is below the one
 * returned. Fences that are passed go.
 */
uint64_t topic_fence(struct topic *topic, uint64_t seq);

/*
 * All subs are about to go: what was read of them is handled, but for the batch in hand. Tell
 * who waits for that.
 */
void loop_settle(struct aioevt_loop *loop);

/* Put right what topic_changed() named. */
void loop_tidy(struct aioevt_loop *loop);

/* The number that the next record of @topic will have, or one after. With loop->lock. */
int topic_frontier(struct topic *topic, uint64_t *ret_seq);

/* The data of a sub that was closed. */
void topic_sub_closed(void *data);

/* ---- evt.c ------------------------------------------------------------------------------- */

/* With loop->lock. */
void evt_link(struct aioevt_evt *evt, struct topic *topic);

/* With loop->lock: it is registered no more, and is not called again. False: it was not. */
bool evt_end(struct aioevt_evt *evt, int status);

/*
 * As evt_end(), with -ECANCELED, by another than its owner: a wait is to be told, by loop_tell() or
 * loop_await_told().
 */
bool evt_cancel(struct aioevt_evt *evt);

/* With loop->lock: it shall not be told. False: it has not to be. */
bool evt_leave_untold(struct aioevt_evt *evt);

/* Waits that were cancelled have been told when it returns. Returns 0, or -EDEADLK: they will be. */
int loop_await_told(struct aioevt_loop *loop);

/* Another thread tells waits of this loop: wait until it is done. With loop->lock. */
int loop_await_teller(struct aioevt_loop *loop);

/* With loop->lock: unlink those that ended while callbacks ran. */
void loop_sweep(struct aioevt_loop *loop);

/*
 * With loop->lock, which is let go: wait while the callback of an evt that has ended is running.
 * Returns 0, or -EDEADLK if it cannot be waited for.
 */
int loop_await_done(struct aioevt_loop *loop);

/* Something ended: put right what the listener does, now, or by the thread that runs it. */
void loop_tidy_soon(struct aioevt_loop *loop);

/* The first deadline, AIOEVT_FOREVER if there is none. With loop->lock. */
uint64_t loop_first_deadline(struct aioevt_loop *loop);

/* ---- dispatch.c --------------------------------------------------------------------------- */

/* Call who is registered for the records of the batch, until it is empty or the loop stops. */
int loop_dispatch(struct aioevt_loop *loop);

/* Call the evts whose deadline is at or before @now. */
void loop_expire(struct aioevt_loop *loop, uint64_t now);

/* Call the waits that were cancelled. By the thread that has the loop. */
void loop_tell(struct aioevt_loop *loop);

/* ---- pump.c ------------------------------------------------------------------------------- */

/* A process begins; it ends with @r: 0, or the error that it met. Nothing if there is no pump. */
void pump_begin(struct aioevt_loop *loop);
void pump_end(struct aioevt_loop *loop, int r);
void pump_abort(struct aioevt_loop *loop);

/*
 * The loop is dead: the thread ends, and nothing is to be read any more. The descriptor stays as long as
 * the loop: a foreign loop may poll it still.
 */
void pump_stop(struct aioevt_loop *loop);
void pump_free(struct pump *pump);

int start_thread(pthread_t *ret_thread, void *(*fn)(void *), void *arg);

static inline void aioevt_evt_unrefp(struct aioevt_evt **evt)
{
	aioevt_evt_unref(*evt);
}

static inline void lock(struct aioevt_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
}

static inline void unlock(struct aioevt_loop *loop)
{
	pthread_mutex_unlock(&loop->lock);
}

#endif
