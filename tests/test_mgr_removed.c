/* SPDX-License-Identifier: MIT */
/* The bus is removed under a running manager: all goes on, on the next one, and the gap is told. */

#include "mgr.h"

static struct log calls = LOG_INIT;
static struct aioevt *mgr;

static void emit(struct aioevt *m, const char *name, int n)
{
	check_eq(aioevt_emit(m, name, AIOEVT_ARGS(n), AIOEVT_NO_KWARGS), 0);
}

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	(void)evt;
	log_call(&calls, *(char *)tag, data);
}

static void reg(struct aioevt_loop *loop, const char *name, const char *tag, uint32_t flags)
{
	check_eq(aioevt_register(mgr, name, on_call, (void *)(uintptr_t)tag, loop, flags, NULL), 0);
}

static unsigned n_of(char tag)
{
	unsigned n = 0;

	for (unsigned i = 0; i < calls.n; i++)
		n += calls.calls[i].tag == tag;
	return n;
}

static const struct call *last_of(char tag)
{
	for (unsigned i = calls.n; i--; )
		if (calls.calls[i].tag == tag)
			return &calls.calls[i];
	fprintf(stderr, "%c was not called\n", tag);
	exit(1);
}

static void remove_bus(void)
{
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* It notices by itself, asleep, within a re-check; or when it emits. */
static void test_own_thread(void)
{
	struct aioevt *other;

	mgr = mgr_open();
	reg(NULL, "x", "x", 0);
	reg(NULL, "p.*", "p", AIOEVT_LOSSY);
	emit(mgr, "x", 1);
	await(&calls.n, 1);
	remove_bus();
	other = mgr_open();		/* makes the next */
	emit(other, "x", 2);
	emit(other, "x", 3);
	emit(other, "p.1", 4);
	await(&calls.n, 4);
	check_eq(calls.calls[0].missed, 0);
	for (unsigned i = 1; i < 4; i++)
		check_eq(calls.calls[i].missed,
			 calls.calls[i].arg == 3 ? 0 : AIOEVT_MISSED_UNKNOWN);
	emit(mgr, "x", 5);
	emit(mgr, "p.1", 6);
	await(&calls.n, 6);
	check_eq(calls.calls[4].missed, 0);
	check_eq(calls.calls[5].missed, 0);
	aioevt_close(other);
	calls.n = 0;
	mgr = aioevt_close(mgr);
	remove_bus();
}

/* Who emits is the first to notice, and nobody else makes the bus. */
static void test_emit(void)
{
	struct aioevt_loop *loop;
	struct aioevt_evt *evt;

	mgr = mgr_open();
	loop = loop_of(mgr);
	reg(loop, "x", "a", 0);
	check_eq(aioevt_register(mgr, "y", on_call, "y", loop, AIOEVT_ONCE, &evt), 0);
	emit(mgr, "x", 1);
	run_now(loop);
	remove_bus();
	emit(mgr, "x", 2);
	reg(loop, "x", "b", 0);		/* the loop still is on the old one, or not any more */
	emit(mgr, "x", 3);
	emit(mgr, "y", 4);
	for (uint64_t end = in_ms(20000); (n_of('a') < 3 || !n_of('y')) && now_ns() < end; )
		check(aioevt_loop_process(loop) >= 0);
	check_eq(last_of('a')->arg, 3);
	check_eq(n_of('a'), 3);		/* 1, 2 and 3 */
	check_eq(last_of('b')->arg, 3);
	check_eq(last_of('y')->missed, AIOEVT_MISSED_UNKNOWN);
	check_eq(last_of('a')->missed, 0);
	check_eq(aioevt_evt_status(evt), -ECANCELED);
	aioevt_evt_unref(evt);
	calls.n = 0;
	emit(mgr, "x", 5);
	run_now(loop);
	check_log(&calls, "a5 b5");
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
	remove_bus();
}

/* What a pattern that came later was not to see had numbers of the old bus. */
static void test_fence(void)
{
	struct aioevt_loop *loop;

	mgr = mgr_open();
	loop = loop_of(mgr);
	reg(loop, "x", "a", 0);
	for (int i = 1; i <= 3; i++)
		emit(mgr, "x", i);
	reg(loop, "*", "p", 0);
	remove_bus();
	emit(mgr, "x", 4);
	emit(mgr, "x", 5);
	for (uint64_t end = in_ms(20000); n_of('a') < 2 && now_ns() < end; )
		check(aioevt_loop_process(loop) >= 0);
	run_now(loop);
	check_log(&calls, "a4 p4 a5 p5");
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
	remove_bus();
}

static void *wait_for_it(void *ret)
{
	check_eq(aioevt_wait(mgr, "w", SOON, ret), 0);
	return NULL;
}

static void test_wait(void)
{
	struct aioevt_data *data = NULL;
	struct aioevt *other;
	pthread_t thread;

	mgr = mgr_open();
	check_eq(pthread_create(&thread, NULL, wait_for_it, &data), 0);
	for (uint64_t end = in_ms(20000); !aioevt_n_listeners(mgr, "w"); )
		check(now_ns() < end);
	remove_bus();
	other = mgr_open();
	emit(other, "w", 8);
	pthread_join(thread, NULL);
	check_eq(arg_of(data), 8);
	check_eq(aioevt_data_missed(data), AIOEVT_MISSED_UNKNOWN);
	aioevt_data_unref(data);
	aioevt_close(other);
	mgr = aioevt_close(mgr);
	remove_bus();
}

/* A bus that cannot be made anew: the error is told, and all goes on once it can. */
static void test_cannot(void)
{
	struct aioevt_loop *loop;

	mgr = mgr_open();
	loop = loop_of(mgr);
	reg(loop, "x", "a", 0);
	remove_bus();
	check_eq(symlink("/nowhere", bus_path()), 0);
	for (uint64_t end = in_ms(20000);
	     aioevt_emit(mgr, "x", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS) != -EPERM; )
		check(now_ns() < end);
	for (uint64_t end = in_ms(20000); aioevt_loop_run_until(loop, in_ms(10)) != -EPERM; )
		check(now_ns() < end);
	check_eq(unlink(bus_path()), 0);
	emit(mgr, "x", 1);
	check_eq(aioevt_loop_run_until(loop, in_ms(10)), -ETIMEDOUT);
	check_eq(calls.n, 1);
	check_eq(calls.calls[0].missed, AIOEVT_MISSED_UNKNOWN);
	calls.n = 0;
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
	remove_bus();
}

int main(void)
{
	bus_begin();
	test_own_thread();
	test_emit();
	test_fence();
	test_wait();
	test_cannot();
	return bus_end();
}
