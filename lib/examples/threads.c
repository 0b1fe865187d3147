/* SPDX-License-Identifier: MIT */
/*
 * Two threads with a loop each: the main one asks for sums, the other works them out. A callback
 * runs on the thread of its loop and nowhere else, so neither has a lock.
 *
 *	cc threads.c $(pkg-config --cflags --libs aioevt-shm) -pthread
 */
#include <aioevt.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>

static void must(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, aioevt_strerror(result));
}

/* Called on the worker's thread. */
static void on_add(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	int64_t a, b;

	(void)userdata;
	must(aioevt_get_int(data, 0, NULL, &a), "a");
	must(aioevt_get_int(data, 1, NULL, &b), "b");
	must(AIOEVT_EMIT(aioevt_evt_manager(evt), sum, a, b, a + b), "sum");
}

/* Called on the main thread. */
static void on_sum(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	int64_t n[3];
	int *left = userdata;

	for (size_t i = 0; i < 3; i++)
		must(aioevt_get_int(data, i, NULL, &n[i]), "a sum");
	printf("%lld + %lld = %lld\n", (long long)n[0], (long long)n[1], (long long)n[2]);
	if (!--*left)
		aioevt_loop_stop(aioevt_evt_loop(evt));
}

static void *work(void *loop)
{
	must(aioevt_loop_run(loop), "the worker");
	return NULL;
}

int main(void)
{
	struct aioevt_loop *mine, *workers;
	struct aioevt *mgr;
	pthread_t thread;
	int left = 3;

	must(aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &mgr), "bus");
	must(aioevt_loop_new(mgr, &mine), "loop");
	must(aioevt_loop_new(mgr, &workers), "loop");
	must(aioevt_register(mgr, "add", on_add, NULL, workers, 0, NULL), "add");
	must(aioevt_register(mgr, "sum", on_sum, &left, mine, 0, NULL), "sum");

	/* The worker need not run yet: what is emitted waits for it. */
	for (int i = 1; i <= 3; i++)
		must(AIOEVT_EMIT(mgr, add, i, 10 * i), "add");
	if (pthread_create(&thread, NULL, work, workers))
		errx(1, "no thread");
	must(aioevt_loop_run(mine), "run");

	aioevt_loop_stop(workers);
	pthread_join(thread, NULL);
	aioevt_loop_unref(workers);
	aioevt_loop_unref(mine);
	aioevt_close(mgr);
	return 0;
}
