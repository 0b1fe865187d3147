/* SPDX-License-Identifier: MIT */
/*
 * Evts: how they end. Whoever ends one marks it, with loop->lock; the thread of the loop looks at
 * the mark, with the same lock, before each call. It may be amidst the callback: then who ends it
 * waits for that, unless he is inside a callback of that loop himself, or the callback waits for him.
 *
 * A wait (aioevt_wait_on()) that is ended by another than its owner is told so: it is put on
 * loop->untold, and called by the thread that runs the loop between two callbacks; if nobody runs the
 * loop, by the thread that ended it, which has the loop meanwhile (is_telling). A run that begins then
 * waits until it is done. Its owner may take it off that list by aioevt_evt_unregister().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cancel.h"
#include "loop.h"

/* Who waits for whose callbacks: a loop, whose thread is inside a callback, for another loop. */
static pthread_mutex_t waits_lock = PTHREAD_MUTEX_INITIALIZER;

static int compare(const struct aioevt_evt *a, const struct aioevt_evt *b)
{
	if (a->deadline != b->deadline)
		return a->deadline < b->deadline ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

RB_GENERATE(aioevt_timers, aioevt_evt, timer, compare)

uint64_t loop_first_deadline(struct aioevt_loop *loop)
{
	struct aioevt_evt *first = RB_MIN(aioevt_timers, &loop->timers);

	return first ? first->deadline : AIOEVT_FOREVER;
}

/* ---- linking ------------------------------------------------------------------------------ */

void evt_link(struct aioevt_evt *evt, struct topic *topic)
{
	struct aioevt_loop *loop = topic->loop;

	evt->topic = topic;
	evt->number = ++loop->last_number;
	evt->is_linked = true;
	aioevt_evt_ref(evt);
	TAILQ_INSERT_TAIL(&topic->evts, evt, in_topic);
	TAILQ_INSERT_TAIL(&loop->evts, evt, in_loop);
	if (topic->is_pattern)
		TAILQ_INSERT_TAIL(&loop->pattern_evts, evt, in_patterns);
	topic->n_live++;
	topic->n_reliable += !(evt->flags & AIOEVT_LOSSY);
	if (evt->deadline != AIOEVT_FOREVER) {
		evt->is_timed = true;
		RB_INSERT(aioevt_timers, &loop->timers, evt);
	}
}

static void evt_unlink(struct aioevt_evt *evt)
{
	struct topic *topic = evt->topic;
	struct aioevt_loop *loop = evt->loop;

	TAILQ_REMOVE(&topic->evts, evt, in_topic);
	TAILQ_REMOVE(&loop->evts, evt, in_loop);
	if (topic->is_pattern)
		TAILQ_REMOVE(&loop->pattern_evts, evt, in_patterns);
	evt->is_linked = false;
	evt->topic = NULL;
	if (TAILQ_EMPTY(&topic->evts))
		topic_changed(topic);
	aioevt_evt_unref(evt);
}

bool evt_end(struct aioevt_evt *evt, int status)
{
	struct aioevt_loop *loop = evt->loop;
	struct topic *topic = evt->topic;

	if (evt->status)
		return false;
	evt->status = status;
	if (evt->is_timed)
		RB_REMOVE(aioevt_timers, &loop->timers, evt);
	evt->is_timed = false;
	topic->n_live--;
	if (!(evt->flags & AIOEVT_LOSSY) && !--topic->n_reliable)
		topic_changed(topic);
	if (loop->is_dispatching)
		loop->has_dead = true;
	else
		evt_unlink(evt);
	return true;
}

bool evt_cancel(struct aioevt_evt *evt)
{
	if (evt->status)
		return false;
	if (evt->is_wait) {
		aioevt_evt_ref(evt);
		evt->is_untold = true;
		TAILQ_INSERT_TAIL(&evt->loop->untold, evt, in_untold);
	}
	return evt_end(evt, -ECANCELED);
}

bool evt_leave_untold(struct aioevt_evt *evt)
{
	if (!evt->is_untold)
		return false;
	TAILQ_REMOVE(&evt->loop->untold, evt, in_untold);
	evt->is_untold = false;
	aioevt_evt_unref(evt);
	return true;
}

void loop_sweep(struct aioevt_loop *loop)
{
	struct aioevt_evt *evt, *next;

	if (!loop->has_dead || loop->is_dispatching)
		return;
	loop->has_dead = false;
	for (evt = TAILQ_FIRST(&loop->evts); evt; evt = next) {
		next = TAILQ_NEXT(evt, in_loop);
		if (evt->status)
			evt_unlink(evt);
	}
}

/* ---- waiting for a callback ----------------------------------------------------------------- */

/* Would a wait of this thread for @loop close a circle? If not, it is written down. */
static bool may_wait_for(struct aioevt_loop *loop)
{
	struct aioevt_loop *l;
	struct frame *f;

	pthread_mutex_lock(&waits_lock);
	for (l = loop; l && !loop_is_mine(l); l = l->waits_for)
		;
	if (!l)
		for (f = frames; f; f = f->up)
			f->loop->waits_for = loop;
	pthread_mutex_unlock(&waits_lock);
	return !l;
}

static void wait_is_over(void)
{
	pthread_mutex_lock(&waits_lock);
	for (struct frame *f = frames; f; f = f->up)
		f->loop->waits_for = NULL;
	pthread_mutex_unlock(&waits_lock);
}

int loop_await_done(struct aioevt_loop *loop)
{
	struct aioevt_evt *running = loop->running;
	int cancel, err = 0;

	if (running && running->status && !loop_is_mine(loop)) {
		if (!may_wait_for(loop)) {
			unlock(loop);
			return -EDEADLK;
		}
		cancel = cancel_off();
		loop->n_waiting++;
		while (loop->running == running)
			pthread_cond_wait(&loop->done, &loop->lock);
		loop->n_waiting--;
		cancel_on(cancel);
		wait_is_over();
	}
	unlock(loop);
	return err;
}

/* ---- telling waits that they were cancelled -------------------------------------------------- */

/* With loop->lock. There are such waits, or one is being called. */
static bool is_to_be_told(const struct aioevt_loop *loop)
{
	return !TAILQ_EMPTY(&loop->untold) ||
	       (loop->running && loop->running->is_wait && loop->running->status);
}

/* With loop->lock: wait for the end of a callback, or of the run. False: it would close a circle. */
static bool await_change(struct aioevt_loop *loop)
{
	int cancel;

	if (!may_wait_for(loop))
		return false;
	cancel = cancel_off();
	loop->n_waiting++;
	pthread_cond_wait(&loop->done, &loop->lock);
	loop->n_waiting--;
	cancel_on(cancel);
	wait_is_over();
	return true;
}

int loop_await_teller(struct aioevt_loop *loop)
{
	while (loop->is_telling && !loop_is_mine(loop))
		if (!await_change(loop))
			return -EBUSY;
	return 0;
}

/* Also if the thread is cancelled, or ends, inside a callback. */
static void end_telling(void *arg)
{
	struct aioevt_loop *loop = arg;

	frames = frames->up;
	lock(loop);
	loop->is_running = loop->is_telling = false;
	loop->running = NULL;
	loop->is_dispatching = false;
	pthread_cond_broadcast(&loop->done);
	loop_sweep(loop);
	unlock(loop);
	loop_drop(loop);
}

/* Nobody runs the loop: this thread has it for a moment. With loop->lock, which is let go. */
static void tell_from_here(struct aioevt_loop *loop)
{
	struct frame frame = { .loop = loop, .up = frames };

	loop->is_running = loop->is_telling = true;
	unlock(loop);
	loop_hold(loop);
	frames = &frame;
	pthread_cleanup_push(end_telling, loop);
	loop_tell(loop);
	pthread_cleanup_pop(1);
}

int loop_await_told(struct aioevt_loop *loop)
{
	int err = 0;

	lock(loop);
	/* in its own callback: it goes on when that returns */
	if (!loop_is_mine(loop)) {
		while (!err && loop->is_running && is_to_be_told(loop)) {
			aioevt_shm_listener_wake(loop->ear);
			err = await_change(loop) ? 0 : -EDEADLK;
		}
		if (!err && !TAILQ_EMPTY(&loop->untold)) {
			tell_from_here(loop);
			return 0;
		}
	}
	unlock(loop);
	return err;
}

void loop_tidy_soon(struct aioevt_loop *loop)
{
	bool is_needed;

	lock(loop);
	is_needed = !TAILQ_EMPTY(&loop->changed) && !loop->is_dead;
	unlock(loop);
	if (!is_needed)
		return;
	if (pthread_mutex_trylock(&loop->ear_lock)) {
		loop_wake(loop);
		return;
	}
	loop_tidy(loop);
	pthread_mutex_unlock(&loop->ear_lock);
}

/* ---- unregistering -------------------------------------------------------------------------- */

/* What is to be ended: a name, but no waits for it, or a function. */
struct wanted {
	const char *name;
	aioevt_fn fn;
};

static bool is_wanted(const struct aioevt_evt *evt, const struct wanted *wanted)
{
	return wanted->name ? !evt->is_wait && !strcmp(evt->name, wanted->name) :
			      evt->fn == wanted->fn;
}

/* Those of a name are in its topic. */
static int end_wanted(struct aioevt_loop *loop, const struct wanted *wanted)
{
	struct topic *topic = wanted->name ? topic_find(loop, wanted->name) : NULL;
	struct aioevt_evt *evt, *next;
	int n = 0;

	if (wanted->name && !topic)
		return 0;
	for (evt = topic ? TAILQ_FIRST(&topic->evts) : TAILQ_FIRST(&loop->evts); evt; evt = next) {
		next = topic ? TAILQ_NEXT(evt, in_topic) : TAILQ_NEXT(evt, in_loop);
		if (is_wanted(evt, wanted))
			n += evt_cancel(evt);
	}
	return n;
}

/*
 * The loop after @loop in the manager, held; @loop is let go. If that has left the list meanwhile: the
 * first again, so that none is left out.
 */
static struct aioevt_loop *next_loop(struct aioevt *mgr, struct aioevt_loop *loop)
{
	struct aioevt_loop *next;

	pthread_mutex_lock(&mgr->lock);
	if (!loop)
		next = TAILQ_FIRST(&mgr->loops);
	else
		next = loop->is_listed ? TAILQ_NEXT(loop, in_manager) : TAILQ_FIRST(&mgr->loops);
	if (next)
		loop_hold(next);
	pthread_mutex_unlock(&mgr->lock);
	if (loop)
		loop_drop(loop);
	return next;
}

static int unregister(struct aioevt *mgr, const struct wanted *wanted)
{
	struct aioevt_loop *loop = NULL;
	int n = 0, err = manager_check(mgr);

	if (err < 0)
		return err;
	while ((loop = next_loop(mgr, loop))) {
		lock(loop);
		n += end_wanted(loop, wanted);
		if (loop->running && is_wanted(loop->running, wanted)) {
			if (loop_await_done(loop) < 0)
				err = -EDEADLK;
		} else {
			unlock(loop);
		}
		if (wanted->fn && loop_await_told(loop) < 0)
			err = -EDEADLK;
		loop_tidy_soon(loop);
	}
	return err < 0 ? err : n;
}

int aioevt_unregister(struct aioevt *mgr, const char *name)
{
	const struct wanted wanted = { .name = name };

	return !name ? -EINVAL : unregister(mgr, &wanted);
}

int aioevt_unregister_fn(struct aioevt *mgr, aioevt_fn fn)
{
	const struct wanted wanted = { .fn = fn };

	return !fn ? -EINVAL : unregister(mgr, &wanted);
}

int aioevt_evt_unregister(struct aioevt_evt *evt)
{
	struct aioevt_loop *loop;
	int n, err;

	if (!evt)
		return -EINVAL;
	loop = evt->loop;
	err = manager_check(loop->mgr);
	if (err == -ECHILD)
		return err;
	lock(loop);
	n = evt_end(evt, -ECANCELED) || evt_leave_untold(evt);
	err = 0;
	if (loop->running == evt)
		err = loop_await_done(loop);
	else
		unlock(loop);
	loop_tidy_soon(loop);
	return err < 0 ? err : n;
}

/* ---- handles -------------------------------------------------------------------------------- */

struct aioevt_evt *aioevt_evt_ref(struct aioevt_evt *evt)
{
	if (evt)
		ref_get(&evt->refs);
	return evt;
}

struct aioevt_evt *aioevt_evt_unref(struct aioevt_evt *evt)
{
	if (!evt || !ref_put(&evt->refs))
		return NULL;
	loop_drop(evt->loop);
	free(evt);
	return NULL;
}

const char *aioevt_evt_name(const struct aioevt_evt *evt)
{
	return evt ? evt->name : NULL;
}

aioevt_fn aioevt_evt_fn(const struct aioevt_evt *evt)
{
	return evt ? evt->fn : NULL;
}

void *aioevt_evt_userdata(const struct aioevt_evt *evt)
{
	return evt ? evt->userdata : NULL;
}

int aioevt_evt_recurring(const struct aioevt_evt *evt)
{
	return evt && !(evt->flags & AIOEVT_ONCE);
}

struct aioevt_loop *aioevt_evt_loop(const struct aioevt_evt *evt)
{
	return evt ? evt->loop : NULL;
}

struct aioevt *aioevt_evt_manager(const struct aioevt_evt *evt)
{
	return evt ? evt->loop->mgr : NULL;
}

int aioevt_evt_status(const struct aioevt_evt *evt)
{
	int status = evt ? manager_check(evt->loop->mgr) : -EINVAL;

	if (!evt || status == -ECHILD)
		return status;
	lock(evt->loop);
	status = evt->status;
	unlock(evt->loop);
	return status;
}
