/* SPDX-License-Identifier: MIT */
/*
 * A manager comes and goes. No lock of it is held while a callback runs or a thread sleeps.
 * Order of locks, the outer first: loop->ear_lock, loop->lock, mgr->lock; and the lock of the
 * engine's bus, which is held inside its calls only.
 */
#include "manager.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fork.h"
#include "loop.h"
#include "own.h"
#include "send.h"
#include "waiter.h"

int manager_check(const struct aioevt *mgr)
{
	if (!mgr)
		return -EINVAL;
	if (!*mgr->alive)
		return -ECHILD;
	/* manager_check:A  relaxed: a hint; who closes waits for those it concerns */
	return atomic_load_explicit(&mgr->is_closing, memory_order_relaxed) ? -ESHUTDOWN : 0;
}

/* ---- the bus --------------------------------------------------------------------------- */

static int link_new(const struct aioevt *mgr, struct link **ret_link)
{
	struct link *link = calloc(1, sizeof(*link));
	int err;

	if (!link)
		return -ENOMEM;
	err = aioevt_shm_open(mgr->name, &mgr->config, mgr->shm_flags, &link->shm);
	if (err < 0) {
		free(link);
		return err;
	}
	atomic_init(&link->refs, 1);
	*ret_link = link;
	return 0;
}

void link_put(struct link *link)
{
	if (!ref_put(&link->refs))
		return;
	aioevt_shm_close(link->shm);
	free(link);
}

static struct link *take(struct aioevt *mgr)
{
	ref_get(&mgr->link->refs);
	return mgr->link;
}

struct link *link_get(struct aioevt *mgr)
{
	struct link *link;

	pthread_mutex_lock(&mgr->lock);
	link = take(mgr);
	pthread_mutex_unlock(&mgr->lock);
	return link;
}

int link_renew(struct aioevt *mgr, struct link *stale, struct link **ret_link)
{
	struct link *old = NULL, *link;
	int err = 0;

	pthread_mutex_lock(&mgr->lock);
	if (mgr->link == stale) {
		err = link_new(mgr, &link);
		if (!err) {
			old = mgr->link;
			mgr->link = link;
		}
	}
	if (!err)
		*ret_link = take(mgr);
	pthread_mutex_unlock(&mgr->lock);
	if (old)
		link_put(old);
	return err;
}

/* ---- coming ---------------------------------------------------------------------------- */

struct aioevt *manager_ref(struct aioevt *mgr)
{
	ref_get(&mgr->refs);
	return mgr;
}

void manager_unref(struct aioevt *mgr)
{
	if (!ref_put(&mgr->refs))
		return;
	outlets_free(mgr->outlets);
	if (mgr->link)
		link_put(mgr->link);
	pthread_mutex_destroy(&mgr->lock);
	pthread_cond_destroy(&mgr->changed);
	fork_guard_free(mgr->alive);
	free(mgr->name);
	free(mgr);
}

static void manager_unrefp(struct aioevt **mgr)
{
	if (*mgr)
		manager_unref(*mgr);
}

/* The name that the bus has now, whatever the environment says later. */
static int remember_name(struct aioevt *mgr, const char *name)
{
	if (mgr->shm_flags & AIOEVT_SHM_ANONYMOUS)
		return 0;
	if (!name)
		name = getenv("AIOEVT_BUS");
	mgr->name = strdup(name && *name ? name : "default");
	return mgr->name ? 0 : -ENOMEM;
}

static int init(struct aioevt *mgr, const char *name, const struct aioevt_shm_config *config)
{
	static const struct aioevt_shm_config defaults = AIOEVT_SHM_CONFIG_INIT;
	int err;

	mgr->config = config ? *config : defaults;
	err = remember_name(mgr, name);
	if (!err)
		err = fork_guard_new(&mgr->alive);
	if (!err)
		err = outlets_new(&mgr->outlets);
	if (!err)
		err = link_new(mgr, &mgr->link);
	return err;
}

int aioevt_open(const char *name, const struct aioevt_shm_config *config, uint32_t flags,
		struct aioevt **ret_mgr)
{
	_Static_assert(AIOEVT_EXISTING == AIOEVT_SHM_EXISTING &&
		       AIOEVT_ANONYMOUS == AIOEVT_SHM_ANONYMOUS &&
		       AIOEVT_GROUP == AIOEVT_SHM_GROUP, "the same flags");
	_cleanup_(manager_unrefp) struct aioevt *mgr = NULL;
	int err;

	if (flags & ~(AIOEVT_EXISTING | AIOEVT_ANONYMOUS | AIOEVT_GROUP) ||
	    (config && config->size != sizeof(*config)) || !ret_mgr)
		return -EINVAL;
	mgr = calloc(1, sizeof(*mgr));
	if (!mgr)
		return -ENOMEM;
	atomic_init(&mgr->refs, 1);
	pthread_mutex_init(&mgr->lock, NULL);
	pthread_cond_init(&mgr->changed, NULL);
	TAILQ_INIT(&mgr->loops);
	TAILQ_INIT(&mgr->waits);
	mgr->shm_flags = flags;
	err = init(mgr, name, config);
	if (err < 0)
		return err;

	*ret_mgr = mgr;
	mgr = NULL;
	return 0;
}

/* ---- the loop for those who name none --------------------------------------------------- */

/* Whoever stops it: it runs as long as it is there. An error of the bus is waited out. */
static void *drive(void *arg)
{
	struct aioevt_loop *loop = arg;
	const struct timespec pause = { .tv_nsec = 100000000 };
	int r = 0;

	while (loop_is_alive(loop)) {
		int before = r;

		r = aioevt_loop_run(loop);

		if (r == -ESHUTDOWN)
			break;
		if (r < 0 && r != before)
			loop_complain(loop, r);
		if (r < 0)
			nanosleep(&pause, NULL);
	}
	aioevt_loop_unref(loop);
	return NULL;
}

/* Signals are for the program's own threads. */
int start_thread(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(ret_thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

static int start_own_loop(struct aioevt *mgr, struct aioevt_loop **ret_loop)
{
	struct aioevt_loop *loop;
	int err = loop_make(mgr, &loop);

	if (err < 0)
		return err;
	aioevt_loop_ref(loop);		/* the thread's */
	err = start_thread(&mgr->own_thread, drive, loop);
	if (err < 0) {
		loop_discard(loop);
		loop_discard(loop);
		return err;
	}
	*ret_loop = loop;
	return 0;
}

int manager_pick_loop(struct aioevt *mgr, struct aioevt_loop **ret_loop)
{
	struct aioevt_loop *loop = aioevt_loop_current(mgr);
	int err = 0;

	if (!loop) {
		pthread_mutex_lock(&mgr->lock);
		loop = mgr->default_loop ? mgr->default_loop : mgr->own_loop;
		if (!loop) {
			err = start_own_loop(mgr, &mgr->own_loop);
			loop = mgr->own_loop;
		}
		if (!err)
			aioevt_loop_ref(loop);
		pthread_mutex_unlock(&mgr->lock);
	} else {
		aioevt_loop_ref(loop);
	}
	if (!err)
		*ret_loop = loop;
	return err;
}

int aioevt_set_default_loop(struct aioevt *mgr, struct aioevt_loop *loop)
{
	struct aioevt_loop *old;
	int err = manager_check(mgr);

	if (err < 0)
		return err;
	if (loop && loop->mgr != mgr)
		return -EINVAL;
	if (loop)
		aioevt_loop_ref(loop);
	pthread_mutex_lock(&mgr->lock);
	old = mgr->default_loop;
	mgr->default_loop = loop;
	pthread_mutex_unlock(&mgr->lock);
	aioevt_loop_unref(old);
	return 0;
}

/* ---- going ------------------------------------------------------------------------------ */

/* A loop that is not shut down yet, counted; NULL if there is none. */
static struct aioevt_loop *next_loop(struct aioevt *mgr)
{
	struct aioevt_loop *loop;

	pthread_mutex_lock(&mgr->lock);
	loop = TAILQ_FIRST(&mgr->loops);
	if (loop)
		loop_hold(loop);
	pthread_mutex_unlock(&mgr->lock);
	return loop;
}

/* The thread goes once its loop is shut down; from inside its callback it cannot be waited for. */
static void end_own_thread(struct aioevt *mgr, struct aioevt_loop *own, bool may_wait)
{
	if (!own)
		return;
	if (!may_wait || pthread_equal(mgr->own_thread, pthread_self()))
		pthread_detach(mgr->own_thread);
	else
		pthread_join(mgr->own_thread, NULL);
	aioevt_loop_unref(own);
}

struct aioevt *aioevt_close(struct aioevt *mgr)
{
	struct aioevt_loop *loop, *own;
	bool may_wait = true;

	if (!mgr || !*mgr->alive)
		return NULL;
	/* manager_check:B  relaxed: as A */
	atomic_store_explicit(&mgr->is_closing, true, memory_order_relaxed);
	waits_end(mgr);
	pthread_mutex_lock(&mgr->lock);
	loop = mgr->default_loop;
	mgr->default_loop = NULL;
	own = mgr->own_loop;
	mgr->own_loop = NULL;
	pthread_mutex_unlock(&mgr->lock);
	aioevt_loop_unref(loop);
	while ((loop = next_loop(mgr))) {
		if (loop_shutdown(loop) == -EDEADLK)
			may_wait = false;
		loop_drop(loop);
	}
	end_own_thread(mgr, own, may_wait);
	outlets_close(mgr->outlets);
	manager_unref(mgr);
	return NULL;
}
