/* SPDX-License-Identifier: MIT */
/*
 * For a foreign loop: a descriptor that becomes readable when there is something to do. A thread
 * sleeps on the listener's bell in its place and writes to an eventfd.
 *
 * The thread of the loop, when it has nothing more to read, arms the bell itself (listener_arm())
 * and hands over what to sleep on: so while it is busy nobody rings, and an emit costs no system call.
 * One thread for each such loop rather than one for all with futex_waitv(2): no limit of 128 words, no
 * kernel of 5.16 needed, and they do not wake each other.
 *
 *   n_watches   handed over; the pump has slept for n_done of them
 * A watch may be of a listener that is gone by now: the kernel then finds another word, or none,
 * and the pump wakes for nothing, or at watch.until, a second later at most.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cancel.h"
#include "clock.h"
#include "futex.h"
#include "loop.h"

#define RETRY_NS	(100 * AIOEVT_MS)	/* after an error; after one that lasts, RECHECK_NS */

struct pump {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t handed;
	unsigned n_watches, n_done;
	bool is_asleep, is_stopped;
	bool has_failed;		/* the last process */
	bool is_processed;		/* between pump_begin() and pump_end() */
	struct bell_watch watch;
};

static void signal_fd(struct pump *pump)
{
	const uint64_t one = 1;
	ssize_t n;

	/* EAGAIN: it is readable anyway */
	do {
		n = write(pump->fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
}

static void drain_fd(struct pump *pump)
{
	uint64_t count;
	ssize_t n;

	do {
		n = read(pump->fd, &count, sizeof(count));
	} while (n < 0 && errno == EINTR);
}

static void sleep_for(struct pump *pump)
{
	struct bell_watch watch = pump->watch;

	pump->is_asleep = true;
	pthread_mutex_unlock(&pump->lock);
	futex_wait(watch.word, watch.value, watch.until);
	signal_fd(pump);
	pthread_mutex_lock(&pump->lock);
	pump->is_asleep = false;
}

static void *pump_main(void *arg)
{
	struct pump *pump = arg;

	pthread_mutex_lock(&pump->lock);
	while (!pump->is_stopped) {
		if (pump->n_done == pump->n_watches) {
			pthread_cond_wait(&pump->handed, &pump->lock);
			continue;
		}
		pump->n_done = pump->n_watches;
		sleep_for(pump);
	}
	pthread_mutex_unlock(&pump->lock);
	return NULL;
}

/* ---- for the thread of the loop --------------------------------------------------------------- */

static void hand_over(struct pump *pump, const struct bell_watch *watch)
{
	pthread_mutex_lock(&pump->lock);
	pump->watch = *watch;
	pump->n_watches++;
	pthread_cond_signal(&pump->handed);
	pthread_mutex_unlock(&pump->lock);
}

/* It was called out of turn: what the pump sleeps for is old. */
void pump_begin(struct aioevt_loop *loop)
{
	bool is_asleep;
	int cancel;

	if (!loop->pump)
		return;
	cancel = cancel_off();
	pthread_mutex_lock(&loop->pump->lock);
	is_asleep = loop->pump->is_asleep || loop->pump->n_done != loop->pump->n_watches;
	pthread_mutex_unlock(&loop->pump->lock);
	if (is_asleep)
		loop_wake(loop);
	drain_fd(loop->pump);
	loop->pump->is_processed = true;
	cancel_on(cancel);
}

/* The thread ended in a callback: somebody else shall look. */
void pump_abort(struct aioevt_loop *loop)
{
	int cancel;

	if (!loop->pump || !loop->pump->is_processed || !loop_is_alive(loop))
		return;
	cancel = cancel_off();
	loop->pump->is_processed = false;
	signal_fd(loop->pump);
	cancel_on(cancel);
}

/* Nothing to read: sleep for it. False: there is something, or somebody wants the listener. */
static bool try_to_rest(struct aioevt_loop *loop)
{
	struct aioevt_shm_sub *sub;
	struct bell_watch watch;
	uint64_t first;
	int r = 0;

	if (loop->batch)
		return false;
	pthread_mutex_lock(&loop->ear_lock);
	lock(loop);
	first = loop->is_stopped || loop->is_dead ? 0 : loop_first_deadline(loop);
	unlock(loop);
	/* try_to_rest:A  seq_cst, pairs with intrude:A */
	if (loop->ear && first && !atomic_load(&loop->n_intruders))
		r = listener_arm(loop->ear, &sub, &watch);
	pthread_mutex_unlock(&loop->ear_lock);
	if (r != -ETIMEDOUT)
		return false;
	watch.until = first < watch.until ? first : watch.until;
	hand_over(loop->pump, &watch);
	return true;
}

/* A removed bus was seen to; other errors are tried again after a while. */
void pump_end(struct aioevt_loop *loop, int r)
{
	static _Atomic uint32_t never;
	struct bell_watch retry = { .word = &never };
	bool was_failing;
	int cancel;

	if (!loop->pump || !loop_is_alive(loop))
		return;
	cancel = cancel_off();
	loop->pump->is_processed = false;
	was_failing = loop->pump->has_failed;
	loop->pump->has_failed = r < 0;
	if (r < 0) {
		retry.until = clock_ns(CLOCK_MONOTONIC) +
			      (was_failing ? RECHECK_NS : RETRY_NS);
		hand_over(loop->pump, &retry);
	} else if (!try_to_rest(loop)) {
		signal_fd(loop->pump);
	}
	cancel_on(cancel);
}

/* ---- coming and going --------------------------------------------------------------------------- */

static int pump_new(struct pump **ret_pump)
{
	struct pump *pump = calloc(1, sizeof(*pump));
	int err = 0;

	if (!pump)
		return -ENOMEM;
	pthread_mutex_init(&pump->lock, NULL);
	pthread_cond_init(&pump->handed, NULL);
	pump->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);	/* to begin with, look */
	if (pump->fd < 0)
		err = -errno;
	else
		err = start_thread(&pump->thread, pump_main, pump);
	if (err < 0) {
		if (pump->fd >= 0)
			close(pump->fd);
		free(pump);
		return err;
	}
	*ret_pump = pump;
	return 0;
}

static int make_pump(struct aioevt_loop *loop)
{
	struct pump *pump;
	int err = pump_new(&pump);

	if (err < 0)
		return err;
	lock(loop);
	loop->pump = pump;
	unlock(loop);
	return 0;
}

int aioevt_loop_get_fd(struct aioevt_loop *loop)
{
	int err = loop ? manager_check(loop->mgr) : -EINVAL, cancel;

	if (err < 0)
		return err;
	cancel = cancel_off();
	err = ear_enter(loop);
	if (!err) {
		if (!loop->pump)
			err = make_pump(loop);
		ear_leave(loop);
	}
	cancel_on(cancel);
	return err < 0 ? err : loop->pump->fd;
}

int aioevt_loop_get_events(struct aioevt_loop *loop)
{
	(void)loop;
	return POLLIN;
}

int aioevt_loop_get_timeout(struct aioevt_loop *loop, uint64_t *ret_deadline)
{
	uint64_t first;
	int err = loop && ret_deadline ? manager_check(loop->mgr) : -EINVAL;

	if (err < 0)
		return err;
	lock(loop);
	first = loop_first_deadline(loop);
	if (loop->batch)
		first = 0;
	unlock(loop);
	*ret_deadline = first;
	return 0;
}

void pump_stop(struct aioevt_loop *loop)
{
	struct pump *pump = loop->pump;
	int cancel;

	if (!pump)
		return;
	cancel = cancel_off();
	pthread_mutex_lock(&pump->lock);
	pump->is_stopped = true;
	pthread_cond_signal(&pump->handed);
	pthread_mutex_unlock(&pump->lock);
	loop_wake(loop);
	pthread_join(pump->thread, NULL);
	drain_fd(pump);
	cancel_on(cancel);
}

void pump_free(struct pump *pump)
{
	int cancel;

	if (!pump)
		return;
	cancel = cancel_off();
	close(pump->fd);
	pthread_mutex_destroy(&pump->lock);
	pthread_cond_destroy(&pump->handed);
	free(pump);
	cancel_on(cancel);
}
