/* SPDX-License-Identifier: MIT */
/*
 * A pending aioevt_wait_on() is called exactly once: with an event, at its deadline, or when
 * somebody else ends it, with -ECANCELED and no data; never if its owner ends it by its handle.
 */

#include "mgr.h"

static struct aioevt *mgr;
static struct aioevt_loop *loop;
static _Atomic unsigned is_over;

struct told {
	_Atomic unsigned n, n_data;
	int status;
	pthread_t thread;
};

static void on_end(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct told *told = arg;

	told->status = aioevt_evt_status(evt);
	told->thread = pthread_self();
	told->n_data += data != NULL;
	check(aioevt_loop_current(aioevt_evt_manager(evt)) == aioevt_evt_loop(evt));
	told->n++;
}

static void on_other(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data, (void)arg;
}

static void begin(void)
{
	mgr = mgr_open();
	loop = loop_of(mgr);
}

static void end(void)
{
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

static struct aioevt_evt *wait_on(struct told *told)
{
	struct aioevt_evt *evt = NULL;

	check_eq(aioevt_wait_on(mgr, "job.done", AIOEVT_FOREVER, on_end, told, loop, &evt), 0);
	return evt;
}

static void check_told(const struct told *told, struct aioevt_evt *evt)
{
	check_eq(told->n, 1);
	check_eq(told->n_data, 0);
	check_eq(told->status, -ECANCELED);
	check_eq(aioevt_evt_unregister(evt), 0);
	check_eq(told->n, 1);
	aioevt_evt_unref(evt);
}

/* One component unregisters its own by name: the wait of another goes on. */
static void test_name(void)
{
	struct told told = { 0 };
	struct aioevt_evt *evt;

	begin();
	evt = wait_on(&told);
	check_eq(aioevt_register(mgr, "job.done", on_other, NULL, loop, 0, NULL), 0);
	check_eq(aioevt_unregister(mgr, "job.done"), 1);
	check_eq(aioevt_evt_status(evt), 0);
	check_eq(aioevt_emit(mgr, "job.done", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), 0);
	run_now(loop);
	check_eq(told.n, 1);
	check_eq(told.n_data, 1);
	aioevt_evt_unref(evt);
	end();
}

/* Nobody runs the loop: the thread that ends the wait calls. */
enum by { BY_FN, BY_CLOSE, BY_LOOP };

static void test_idle(enum by by)
{
	struct told told = { 0 };
	struct aioevt_evt *evt;

	begin();
	evt = wait_on(&told);
	if (by == BY_FN)
		check_eq(aioevt_unregister_fn(mgr, on_end), 1);
	else if (by == BY_CLOSE)
		mgr = aioevt_close(mgr);
	else
		loop = aioevt_loop_unref(loop);
	check(told.n && pthread_equal(told.thread, pthread_self()));
	check_told(&told, evt);
	end();
}

/* It is run by another thread, which sleeps: that one calls, before the call that ends it returns. */
static void *run_loop(void *arg)
{
	int r;

	do {
		r = aioevt_loop_run(arg);
	} while (!r && !is_over);
	return NULL;
}

static void test_running(enum by by)
{
	struct told told = { 0 };
	struct aioevt_evt *evt;
	pthread_t runner;

	begin();
	is_over = 0;
	evt = wait_on(&told);
	check_eq(pthread_create(&runner, NULL, run_loop, loop), 0);
	await_sleeper(getpid());
	if (by == BY_FN) {
		check_eq(aioevt_unregister_fn(mgr, on_end), 1);
		check_eq(told.n, 1);
		check(pthread_equal(told.thread, runner));
		is_over = 1;
		aioevt_loop_stop(loop);
	} else {
		is_over = 1;
		mgr = aioevt_close(mgr);
		check_eq(told.n, 1);
	}
	pthread_join(runner, NULL);
	check_told(&told, evt);
	end();
}

/* In a callback of the same loop, which has to return first. */
struct inside {
	struct told told;
	enum by by;
	unsigned n_before;
};

static void end_it(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct inside *inside = arg;

	(void)evt, (void)data;
	if (inside->by == BY_FN)
		check_eq(aioevt_unregister_fn(mgr, on_end), 1);
	else
		mgr = aioevt_close(mgr);
	inside->n_before = inside->told.n;
	aioevt_loop_stop(aioevt_evt_loop(evt));
}

static void test_inside(enum by by, bool is_processed, bool at_deadline)
{
	struct inside inside = { .by = by, .n_before = 7 };
	struct aioevt_evt *evt;

	begin();
	evt = wait_on(&inside.told);
	check_eq(aioevt_wait_on(mgr, "end", at_deadline ? 1 : SOON, end_it, &inside, loop, NULL), 0);
	if (!at_deadline)
		check_eq(aioevt_emit(mgr, "end", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), 0);
	if (is_processed)
		check(aioevt_loop_process(loop) >= 0);
	else
		check_eq(aioevt_loop_run(loop), 0);
	check_eq(inside.n_before, 0);
	check_told(&inside.told, evt);
	end();
}

/* Its owner ends it, also after another has and before it was told. */
static void cancel_both(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	struct aioevt_evt *wait = arg;

	(void)evt, (void)data;
	check_eq(aioevt_unregister_fn(mgr, on_end), 1);
	check_eq(aioevt_evt_unregister(wait), 1);
	check_eq(aioevt_evt_unregister(wait), 0);
}

static void test_owner(void)
{
	struct told told = { 0 };
	struct aioevt_evt *evt;

	begin();
	evt = wait_on(&told);
	check_eq(aioevt_evt_unregister(evt), 1);
	aioevt_evt_unref(evt);
	evt = wait_on(&told);
	check_eq(aioevt_register(mgr, "end", cancel_both, evt, loop, 0, NULL), 0);
	check_eq(aioevt_emit(mgr, "end", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), 0);
	run_now(loop);
	aioevt_evt_unref(evt);
	end();
	check_eq(told.n, 0);
}

/* Waits come and go while others end them: each is told once, or ended by its handle, never both. */
#define N_ROUNDS	300

static void *cancel_until_over(void *arg)
{
	(void)arg;
	while (!is_over)
		check(aioevt_unregister_fn(mgr, on_end) >= 0);
	return NULL;
}

static void *run_until_over(void *arg)
{
	while (!is_over)
		check_eq(aioevt_loop_run_until(arg, aioevt_in_ms(1)) == -EBUSY, 0);
	return NULL;
}

static void test_churn(void)
{
	pthread_t canceller, runner;
	unsigned n_mine = 0;

	is_over = 0;
	begin();
	check_eq(pthread_create(&runner, NULL, run_until_over, loop), 0);
	check_eq(pthread_create(&canceller, NULL, cancel_until_over, NULL), 0);
	for (int i = 0; i < N_ROUNDS; i++) {
		struct told told = { 0 };
		struct aioevt_evt *evt = wait_on(&told);
		int n = aioevt_evt_unregister(evt);

		check_eq(told.n + (unsigned)n, 1);
		n_mine += n;
		aioevt_evt_unref(evt);
	}
	is_over = 1;
	pthread_join(canceller, NULL);
	pthread_join(runner, NULL);
	fprintf(stderr, "%u of %u ended by their owner\n", n_mine, N_ROUNDS);
	end();
}

int main(void)
{
	bus_begin();
	test_name();
	for (enum by by = BY_FN; by <= BY_LOOP; by++)
		test_idle(by);
	for (enum by by = BY_FN; by <= BY_CLOSE; by++) {
		test_running(by);
		for (int how = 0; how < 4; how++)
			test_inside(by, how & 1, how & 2);
	}
	test_owner();
	test_churn();
	return bus_end();
}
