/* SPDX-License-Identifier: MIT */
/*
 * A waker and its sleepers, for the raw futex word and for the engine alike: wait until
 * all sleep, take the time, wake, and let each sleeper stamp the moment it had the news.
 * The sleepers sit on both processors in turn, the first not on the waker's.
 *
 * Ordering (writer / reader)
 *   served:A / served:B   release/acquire on sh->served: who sees all served sees their
 *                         stamps.
 */

#include <errno.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES_MAX	500
#define WARM		10
#define IDLE_NS		1000000u

static double samples[SAMPLES_MAX];

void broadcast_served(struct shared *sh, int index)
{
	/* relaxed: published by served:A */
	atomic_store_explicit(&sh->stamps[index], now_ns(), memory_order_relaxed);
	/* served:A  release, pairs with served:B */
	atomic_fetch_add_explicit(&sh->served, 1, memory_order_release);
}

static int await_served(struct shared *sh, uint32_t n)
{
	uint64_t give_up = now_ns() + GIVE_UP_NS;

	/* served:B  acquire, pairs with served:A */
	while (atomic_load_explicit(&sh->served, memory_order_acquire) != n) {
		if (now_ns() > give_up)
			return task_error("sleepers not woken", -ETIMEDOUT);
		if (sh->fig->n > 1)
			usleep(100);	/* half of them need this processor */
	}
	return 0;
}

static double last_stamp(struct shared *sh, uint64_t t0)
{
	uint64_t last = t0, t;
	unsigned i;

	for (i = 1; i <= sh->fig->n; i++) {
		/* relaxed: published by served:A */
		t = atomic_load_explicit(&sh->stamps[i], memory_order_relaxed);
		if (t > last)
			last = t;
	}
	return (double)(last - t0);
}

static unsigned n_samples(const struct shared *sh)
{
	if (sh->arg == BROADCAST_IDLE)
		return bench_count(90);
	return bench_count(sh->fig->n == 1 ? 400 : sh->fig->n <= 8 ? 120 : 30);
}

int broadcast(struct shared *sh, wake_fn wake, void *arg)
{
	unsigned i, n = n_samples(sh), n_sleepers = sh->fig->n;
	uint64_t t0, t1;
	int err;

	for (i = 0; i < WARM + n; i++) {
		tasks_settle(sh, 1, (int)n_sleepers);
		if (sh->arg == BROADCAST_IDLE)
			busy_ns(IDLE_NS);
		t0 = now_ns();
		err = wake(arg, sh, i + 1);
		t1 = now_ns();
		if (err < 0)
			return task_error("wake", err);
		err = await_served(sh, n_sleepers * (i + 1));
		if (err < 0)
			return err;
		samples[i] = sh->arg == BROADCAST_CALL ? (double)(t1 - t0)
						       : last_stamp(sh, t0);
	}
	sh->result = median(samples + WARM, n);
	return wake(arg, sh, QUIT);
}

int broadcast_run(const struct figure *fig, int (*waker)(struct shared *, int),
		  int (*sleeper)(struct shared *, int), enum broadcast what,
		  double *ret_value)
{
	struct task tasks[TASKS_MAX] = { { waker, 0 } };
	unsigned i;

	for (i = 1; i <= fig->n; i++)
		tasks[i] = (struct task){ sleeper, i % 2 ? 1 : 0 };
	return tasks_run(fig, tasks, (int)fig->n + 1, what, ret_value);
}
