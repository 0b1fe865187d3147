/* SPDX-License-Identifier: MIT */
/* Loops and threads: the manager's own thread, loops that do not run yet, ends in the midst. */

#include "mgr.h"

static struct aioevt *mgr;

static void emit(const char *name, int n)
{
	check_eq(aioevt_emit(mgr, name, AIOEVT_ARGS(n), AIOEVT_NO_KWARGS), 0);
}

struct seen {
	_Atomic unsigned n;
	pthread_t thread;
	struct aioevt_loop *loop;
};

static void on_seen(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct seen *seen = arg;

	(void)data;
	seen->thread = pthread_self();
	seen->loop = aioevt_evt_loop(evt);
	seen->n++;
}

/* Without a loop: one thread of the manager's own, for all that have none. */
static void test_own_thread(void)
{
	struct seen a = { 0 }, b = { 0 };

	mgr = mgr_open();
	check(!aioevt_loop_current(mgr));
	check_eq(aioevt_on(mgr, "a", on_seen, &a), 0);
	check_eq(aioevt_on(mgr, "b.*", on_seen, &b), 0);
	emit("a", 1);
	emit("b.c", 1);
	await(&a.n, 1);
	await(&b.n, 1);
	check(!pthread_equal(a.thread, pthread_self()));
	check(pthread_equal(a.thread, b.thread));
	check(a.loop == b.loop);
	check_eq(aioevt_loop_run(a.loop), -EBUSY);
	mgr = aioevt_close(mgr);
}

static void test_default_loop(void)
{
	struct seen a = { 0 };
	struct aioevt_loop *loop;

	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_set_default_loop(mgr, loop), 0);
	check_eq(aioevt_on(mgr, "a", on_seen, &a), 0);
	emit("a", 1);
	run_now(loop);
	check_eq(a.n, 1);
	check(pthread_equal(a.thread, pthread_self()));
	check_eq(aioevt_set_default_loop(mgr, NULL), 0);
	check_eq(aioevt_on(mgr, "a", on_seen, &a), 0);
	emit("a", 2);
	await(&a.n, 2);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

/* Whoever stops the manager's own loop: its thread goes on for those who rely on it. */
static void stop_it(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	on_seen(evt, data, arg);
	aioevt_loop_stop(aioevt_evt_loop(evt));
}

static void test_own_thread_stopped(void)
{
	struct seen a = { 0 };

	mgr = mgr_open();
	check_eq(aioevt_on(mgr, "a", stop_it, &a), 0);
	for (unsigned i = 1; i <= 5; i++) {
		emit("a", 1);
		await(&a.n, i);
	}
	mgr = aioevt_close(mgr);
}

/* A callback that blocks delays its own loop, and nobody else. */
static void block(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data;
	await(arg, 1);
}

static void test_blocks(void)
{
	_Atomic unsigned may_end = 0;
	struct seen here = { 0 }, there = { 0 };
	struct aioevt_loop *loop;

	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_on(mgr, "a", block, &may_end), 0);
	check_eq(aioevt_on(mgr, "a", on_seen, &there), 0);
	check_eq(aioevt_register(mgr, "a", on_seen, &here, loop, 0, NULL), 0);
	emit("a", 1);
	while (!here.n)
		run_now(loop);
	check_eq(there.n, 0);
	may_end = 1;
	await(&there.n, 1);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

/* Records wait in the ring for a loop that nobody runs yet: no retries. */
static void *run_loop(void *loop)
{
	int r = aioevt_loop_run(loop);

	check(r == 0 || r == -ESHUTDOWN);	/* the manager was closed before it began */
	return NULL;
}

static void test_not_running_yet(void)
{
	struct seen a = { 0 };
	struct aioevt_loop *loop;
	pthread_t thread;

	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_register(mgr, "a", on_seen, &a, loop, 0, NULL), 0);
	for (int i = 0; i < 100; i++)
		emit("a", i);
	check_eq(a.n, 0);
	check_eq(pthread_create(&thread, NULL, run_loop, loop), 0);
	await(&a.n, 100);
	aioevt_loop_stop(loop);
	pthread_join(thread, NULL);
	check_eq(a.n, 100);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

/* Register, emit and unregister on a loop that sleeps, and on one that is flooded. */
static void test_while_running(void)
{
	struct seen flood = { 0 }, a = { 0 };
	struct aioevt_loop *loop;
	struct aioevt_evt *evt;
	pthread_t thread;
	char name[16];

	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(pthread_create(&thread, NULL, run_loop, loop), 0);
	check_eq(aioevt_register(mgr, "flood", on_seen, &flood, loop, AIOEVT_LOSSY, NULL), 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "e%u", i % 7);
		for (int k = 0; k < (i < 100 ? 0 : 200); k++)
			emit("flood", k);
		check_eq(aioevt_register(mgr, name, on_seen, &a, loop, 0, &evt), 0);
		emit(name, (int)i);
		await(&a.n, i + 1);
		check_eq(aioevt_evt_unregister(evt), 1);
		aioevt_evt_unref(evt);
		emit(name, -1);
	}
	emit("flood", 0);
	aioevt_loop_stop(loop);
	pthread_join(thread, NULL);
	run_now(loop);
	check_eq(a.n, 200);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

/* A loop that is freed takes its registrations with it; so does a manager. */
static void test_freed(void)
{
	struct seen a = { 0 };
	struct aioevt_loop *loop;
	struct aioevt_evt *evt, *own;
	pthread_t thread;

	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_register(mgr, "a", on_seen, &a, loop, 0, &evt), 0);
	check_eq(aioevt_register(mgr, "a", on_seen, &a, NULL, 0, &own), 0);
	emit("a", 1);
	await(&a.n, 1);
	check(!aioevt_loop_unref(loop));
	check_eq(aioevt_evt_status(evt), -ECANCELED);
	check_eq(aioevt_evt_unregister(evt), 0);
	check_str(aioevt_evt_name(evt), "a");
	check_eq(aioevt_n_listeners(mgr, "a"), 1);
	aioevt_evt_unref(evt);

	loop = loop_of(mgr);
	check_eq(pthread_create(&thread, NULL, run_loop, loop), 0);
	mgr = aioevt_close(mgr);
	pthread_join(thread, NULL);		/* its run has returned */
	check_eq(aioevt_evt_status(own), -ECANCELED);
	aioevt_evt_unref(own);
	check_eq(aioevt_loop_run(loop), -ESHUTDOWN);
	check(!aioevt_loop_unref(loop));
}

static void stop_and_unref(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct aioevt_loop **loop = arg;

	(void)evt, (void)data;
	*loop = aioevt_loop_unref(*loop);
}

/* The last reference of its user goes inside a callback: it is freed when the run ends. */
static void test_unref_inside(void)
{
	struct aioevt_loop *loop, *mine;

	mgr = mgr_open();
	loop = loop_of(mgr);
	mine = loop;
	check_eq(aioevt_register(mgr, "a", stop_and_unref, &mine, loop, 0, NULL), 0);
	emit("a", 1);
	check_eq(aioevt_loop_run_until(loop, aioevt_in_ms(20)), -ETIMEDOUT);
	check(!mine);
	check_eq(aioevt_n_listeners(mgr, "a"), 0);
	mgr = aioevt_close(mgr);
}

/* A callback runs the loop that it is called by. */
static void run_inside(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct seen *seen = arg;

	(void)data;
	check_eq(aioevt_loop_run(aioevt_evt_loop(evt)), -EDEADLK);
	check_eq(aioevt_loop_process(aioevt_evt_loop(evt)), -EDEADLK);
	seen->n++;
}

/* Another loop may be run inside of a callback, even of the same manager. */
static void run_other(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct aioevt_loop *loop = arg, *outer = aioevt_evt_loop(evt);

	(void)data;
	check(aioevt_loop_current(mgr) == outer);
	check_eq(aioevt_loop_run_until(loop, aioevt_in_ms(5)), -ETIMEDOUT);
	check(aioevt_loop_current(mgr) == outer);
	aioevt_loop_stop(outer);
}

static void test_nested(void)
{
	struct aioevt_loop *loop, *inner;
	struct seen a = { 0 };

	mgr = mgr_open();
	loop = loop_of(mgr);
	inner = loop_of(mgr);
	check_eq(aioevt_register(mgr, "a", run_inside, &a, inner, 0, NULL), 0);
	check_eq(aioevt_register(mgr, "a", run_other, inner, loop, 0, NULL), 0);
	emit("a", 1);
	check_eq(aioevt_loop_run(loop), 0);
	check_eq(a.n, 1);
	aioevt_loop_unref(loop);
	aioevt_loop_unref(inner);
	mgr = aioevt_close(mgr);
}

/* Many threads emit the same event and others of their own: each arrives, in order for each. */
#define N_THREADS	6
#define N_EACH		3000

static _Atomic unsigned n_arrived;
static int64_t newest[N_THREADS];

static void on_many(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	int64_t who = arg_of(data), n;

	(void)evt, (void)arg;
	check_eq(aioevt_get_int(data, 1, NULL, &n), 0);
	check_eq(n, newest[who] + 1);
	newest[who] = n;
	n_arrived++;
}

static void *emit_many(void *arg)
{
	char name[16];

	for (int i = 1; i <= N_EACH; i++) {
		snprintf(name, sizeof(name), "own%d.%d", (int)(intptr_t)arg, i % 20);
		check_eq(aioevt_emit(mgr, name, AIOEVT_ARGS(i), AIOEVT_NO_KWARGS), 0);
		check_eq(aioevt_emit_wait(mgr, "many", AIOEVT_ARGS((int)(intptr_t)arg, i),
					  AIOEVT_NO_KWARGS, SOON), 0);
	}
	return NULL;
}

static void test_many_threads(void)
{
	pthread_t threads[N_THREADS];

	mgr = mgr_open();
	check_eq(aioevt_on(mgr, "many", on_many, NULL), 0);
	for (intptr_t i = 0; i < N_THREADS; i++)
		check_eq(pthread_create(&threads[i], NULL, emit_many, (void *)i), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	await(&n_arrived, N_THREADS * N_EACH);
	mgr = aioevt_close(mgr);
}

int main(void)
{
	bus_begin();
	test_own_thread();
	test_own_thread_stopped();
	test_blocks();
	test_default_loop();
	test_not_running_yet();
	test_while_running();
	test_freed();
	test_unref_inside();
	test_nested();
	test_many_threads();
	return bus_end();
}
