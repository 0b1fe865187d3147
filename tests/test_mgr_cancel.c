/* SPDX-License-Identifier: MIT */
/*
 * A thread that is cancelled, or ends, inside a callback: its loop is free, the rest of the records
 * is there for the next who runs it, and who waits for the callback goes on.
 */

#include "mgr.h"

static struct aioevt *mgr;
static struct aioevt_loop *loop;
static _Atomic unsigned n_calls, is_in;
static int64_t last;

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	const char *how = arg;

	(void)evt;
	check_eq(arg_of(data), last + 1);
	last = arg_of(data);
	n_calls++;
	if (last != 2)
		return;
	if (*how == 'e')
		pthread_exit(NULL);
	is_in = 1;
	/* Not pause(2): what a thread that is cancelled in an intercepted call locks after it, the
	 * thread sanitizer does not see. */
	for (;;) {
		pthread_testcancel();
		sched_yield();
	}
}

static void *run(void *arg)
{
	(void)arg;
	aioevt_loop_run(loop);
	return NULL;
}

static void test(const char *how, bool unregister)
{
	struct aioevt_evt *evt;
	pthread_t thread;

	n_calls = is_in = 0;
	last = 0;
	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_register(mgr, "x", on_call, (void *)(uintptr_t)how, loop, 0, &evt), 0);
	for (int i = 1; i <= 5; i++)
		check_eq(aioevt_emit(mgr, "x", AIOEVT_ARGS(i), AIOEVT_NO_KWARGS), 0);
	check_eq(pthread_create(&thread, NULL, run, NULL), 0);
	if (*how == 'c') {
		await(&is_in, 1);
		check_eq(pthread_cancel(thread), 0);
	}
	if (unregister)
		check_eq(aioevt_evt_unregister(evt), 1);	/* waits for the callback */
	pthread_join(thread, NULL);
	check_eq(n_calls, 2);
	run_now(loop);
	check_eq(n_calls, unregister ? 2 : 5);
	check_eq(aioevt_emit(mgr, "x", AIOEVT_ARGS(6), AIOEVT_NO_KWARGS), 0);
	run_now(loop);
	check_eq(n_calls, unregister ? 2 : 6);
	aioevt_evt_unref(evt);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* The same, driven by its descriptor: that tells whoever polls it next. */
static void *process(void *arg)
{
	(void)arg;
	aioevt_loop_process(loop);
	return NULL;
}

static void test_fd(void)
{
	struct pollfd pfd = { .events = POLLIN };
	pthread_t thread;

	n_calls = 0;
	last = 0;
	mgr = mgr_open();
	loop = loop_of(mgr);
	pfd.fd = aioevt_loop_get_fd(loop);
	check_eq(aioevt_register(mgr, "x", on_call, "exit", loop, 0, NULL), 0);
	for (int i = 1; i <= 5; i++)
		check_eq(aioevt_emit(mgr, "x", AIOEVT_ARGS(i), AIOEVT_NO_KWARGS), 0);
	check_eq(pthread_create(&thread, NULL, process, NULL), 0);
	pthread_join(thread, NULL);
	check_eq(n_calls, 2);
	check_eq(poll(&pfd, 1, 0), 1);
	run_now(loop);
	check_eq(n_calls, 5);
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	test("exit", false);
	test("cancel", false);
	test("cancel", true);
	test_fd();
	return bus_end();
}
