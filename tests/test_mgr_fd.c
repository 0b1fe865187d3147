/* SPDX-License-Identifier: MIT */
/* The descriptor of a loop: readable when there is something to do, quiet when not, and to its end. */

#include "mgr.h"

static struct log calls = LOG_INIT;
static struct aioevt *mgr;
static struct aioevt_loop *loop;
static int fd;

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	(void)evt;
	log_call(&calls, *(char *)tag, data);
}

static void emit(const char *name, int n)
{
	check_eq(aioevt_emit(mgr, name, AIOEVT_ARGS(n), AIOEVT_NO_KWARGS), 0);
}

static bool is_readable(int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = (short)aioevt_loop_get_events(loop) };

	check(poll(&pfd, 1, timeout_ms) >= 0);
	return pfd.revents & POLLIN;
}

/* Process until it rests. */
static void settle(void)
{
	while (is_readable(0))
		check(aioevt_loop_process(loop) >= 0);
}

static void test_quiet(void)
{
	uint64_t deadline = 0;

	settle();
	check(!is_readable(30));
	check_eq(aioevt_loop_get_timeout(loop, &deadline), 0);
	check(deadline == AIOEVT_FOREVER);
	check_eq(aioevt_register(mgr, "x", on_call, "x", loop, 0, NULL), 0);
	check(is_readable(20000));		/* to look for what may be there */
	settle();
	emit("other", 1);
	check(!is_readable(30));
	emit("x", 1);
	check(is_readable(20000));
	check_eq(calls.n, 0);			/* nothing runs by itself */
	settle();
	check_log(&calls, "x1");
}

/* More than one process() takes: it stays readable, and nothing is lost. */
static void test_many(void)
{
	char want[16];
	int calls_at_once, n = 0;

	check_eq(aioevt_unregister(mgr, "x"), 1);
	check_eq(aioevt_register(mgr, "x", on_call, "y", loop, 0, NULL), 0);
	settle();
	for (int i = 0; i < 1000; i++)
		emit("x", i);
	while (n < 1000) {
		check(is_readable(20000));
		calls_at_once = aioevt_loop_process(loop);
		check(calls_at_once >= 0 && calls_at_once < 1000);
		n += calls_at_once;
		for (unsigned i = 0; i < calls.n; i++)
			check_eq(calls.calls[i].arg, n - (int)calls.n + (int)i);
		calls.n = 0;
	}
	settle();
	check(!is_readable(0));
	snprintf(want, sizeof(want), "y%d", 1);
	emit("x", 1);
	check(is_readable(20000));
	settle();
	check_log(&calls, want);
}

/* A deadline, also one that is set by another thread while it rests. */
static void *wait_on_later(void *arg)
{
	(void)arg;
	check_eq(aioevt_wait_on(mgr, "never", aioevt_in_ms(20), on_call, "t", loop, NULL), 0);
	return NULL;
}

static void test_deadline(void)
{
	uint64_t start = now_ns();
	pthread_t thread;

	settle();
	check_eq(pthread_create(&thread, NULL, wait_on_later, NULL), 0);
	while (!calls.n) {
		check(is_readable(20000));
		check(aioevt_loop_process(loop) >= 0);
		check(now_ns() - start < 900 * MS);	/* not by the re-check */
	}
	check(now_ns() - start >= 20 * MS);
	pthread_join(thread, NULL);
	check_log(&calls, "t-1");
}

static void test_stop(void)
{
	settle();
	aioevt_loop_stop(loop);
	check(is_readable(20000));
	settle();
	check(!is_readable(0));
}

/* Called out of turn, while the pump sleeps: it sees what comes after. */
static void test_out_of_turn(void)
{
	settle();
	for (int i = 0; i < 50; i++) {
		check(aioevt_loop_process(loop) >= 0);
		emit("x", i);
		while (!calls.n) {
			check(is_readable(900));	/* before the re-check */
			check(aioevt_loop_process(loop) >= 0);
		}
		calls.n = 0;
	}
}

/* Closed under a foreign loop that polls it still: quiet, and its own. */
static void test_closed(void)
{
	settle();
	emit("x", 5);
	mgr = aioevt_close(mgr);
	check(!is_readable(20));
	check_eq(aioevt_loop_process(loop), -ESHUTDOWN);
	check_eq(aioevt_loop_get_fd(loop), -ESHUTDOWN);
	aioevt_loop_unref(loop);
	check_eq(calls.n, 0);
}

static void begin(void)
{
	mgr = mgr_open();
	loop = loop_of(mgr);
	fd = aioevt_loop_get_fd(loop);
	check(fd >= 0);
	check_eq(aioevt_loop_get_fd(loop), fd);
}

static void close_it(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data, (void)arg;
	mgr = aioevt_close(mgr);
}

static void test_closed_inside(void)
{
	begin();
	check_eq(aioevt_register(mgr, "x", close_it, NULL, loop, 0, NULL), 0);
	emit("x", 1);
	while (mgr)
		check(aioevt_loop_process(loop) >= 0);
	check(!is_readable(20));
	aioevt_loop_unref(loop);
}

/* The pump sleeps at the bell of the old bus when the loop, out of turn, finds itself on another. */
static void test_other_bus(void)
{
	uint64_t start;

	begin();
	check_eq(aioevt_register(mgr, "x", on_call, "x", loop, 0, NULL), 0);
	settle();
	start = now_ns();
	check_eq(aioevt_shm_unlink(NULL), 0);
	check(aioevt_loop_process(loop) >= 0);
	emit("x", 1);
	while (!calls.n) {
		check(is_readable(20000));
		check(aioevt_loop_process(loop) >= 0);
	}
	check(now_ns() - start < 900 * MS);
	calls.n = 0;
	mgr = aioevt_close(mgr);
	aioevt_loop_unref(loop);
}

/* What is held already when somebody registers for it, while the loop rests. */
static void test_held(void)
{
	uint64_t start;

	begin();
	for (int i = 1; i <= 3; i++)
		emit("held", i);
	settle();
	start = now_ns();
	check_eq(aioevt_register_after(mgr, "held", 0, on_call, "h", loop, 0, NULL), 0);
	while (calls.n < 3) {
		check(is_readable(20000));
		check(aioevt_loop_process(loop) >= 0);
	}
	check(now_ns() - start < 700 * MS);	/* not by the re-check */
	check_log(&calls, "h1 h2 h3");
	mgr = aioevt_close(mgr);
	aioevt_loop_unref(loop);
}

int main(void)
{
	bus_begin();
	begin();
	test_quiet();
	test_many();
	test_deadline();
	test_stop();
	test_out_of_turn();
	test_closed();
	test_closed_inside();
	test_held();
	test_other_bus();
	return bus_end();
}
