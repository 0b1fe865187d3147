/* SPDX-License-Identifier: MIT */
/*
 * Listeners of one event share a bell. Each is woken by each record, however arming it, ringing it
 * and calling one of them meet: a wake that is lost would cost a second, until the re-check.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bus.h"

#include "futex.h"
#include "listener.h"

#define N_TOGETHER	3u
#define N_ROUNDS	3000u

struct together {
	_Atomic unsigned n_read;	/* in all */
	struct aioevt_shm_listener *_Atomic called;	/* one of them */
	_Atomic bool is_over;		/* all was read */
	_Atomic bool may_free;		/* and nobody wakes the listeners any more */
};

/* Read each record as it comes; all but the last listen to this event and no other. */
static void *read_together(void *arg)
{
	struct together *all = arg;
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_listener *l = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(l, "together", 0), *which;
	struct aioevt_shm_record record;
	uint64_t value;

	if (atomic_fetch_add(&all->n_read, 1) == N_TOGETHER - 1)
		sub_of(l, "another", 0);
	else
		all->called = l;
	for (uint64_t n = 0; n < N_ROUNDS; n++) {
		int err;

		do {
			err = aioevt_shm_wait(l, AIOEVT_SHM_NO_DEADLINE, &which);
		} while (err == -EINTR);
		check_eq(err, 0);
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(value, n);
		check_eq(record.missed, 0);
		atomic_fetch_add(&all->n_read, 1);
	}
	while (!all->may_free)
		sched_yield();
	aioevt_shm_listener_free(l);
	aioevt_shm_close(bus);
	return NULL;
}

/* Wake one of those who share the bell, all the time. */
static void *call_until_over(void *arg)
{
	struct together *all = arg;

	while (!all->is_over)
		aioevt_shm_listener_wake(all->called);
	return NULL;
}

/*
 * One sleeper has looked and is about to sleep; an emitter rings; another sleeper arms the bell
 * again: the first must not sleep. And who leaves his own bell leaves it disarmed.
 */
static void test_meeting(void)
{
	static _Atomic uint32_t bell = UINT32_MAX - 1;	/* the generation wraps */

	for (int i = 0; i < 3; i++) {
		uint32_t first = bell_arm(&bell), second;

		bell_ring(&bell, INT_MAX);
		second = bell_arm(&bell);
		check_eq(futex_wait(&bell, first, now_ns() + 300 * MS), 0);
		check_eq(futex_wait(&bell, second, now_ns() + 2 * MS), -ETIMEDOUT);
		bell_disarm(&bell, second);
		check_eq(atomic_load(&bell) & BELL_ARMED, 0);
		bell_disarm(&bell, first);		/* too late to matter */
		check_eq(atomic_load(&bell), second + 1);
	}
}

/*
 * One of two sleepers is called: it does not sleep with what it armed before; the bell stays armed for
 * the other, and only the bit that is called wakes.
 */
struct sleeper {
	_Atomic uint32_t *bell;
	uint32_t armed, bit;
	_Atomic unsigned is_awake;
};

static void *sleep_once(void *arg)
{
	struct sleeper *me = arg;

	check_eq(futex_wait_bits(me->bell, me->armed, me->bit, now_ns() + 20000 * MS), 0);
	me->is_awake = 1;
	return NULL;
}

static void test_called(void)
{
	static _Atomic uint32_t bell = UINT32_MAX - 1;
	struct sleeper sleeper = { .bell = &bell, .bit = 2 };
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		uint32_t first = bell_arm(&bell);

		bell_call(&bell, 1);
		check_eq(futex_wait_bits(&bell, first, 1, now_ns() + 20000 * MS), 0);
		check(atomic_load(&bell) & BELL_ARMED);
	}
	sleeper.armed = bell_arm(&bell);
	check_eq(pthread_create(&thread, NULL, sleep_once, &sleeper), 0);
	await_sleeper(getpid());
	bell_call(&bell, 1 | 4);
	pass_ms(2);
	check_eq(sleeper.is_awake, 0);
	bell_ring(&bell, INT_MAX);		/* though it fell asleep before the call */
	pthread_join(thread, NULL);
	check_eq(sleeper.is_awake, 1);

	sleeper.armed = bell_arm(&bell);
	check_eq(pthread_create(&thread, NULL, sleep_once, &sleeper), 0);
	await_sleeper(getpid());
	atomic_fetch_add(&bell, 1);		/* who rang it was killed before the wake */
	bell_call(&bell, 2);
	pthread_join(thread, NULL);
}

static void test_together(struct aioevt_shm_event *ev, bool is_called)
{
	struct together all = { 0 };
	pthread_t threads[N_TOGETHER], caller;
	uint64_t slowest = 0;

	for (unsigned i = 0; i < N_TOGETHER; i++)
		check(!pthread_create(&threads[i], NULL, read_together, &all));
	while (atomic_load(&all.n_read) < N_TOGETHER || !all.called)
		sched_yield();
	if (is_called)
		check(!pthread_create(&caller, NULL, call_until_over, &all));
	for (uint64_t n = 0; n < N_ROUNDS; n++) {
		uint64_t start = now_ns(), took;

		emit_u64(ev, n);
		while (atomic_load(&all.n_read) < N_TOGETHER * (n + 2))
			sched_yield();
		took = now_ns() - start;
		slowest = took > slowest ? took : slowest;
	}
	check(slowest < 800 * MS);
	all.is_over = true;
	if (is_called)
		check(!pthread_join(caller, NULL));
	all.may_free = true;
	for (unsigned i = 0; i < N_TOGETHER; i++)
		check(!pthread_join(threads[i], NULL));
}

int main(void)
{
	struct aioevt_shm *bus;
	struct aioevt_shm_event *ev;

	bus_begin();
	alarm(60);
	test_meeting();
	test_called();
	bus = bus_small(64);
	ev = event_of(bus, "together");
	test_together(ev, false);
	test_together(ev, true);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	return bus_end();
}
