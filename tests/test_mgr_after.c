/* SPDX-License-Identifier: MIT */
/* aioevt_emit_after(): in time, in order, when its emitter has ended, taken back. */

#include "mgr.h"

static struct log calls = LOG_INIT;
static struct aioevt *mgr;

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	(void)evt;
	log_call(&calls, *(char *)tag, data);
}

static uint64_t after(uint64_t ms, const char *name, int n)
{
	uint64_t id = 0;

	check_eq(aioevt_emit_after(mgr, ms * AIOEVT_MS, name, AIOEVT_ARGS(n), AIOEVT_NO_KWARGS,
				   &id), 0);
	return id;
}

/* A sleeping loop of its own thread fires them, by name and by pattern; nothing comes early. */
static void test_order(void)
{
	uint64_t start = now_ns(), id;

	mgr = mgr_open();
	check_eq(aioevt_on(mgr, "x", on_call, "x"), 0);
	after(90, "x", 3);
	after(30, "x", 1);
	id = after(45, "x", 9);
	after(60, "x", 2);
	check_eq(aioevt_cancel(mgr, id), 0);
	check_eq(aioevt_cancel(mgr, id), -ENOENT);
	await(&calls.n, 3);
	check(now_ns() - start >= 90 * MS);
	check_log(&calls, "x1 x2 x3");
	check_eq(aioevt_unregister(mgr, "x"), 1);
	check_eq(aioevt_on(mgr, "p.*", on_call, "p"), 0);
	after(20, "p.new", 4);
	await(&calls.n, 1);
	check_log(&calls, "p4");
	mgr = aioevt_close(mgr);
}

static int schedule_and_exit(struct child *me, void *arg)
{
	(void)me, (void)arg;
	mgr = mgr_open();
	after(300, "x", 7);
	return 0;
}

static void test_outlives(void)
{
	struct child child = spawn(schedule_and_exit, NULL);
	struct aioevt_data *data;

	end_child(&child);
	mgr = mgr_open();
	check_eq(aioevt_wait_after(mgr, "x", 3, SOON, &data), 0);
	check_eq(arg_of(data), 7);
	aioevt_data_unref(data);
	mgr = aioevt_close(mgr);
}

/* Callback and timer of a foreign loop: the descriptor tells. */
static void test_fd(void)
{
	struct aioevt_loop *loop;
	struct pollfd pfd;
	uint64_t start;

	mgr = mgr_open();
	loop = loop_of(mgr);
	pfd = (struct pollfd){ .fd = aioevt_loop_get_fd(loop), .events = POLLIN };
	check_eq(aioevt_register(mgr, "x", on_call, "x", loop, 0, NULL), 0);
	run_now(loop);
	start = now_ns();
	after(50, "x", 5);
	while (!calls.n) {
		check_eq(poll(&pfd, 1, 20000), 1);
		check(aioevt_loop_process(loop) >= 0);
		check(now_ns() - start < 20000 * MS);
	}
	check(now_ns() - start >= 50 * MS);
	check(now_ns() - start < 900 * MS);	/* before the re-check would find it */
	check_log(&calls, "x5");
	aioevt_loop_unref(loop);
	mgr = aioevt_close(mgr);
}

static void test_large(void)
{
	static char text[200000];
	struct aioevt_data *data;
	const char *got;

	memset(text, 'y', sizeof(text) - 1);
	mgr = mgr_open();
	check_eq(aioevt_emit_after(mgr, 0, "large", AIOEVT_ARGS(text), AIOEVT_NO_KWARGS, NULL), 0);
	check_eq(aioevt_wait_after(mgr, "large", 0, SOON, &data), 0);
	check_eq(aioevt_get_text(data, 0, NULL, &got, NULL), 0);
	check_str(got, text);
	aioevt_data_unref(data);
	check_eq(aioevt_emit_after(mgr, 0, "a b", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS, NULL), -EINVAL);
	mgr = aioevt_close(mgr);
}

int main(void)
{
	bus_begin();
	test_order();
	test_outlives();
	test_fd();
	test_large();
	return bus_end();
}
