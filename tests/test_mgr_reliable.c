/* SPDX-License-Identifier: MIT */
/*
 * Reliable and lossy: who holds emitters up and who is told what it missed; by name and by pattern, and
 * when one comes to, or goes from, the other on the same event.
 */

#include "mgr.h"

#include <sched.h>

#define DEPTH		64

static struct aioevt *mgr;
static struct aioevt_loop *loop;
static unsigned n_calls;
static uint64_t missed;
static int64_t last;

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)arg;
	n_calls++;
	missed += aioevt_data_missed(data);
	last = arg_of(data);
}

static int emit(const char *name, int n)
{
	return aioevt_emit(mgr, name, AIOEVT_ARGS(n), AIOEVT_NO_KWARGS);
}

static struct aioevt_evt *reg(const char *name, uint32_t flags)
{
	struct aioevt_evt *evt;

	check_eq(aioevt_register(mgr, name, on_call, NULL, loop, flags, &evt), 0);
	return evt;
}

static void unreg(struct aioevt_evt *evt)
{
	check_eq(aioevt_evt_unregister(evt), 1);
	aioevt_evt_unref(evt);
}

/* Emit more than a ring holds: how many were taken before it was full. */
static unsigned fill(const char *name)
{
	unsigned n = 0;

	while (n < 3 * DEPTH && !emit(name, (int)n + 1))
		n++;
	return n;
}

static void expect_reliable(const char *name)
{
	n_calls = 0;
	missed = 0;
	check_eq(fill(name), DEPTH);
	check_eq(emit(name, 0), -EAGAIN);
	check_eq(aioevt_emit_wait(mgr, name, AIOEVT_ARGS(0), AIOEVT_NO_KWARGS, in_ms(5)), -EAGAIN);
	run_now(loop);
	check_eq(n_calls, DEPTH);
	check_eq(missed, 0);
	check_eq(last, DEPTH);
	check_eq(emit(name, 0), 0);
	run_now(loop);
}

static void expect_lossy(const char *name)
{
	n_calls = 0;
	missed = 0;
	check_eq(fill(name), 3 * DEPTH);
	run_now(loop);
	check_eq(n_calls, DEPTH);
	check_eq(missed, 2 * DEPTH);
	check_eq(last, 3 * DEPTH);
}

/* While somebody goes back on the same event, again and again, a reliable one misses nothing. */
static _Atomic bool is_over;
static int64_t expected;

static void on_next(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)arg;
	check_eq(aioevt_data_missed(data), 0);
	check_eq(arg_of(data), expected);
	expected++;
}

static void *emit_numbers(void *arg)
{
	(void)arg;
	for (int i = 0; !is_over; i++)
		check_eq(aioevt_emit_wait(mgr, "back", AIOEVT_ARGS(i), AIOEVT_NO_KWARGS, SOON), 0);
	return NULL;
}

static void test_go_back(void)
{
	struct aioevt_evt *a, *b;
	pthread_t thread;

	check_eq(aioevt_register(mgr, "back", on_next, NULL, loop, 0, &a), 0);
	check_eq(pthread_create(&thread, NULL, emit_numbers, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		/* it stands at a full ring, mostly */
		sched_yield();
		check_eq(aioevt_register_after(mgr, "back", expected / 2, on_call, NULL, loop,
					       i % 2 ? AIOEVT_LOSSY : 0, &b), 0);
		check(aioevt_loop_process(loop) >= 0);
		unreg(b);
	}
	is_over = true;
	run_now(loop);
	pthread_join(thread, NULL);
	run_now(loop);
	unreg(a);
}

int main(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_evt *a, *b, *p;

	bus_begin();
	config.depth = DEPTH;
	check_eq(aioevt_open(NULL, &config, 0, &mgr), 0);
	loop = loop_of(mgr);

	a = reg("x", 0);
	expect_reliable("x");
	unreg(a);
	check_eq(fill("x"), 3 * DEPTH);		/* nobody is held up for */

	/* one of each on the same event: both are served as the reliable one has to be */
	a = reg("x", AIOEVT_LOSSY);
	expect_lossy("x");
	b = reg("x", 0);
	n_calls = 0;
	check_eq(fill("x"), DEPTH);
	run_now(loop);
	check_eq(n_calls, 2 * DEPTH);
	unreg(b);
	expect_lossy("x");
	unreg(a);

	/* by pattern, also for events to come */
	p = reg("p.*", AIOEVT_LOSSY);
	check_eq(emit("p.1", 1), 0);
	run_now(loop);
	expect_lossy("p.1");
	a = reg("p.>", 0);
	check_eq(fill("p.1"), DEPTH);
	check_eq(emit("p.2", 1), 0);
	n_calls = 0;
	run_now(loop);
	check_eq(n_calls, 2 * DEPTH + 2);
	check_eq(fill("p.2"), DEPTH);
	run_now(loop);
	unreg(a);
	expect_lossy("p.1");
	expect_lossy("p.2");
	b = reg("p.1", 0);
	check_eq(fill("p.1"), DEPTH);
	run_now(loop);
	unreg(b);
	expect_lossy("p.1");
	unreg(p);
	check_eq(aioevt_n_listeners(mgr, "p.1"), 0);
	test_go_back();

	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
	return bus_end();
}
