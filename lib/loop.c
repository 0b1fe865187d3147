/* SPDX-License-Identifier: MIT */
/*
 * A loop is one listener of the bus, for all that is registered with it. There is no queue but
 * the rings: the thread that runs the loop waits, reads some records of one event, and calls.
 *
 * Another thread that registers needs the listener, which belongs to one thread at a time. It
 * says that it comes (n_intruders), wakes the one that waits, and takes ear_lock; the
 * thread of the loop lets all who came pass before it waits again (calm). A loop that nobody
 * runs has nobody to wake, so a registration is complete whether it runs or not.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>

#include "cancel.h"
#include "clock.h"

#define FIRST_ROOM	16384u		/* bytes for a batch; grown to what a record takes */
#define MAX_CALLS	256u		/* of one aioevt_loop_process() */

_Thread_local struct frame *frames;

/* ---- coming ---------------------------------------------------------------------------- */

int loop_make(struct aioevt *mgr, struct aioevt_loop **ret_loop)
{
	struct aioevt_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	atomic_init(&loop->users, 1);
	atomic_init(&loop->refs, 1);
	pthread_mutex_init(&loop->ear_lock, NULL);
	pthread_cond_init(&loop->calm, NULL);
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->done, NULL);
	TAILQ_INIT(&loop->changed);
	TAILQ_INIT(&loop->evts);
	TAILQ_INIT(&loop->pattern_evts);
	TAILQ_INIT(&loop->untold);
	RB_INIT(&loop->timers);
	loop->mgr = manager_ref(mgr);
	TAILQ_INSERT_TAIL(&mgr->loops, loop, in_manager);
	loop->is_listed = true;
	*ret_loop = loop;
	return 0;
}

int aioevt_loop_new(struct aioevt *mgr, struct aioevt_loop **ret_loop)
{
	struct aioevt_loop *loop;
	int err = ret_loop ? manager_check(mgr) : -EINVAL;

	if (err < 0)
		return err;
	pthread_mutex_lock(&mgr->lock);
	err = loop_make(mgr, &loop);
	pthread_mutex_unlock(&mgr->lock);
	if (err < 0)
		return err;
	err = ear_enter(loop);
	if (err < 0) {
		aioevt_loop_unref(loop);
		return err;
	}
	ear_leave(loop);
	*ret_loop = loop;
	return 0;
}

struct aioevt_loop *aioevt_loop_ref(struct aioevt_loop *loop)
{
	if (loop)
		ref_get(&loop->users);
	return loop;
}

void loop_hold(struct aioevt_loop *loop)
{
	ref_get(&loop->refs);
}

bool loop_is_mine(const struct aioevt_loop *loop)
{
	const struct frame *f = frames;

	while (f && f->loop != loop)
		f = f->up;
	return f;
}

struct aioevt_loop *aioevt_loop_current(struct aioevt *mgr)
{
	const struct frame *f = frames;

	while (f && f->loop->mgr != mgr)
		f = f->up;
	return f ? f->loop : NULL;
}

bool loop_is_alive(struct aioevt_loop *loop)
{
	bool is_alive;

	lock(loop);
	is_alive = !loop->is_dead;
	unlock(loop);
	return is_alive;
}

/* ---- the listener ----------------------------------------------------------------------- */

void loop_wake(struct aioevt_loop *loop)
{
	lock(loop);
	if (loop->ear)
		aioevt_shm_listener_wake(loop->ear);
	unlock(loop);
}

static void intrude(struct aioevt_loop *loop)
{
	/* intrude:A  seq_cst, pairs with enter_when_calm:A, try_to_rest:A: counted, then the lock
	 * that loop_wake() takes; who waits next has been woken, or sees the count */
	atomic_fetch_add(&loop->n_intruders, 1);
	if (!pthread_mutex_trylock(&loop->ear_lock))
		return;
	loop_wake(loop);
	pthread_mutex_lock(&loop->ear_lock);
}

void ear_leave(struct aioevt_loop *loop)
{
	/* intrude:B  seq_cst, pairs with enter_when_calm:A: with ear_lock */
	if (atomic_fetch_sub(&loop->n_intruders, 1) == 1)
		pthread_cond_signal(&loop->calm);
	pthread_mutex_unlock(&loop->ear_lock);
}

int ear_enter(struct aioevt_loop *loop)
{
	int err = 0;

	intrude(loop);
	if (!loop_is_alive(loop))
		err = -ECANCELED;
	else if (!loop->ear)
		err = loop_attach(loop);
	if (err < 0)
		ear_leave(loop);
	return err;
}

/* The thread of the loop: when those who came have left. */
static void enter_when_calm(struct aioevt_loop *loop)
{
	int cancel;

	pthread_mutex_lock(&loop->ear_lock);
	cancel = cancel_off();
	/* enter_when_calm:A  seq_cst, pairs with intrude:A,B */
	while (atomic_load(&loop->n_intruders))
		pthread_cond_wait(&loop->calm, &loop->ear_lock);
	cancel_on(cancel);
}

static void detach(struct aioevt_loop *loop)
{
	struct aioevt_shm_listener *ear;
	struct link *link;

	lock(loop);
	ear = loop->ear;
	link = loop->link;
	loop->ear = NULL;
	loop->link = NULL;
	for (unsigned b = 0; b < loop->n_buckets; b++)
		for (struct topic *t = loop->topics[b]; t; t = t->next) {
			t->event = aioevt_shm_event_close(t->event);
			t->is_heard = false;
		}
	unlock(loop);
	aioevt_shm_listener_free(ear);
	if (link)
		link_put(link);
}

static int make_ear(struct aioevt_loop *loop, struct link *link)
{
	struct aioevt_shm_listener *ear;
	int err = aioevt_shm_listener_new(link->shm, &ear);

	if (err < 0) {
		link_put(link);
		return err;
	}
	aioevt_shm_listener_set_spin(ear, loop->always_ns, loop->busy_ns);
	listener_on_close(ear, topic_sub_closed);
	lock(loop);
	loop->ear = ear;
	loop->link = link;
	unlock(loop);
	return 0;
}

/* Only topics with evts are there: those that patterns brought forth went with their subs. */
static int listen_to_all(struct aioevt_loop *loop)
{
	int err = 0;

	for (unsigned b = 0; b < loop->n_buckets && !err; b++)
		for (struct topic *t = loop->topics[b]; t && !err; t = t->next)
			err = topic_listen(t, AIOEVT_SHM_FROM_SEQ, 1);
	return err;
}

/* Numbers begin anew on another bus, and what was emitted to it before is to be read. */
static void forget_numbers(struct aioevt_loop *loop)
{
	struct aioevt_evt *evt;

	lock(loop);
	TAILQ_FOREACH(evt, &loop->evts, in_loop) {
		if (evt->from_seq != UINT64_MAX)
			evt->from_seq = 0;
		if (evt->topic)
			evt->topic->has_gap = true;
	}
	for (unsigned b = 0; b < loop->n_buckets; b++)
		for (struct topic *t = loop->topics[b]; t; t = t->next) {
			t->n_fences = 0;
			t->raise_to = 0;
		}
	unlock(loop);
}

/* Listen on the bus of @link, which is taken over, to all that was listened to on another. */
static int attach_to(struct aioevt_loop *loop, struct link *link)
{
	int err = make_ear(loop, link);

	if (err < 0 || !loop->is_lost)
		return err;
	forget_numbers(loop);
	err = listen_to_all(loop);
	if (err < 0)
		detach(loop);
	else
		loop->is_lost = false;
	return err;
}

int loop_attach(struct aioevt_loop *loop)
{
	struct link *link = link_get(loop->mgr), *stale = link;
	int err;

	ref_get(&stale->refs);
	err = attach_to(loop, link);
	if (err == -ESTALE) {
		err = link_renew(loop->mgr, stale, &link);
		if (!err)
			err = attach_to(loop, link);
	}
	link_put(stale);
	return err;
}

int loop_reattach(struct aioevt_loop *loop)
{
	detach(loop);
	loop->is_lost = true;
	return loop_attach(loop);
}

void aioevt_loop_set_spin(struct aioevt_loop *loop, uint64_t always_ns, uint64_t busy_ns)
{
	if (!loop || manager_check(loop->mgr) < 0 || ear_enter(loop) < 0)
		return;
	loop->always_ns = always_ns;
	loop->busy_ns = busy_ns;
	aioevt_shm_listener_set_spin(loop->ear, always_ns, busy_ns);
	ear_leave(loop);
}

/* ---- running ---------------------------------------------------------------------------- */

static int make_room(struct aioevt_loop *loop, size_t size)
{
	unsigned char *buf = realloc(loop->buf, size);

	if (!buf)
		return -ENOMEM;
	loop->buf = buf;
	loop->buf_size = size;
	return 0;
}

static int read_batch(struct aioevt_loop *loop, struct aioevt_shm_sub *sub)
{
	struct topic *topic = topic_of_sub(loop, sub);
	int n, err = 0;

	if (!topic)
		return -ENOMEM;
	if (!loop->buf)
		err = make_room(loop, FIRST_ROOM);
	if (err < 0)
		return err;
	n = aioevt_shm_read(sub, loop->records, BATCH, loop->buf, loop->buf_size);
	while (n == -ENOBUFS) {
		err = make_room(loop, loop->records[0].size + 8);
		if (err < 0)
			return err;
		n = aioevt_shm_read(sub, loop->records, BATCH, loop->buf, loop->buf_size);
	}
	if (n <= 0)
		return n;
	lock(loop);
	topic->n_pins++;
	loop->batch = topic;
	loop->batch_number = loop->last_number;
	unlock(loop);
	loop->next_record = 0;
	loop->n_records = (unsigned)n;
	return 0;
}

/* Wait until @deadline for a batch. Returns 0 (perhaps with none), -ETIMEDOUT, or an error. */
static int hear(struct aioevt_loop *loop, uint64_t deadline)
{
	struct aioevt_shm_sub *sub;
	int err;

	loop_tidy(loop);
	/* Who wanted to wake this thread before there was a listener: look again first. */
	if (!loop->ear)
		return loop_attach(loop);
	err = aioevt_shm_wait(loop->ear, deadline, &sub);
	if (!err)
		err = read_batch(loop, sub);
	if (err == -ESTALE)
		err = loop_reattach(loop);
	return err == -EINTR ? 0 : err;
}

/* As hear(), but the listener is taken, and not if the loop shall end. */
static int turn(struct aioevt_loop *loop, uint64_t deadline)
{
	uint64_t first;
	bool ends;
	int err = 0;

	enter_when_calm(loop);
	lock(loop);
	first = loop_first_deadline(loop);
	ends = loop->is_stopped || loop->is_dead || !TAILQ_EMPTY(&loop->untold);
	unlock(loop);
	if (!ends)
		err = hear(loop, first < deadline ? first : deadline);
	pthread_mutex_unlock(&loop->ear_lock);
	return err;
}

/* Deadlines count once there is nothing to read that came before them, or are late by so much. */
static void expire(struct aioevt_loop *loop, bool is_idle)
{
	uint64_t first, now;
	bool is_untold;

	lock(loop);
	first = loop_first_deadline(loop);
	is_untold = !TAILQ_EMPTY(&loop->untold);
	unlock(loop);
	if (is_untold)
		loop_tell(loop);
	if (first == AIOEVT_FOREVER)
		return;
	now = clock_ns(CLOCK_MONOTONIC);
	if (!is_idle)
		now -= 100 * AIOEVT_MS;
	if (now >= first)
		loop_expire(loop, now);
}

/* One run's share of work. Returns 1 if there was some, 0, or an error. */
static int step(struct aioevt_loop *loop, uint64_t deadline)
{
	int err = 0;

	if (!loop->batch)
		err = turn(loop, deadline);
	if (loop->batch)
		err = loop_dispatch(loop);
	if (err < 0 && err != -ETIMEDOUT)
		return err;
	expire(loop, err == -ETIMEDOUT);
	return err != -ETIMEDOUT;
}

/* Should the run return? It does so once for each stop. */
static bool take_stop(struct aioevt_loop *loop)
{
	bool ends;

	lock(loop);
	ends = loop->is_stopped || loop->is_dead;
	loop->is_stopped = false;
	unlock(loop);
	return ends;
}

static int run_until(struct aioevt_loop *loop, uint64_t deadline)
{
	bool has_looked = false;	/* the first step may have been to attach */
	int r;

	for (;;) {
		r = step(loop, deadline);
		if (take_stop(loop))
			return 0;
		if (r < 0)
			return r;
		if (deadline != AIOEVT_FOREVER && (!r || has_looked) &&
		    clock_ns(CLOCK_MONOTONIC) >= deadline)
			return -ETIMEDOUT;
		has_looked = true;
	}
}

/* For a foreign loop: some of what there is, without waiting. */
static int run_some(struct aioevt_loop *loop)
{
	int r;

	do {
		r = step(loop, 0);
	} while (r > 0 && loop->n_calls < MAX_CALLS && !take_stop(loop));
	return r < 0 ? r : 0;
}

static int begin(struct aioevt_loop *loop, struct frame *frame)
{
	int err = loop ? manager_check(loop->mgr) : -EINVAL;

	if (err < 0)
		return err;
	lock(loop);
	err = loop_await_teller(loop);
	if (err < 0)
		;
	else if (loop->is_dead)
		err = -ECANCELED;
	else if (loop->is_running)
		err = loop_is_mine(loop) ? -EDEADLK : -EBUSY;
	else
		loop->is_running = true;
	unlock(loop);
	if (err < 0)
		return err;
	aioevt_loop_ref(loop);
	*frame = (struct frame){ .loop = loop, .up = frames };
	frames = frame;
	loop->n_calls = 0;
	return 0;
}

/* Also if the thread is cancelled, or ends, inside a callback. */
static void end(void *arg)
{
	struct aioevt_loop *loop = arg;

	frames = frames->up;
	lock(loop);
	loop->is_running = false;
	loop->running = NULL;
	loop->is_dispatching = false;
	pthread_cond_broadcast(&loop->done);
	loop_sweep(loop);
	unlock(loop);
	loop_tidy_soon(loop);
	pump_abort(loop);
	aioevt_loop_unref(loop);
}

int aioevt_loop_run_until(struct aioevt_loop *loop, uint64_t deadline)
{
	struct frame frame;
	int r = begin(loop, &frame);

	if (r < 0)
		return r == -ECANCELED ? 0 : r;
	pthread_cleanup_push(end, loop);
	r = run_until(loop, deadline);
	loop_tell(loop);
	pthread_cleanup_pop(1);
	return r;
}

int aioevt_loop_run(struct aioevt_loop *loop)
{
	return aioevt_loop_run_until(loop, AIOEVT_FOREVER);
}

int aioevt_loop_on_error(struct aioevt_loop *loop, aioevt_error_fn fn, void *userdata)
{
	int err = loop ? manager_check(loop->mgr) : -EINVAL;

	if (err < 0)
		return err;
	lock(loop);
	loop->on_error = fn;
	loop->on_error_data = userdata;
	unlock(loop);
	return 0;
}

int loop_complain(struct aioevt_loop *loop, int err)
{
	/* in a forked child the lock may be held for ever, and nobody else is there */
	bool has_lock = err != -ECHILD;
	aioevt_error_fn fn;
	void *userdata;

	if (!loop)
		return err;
	if (has_lock)
		lock(loop);
	fn = loop->on_error;
	userdata = loop->on_error_data;
	if (has_lock)
		unlock(loop);
	if (fn)
		fn(loop, err, userdata);
	return err;
}

int aioevt_loop_process(struct aioevt_loop *loop)
{
	struct frame frame;
	int r = begin(loop, &frame);

	if (r < 0)
		return r == -ECANCELED ? 0 : loop_complain(loop, r);
	pthread_cleanup_push(end, loop);
	pump_begin(loop);
	r = run_some(loop);
	loop_tell(loop);
	pump_end(loop, r);
	if (!r)
		r = (int)loop->n_calls;
	pthread_cleanup_pop(1);
	return r < 0 ? loop_complain(loop, r) : r;
}

void aioevt_loop_stop(struct aioevt_loop *loop)
{
	if (!loop || manager_check(loop->mgr) == -ECHILD)
		return;
	lock(loop);
	loop->is_stopped = true;
	if (loop->ear)
		aioevt_shm_listener_wake(loop->ear);
	unlock(loop);
}

/* ---- going ------------------------------------------------------------------------------ */

static bool unlist(struct aioevt_loop *loop)
{
	bool was_listed;

	pthread_mutex_lock(&loop->mgr->lock);
	was_listed = loop->is_listed;
	if (was_listed)
		TAILQ_REMOVE(&loop->mgr->loops, loop, in_manager);
	loop->is_listed = false;
	pthread_mutex_unlock(&loop->mgr->lock);
	return was_listed;
}

int loop_shutdown(struct aioevt_loop *loop)
{
	struct aioevt_evt *evt, *next;
	int err;

	if (!unlist(loop))
		return 0;
	lock(loop);
	loop->is_dead = true;
	for (evt = TAILQ_FIRST(&loop->evts); evt; evt = next) {
		next = TAILQ_NEXT(evt, in_loop);
		evt_cancel(evt);
	}
	err = loop_await_done(loop);
	pump_stop(loop);
	intrude(loop);
	if (loop->ear)
		loop_settle(loop);
	detach(loop);
	ear_leave(loop);
	if (loop_await_told(loop) < 0)
		err = -EDEADLK;
	return err;
}

void loop_discard(struct aioevt_loop *loop)
{
	if (!ref_put(&loop->users))
		return;
	TAILQ_REMOVE(&loop->mgr->loops, loop, in_manager);
	loop->is_listed = false;
	loop_drop(loop);
}

void loop_drop(struct aioevt_loop *loop)
{
	if (!ref_put(&loop->refs))
		return;
	topics_free(loop);
	aioevt_data_unref(loop->data);
	free(loop->buf);
	pump_free(loop->pump);
	pthread_mutex_destroy(&loop->ear_lock);
	pthread_cond_destroy(&loop->calm);
	pthread_mutex_destroy(&loop->lock);
	pthread_cond_destroy(&loop->done);
	manager_unref(loop->mgr);
	free(loop);
}

struct aioevt_loop *aioevt_loop_unref(struct aioevt_loop *loop)
{
	if (!loop || !*loop->mgr->alive || !ref_put(&loop->users))
		return NULL;
	loop_shutdown(loop);
	loop_drop(loop);
	return NULL;
}
