/* SPDX-License-Identifier: MIT */
/* Registering and emitting on one thread: who is called, in which order, how often, with what. */

#include "mgr.h"

static struct log calls = LOG_INIT;
static struct aioevt *mgr;
static struct aioevt_loop *loop;

static void emit(const char *name, int n)
{
	check_eq(aioevt_emit(mgr, name, AIOEVT_ARGS(n), AIOEVT_NO_KWARGS), 0);
}

static void on_a(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	(void)evt;
	log_call(&calls, *(char *)tag, data);
}

static void on_b(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	on_a(evt, data, tag);
}

static struct aioevt_evt *reg(const char *name, aioevt_fn fn, const char *tag, uint32_t flags)
{
	struct aioevt_evt *evt = NULL;

	check_eq(aioevt_register(mgr, name, fn, (void *)(uintptr_t)tag, loop, flags, &evt), 0);
	return evt;
}

/* Registered, not wanted as a handle. */
static void reg_only(const char *name, aioevt_fn fn, const char *tag, uint32_t flags)
{
	check(!aioevt_evt_unref(reg(name, fn, tag, flags)));
}

static void expect(const char *expected)
{
	run_now(loop);
	check_log(&calls, expected);
}

static void begin(void)
{
	mgr = mgr_open();
	loop = loop_of(mgr);
}

static void end(void)
{
	check(!aioevt_loop_unref(loop));
	check(!aioevt_close(mgr));
	make_bus();
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_order(void)
{
	begin();
	emit("x", 0);			/* before anybody has registered */
	reg_only("x", on_a, "a", 0);
	reg_only("x", on_b, "b", 0);
	emit("x", 1);
	reg_only("x", on_a, "c", 0);	/* not for what was emitted before */
	emit("y", 7);
	emit("x", 2);
	expect("a1 b1 a2 b2 c2");
	emit("x", 3);
	expect("a3 b3 c3");
	end();
}

static void test_once(void)
{
	struct aioevt_evt *evt;

	begin();
	evt = reg("x", on_a, "o", AIOEVT_ONCE);
	check(!aioevt_evt_recurring(evt));
	check_eq(aioevt_evt_status(evt), 0);
	reg_only("x", on_a, "a", 0);
	emit("x", 1);
	emit("x", 2);
	expect("o1 a1 a2");
	check_eq(aioevt_evt_status(evt), -ECANCELED);
	check_eq(aioevt_evt_unregister(evt), 0);
	aioevt_evt_unref(evt);
	end();
}

static void test_unregister(void)
{
	struct aioevt_evt *evt;

	begin();
	evt = reg("x", on_a, "a", 0);
	check_str(aioevt_evt_name(evt), "x");
	check(aioevt_evt_fn(evt) == on_a);
	check(aioevt_evt_loop(evt) == loop);
	check(aioevt_evt_manager(evt) == mgr);
	check_eq(aioevt_evt_recurring(evt), 1);
	check_str(aioevt_evt_userdata(evt), "a");
	reg_only("x", on_b, "b", 0);
	reg_only("y", on_b, "c", 0);
	reg_only("y", on_a, "d", 0);
	emit("x", 1);
	check_eq(aioevt_evt_unregister(evt), 1);
	check_eq(aioevt_evt_unregister(evt), 0);
	aioevt_evt_unref(evt);
	emit("y", 2);
	expect("b1 c2 d2");
	check_eq(aioevt_unregister_fn(mgr, on_b), 2);
	emit("x", 3);
	emit("y", 4);
	expect("d4");
	check_eq(aioevt_unregister(mgr, "y"), 1);
	check_eq(aioevt_unregister(mgr, "y"), 0);
	check_eq(aioevt_unregister(mgr, "never"), 0);
	emit("y", 5);
	expect("");
	check_eq(aioevt_n_listeners(mgr, "x"), 0);
	check_eq(aioevt_n_listeners(mgr, "y"), 0);
	reg_only("y", on_a, "e", 0);
	check_eq(aioevt_n_listeners(mgr, "y"), 1);
	emit("y", 6);
	expect("e6");
	end();
}

static void test_patterns(void)
{
	begin();
	reg_only("job.*", on_a, "p", 0);
	reg_only("job.1", on_a, "n", 0);
	reg_only(">", on_a, "g", 0);
	emit("job.1", 1);
	emit("job.2", 2);
	expect("p1 n1 g1 p2 g2");
	emit("job.1", 3);
	reg_only("job.>", on_a, "q", 0);	/* after 3 was emitted, before it is read */
	emit("job.1", 4);
	expect("p3 n3 g3 p4 n4 g4 q4");
	check_eq(aioevt_unregister(mgr, "job.1"), 1);
	emit("job.1", 5);
	expect("p5 g5 q5");
	check_eq(aioevt_unregister(mgr, "job.*"), 1);
	check_eq(aioevt_unregister(mgr, ">"), 1);
	emit("job.1", 6);
	emit("other", 7);
	expect("q6");
	reg_only("job.1", on_a, "m", 0);
	emit("job.1", 8);
	expect("q8 m8");
	check_eq(aioevt_unregister(mgr, "job.>"), 1);
	emit("job.1", 9);
	emit("job.2", 10);
	expect("m9");
	check_eq(aioevt_unregister(mgr, "job.1"), 1);
	check_eq(aioevt_n_listeners(mgr, "job.1"), 0);
	end();
}

/* A pattern's event has something to read when its name is registered. */
static void test_name_under_pattern(void)
{
	begin();
	reg_only("job.*", on_a, "p", AIOEVT_LOSSY);
	emit("job.1", 1);
	expect("p1");
	emit("job.1", 2);
	reg_only("job.1", on_a, "n", 0);
	emit("job.1", 3);
	expect("p2 p3 n3");
	end();
}

static void test_after(void)
{
	struct aioevt_evt *evt;

	begin();
	for (int i = 1; i <= 5; i++)
		emit("x", i);
	reg_only("x", on_a, "a", 0);
	reg_only("*", on_a, "p", 0);
	emit("x", 6);
	check_eq(aioevt_register_after(mgr, "x", 3, on_a, "c", loop, 0, &evt), 0);
	expect("c4 c5 a6 p6 c6");
	aioevt_evt_unref(evt);
	check_eq(aioevt_register_after(mgr, "x", 4, on_a, "d", loop, 0, NULL), 0);
	emit("x", 7);
	expect("d5 d6 a7 p7 c7 d7");
	check_eq(aioevt_register_after(mgr, "x", 7, on_a, "e", loop, 0, NULL), 0);
	emit("x", 8);
	expect("a8 p8 c8 d8 e8");
	check_eq(aioevt_register_after(mgr, "x.*", 7, on_a, "e", loop, 0, NULL), -EINVAL);
	check_eq(aioevt_register_after(mgr, "x", UINT64_MAX, on_a, "e", loop, 0, NULL), -EINVAL);
	end();
}

/* Who goes back while records are in hand: nobody loses one, or gets one twice. */
static void go_back_at_2(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	on_a(evt, data, tag);
	if (arg_of(data) != 2)
		return;
	check_eq(aioevt_register_after(mgr, "x", 1, on_a, "c", loop, 0, NULL), 0);
	check_eq(aioevt_register_after(mgr, "x", 0, on_a, "d", loop, 0, NULL), 0);
}

static void test_after_inside(void)
{
	begin();
	reg_only("x", go_back_at_2, "a", 0);
	reg_only("x", on_a, "b", 0);
	reg_only("*", on_a, "p", 0);
	for (int i = 1; i <= 4; i++)
		emit("x", i);
	expect("a1 b1 p1 a2 b2 p2 a3 b3 p3 a4 b4 p4 d1 c2 d2 c3 d3 c4 d4");
	emit("x", 5);
	expect("a5 b5 p5 c5 d5");
	end();
}

/* More than a batch, and stopped in between. */
static void stop_at_3(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	on_a(evt, data, tag);
	if (arg_of(data) == 3)
		aioevt_loop_stop(aioevt_evt_loop(evt));
}

static void test_stop(void)
{
	begin();
	reg_only("x", stop_at_3, "a", 0);
	reg_only("x", on_a, "b", 0);
	for (int i = 1; i <= 5; i++)
		emit("x", i);
	check_eq(aioevt_loop_run(loop), 0);
	check_log(&calls, "a1 b1 a2 b2 a3 b3");
	expect("a4 b4 a5 b5");
	aioevt_loop_stop(loop);		/* before a run: that one returns */
	check_eq(aioevt_loop_run(loop), 0);
	emit("x", 6);
	expect("a6 b6");
	end();
}

/* ---- what a callback does ------------------------------------------------------------------- */

static void emit_again(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	on_a(evt, data, tag);
	if (arg_of(data) < 3)
		emit(aioevt_evt_name(evt), (int)arg_of(data) + 1);
}

static struct aioevt_evt *other;

static void end_other(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	on_a(evt, data, tag);
	check_eq(aioevt_evt_unregister(other), 1);
	check_eq(aioevt_evt_unregister(evt), 1);
	check_eq(aioevt_evt_status(evt), -ECANCELED);
	reg_only("x", on_b, "n", 0);
}

static void test_inside(void)
{
	begin();
	reg_only("x", emit_again, "a", 0);
	reg_only("x", on_a, "b", 0);
	emit("x", 1);
	expect("a1 b1 a2 b2 a3 b3");
	check_eq(aioevt_unregister(mgr, "x"), 2);

	reg_only("x", end_other, "e", 0);
	other = reg("x", on_a, "o", 0);
	emit("x", 1);
	emit("x", 2);			/* was emitted before n was registered */
	expect("e1");
	emit("x", 3);
	expect("n3");
	aioevt_evt_unref(other);
	end();
}

static void keep(struct aioevt_evt *evt, struct aioevt_data *data, void *kept)
{
	(void)evt;
	*(struct aioevt_data **)kept = aioevt_data_ref(data);
}

static void test_keep(void)
{
	struct aioevt_data *kept = NULL;

	begin();
	check_eq(aioevt_register(mgr, "x", keep, &kept, loop, AIOEVT_ONCE, NULL), 0);
	reg_only("x", on_a, "a", 0);
	emit("x", 1);
	emit("x", 2);
	expect("a1 a2");
	check(kept != NULL);
	check_eq(arg_of(kept), 1);	/* not overwritten by the second */
	check_str(aioevt_data_event(kept), "x");
	check_eq(aioevt_data_seq(kept), 1);
	end();
	check_eq(arg_of(kept), 1);	/* nor gone with the manager */
	aioevt_data_unref(kept);
}

static void close_it(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	on_a(evt, data, tag);
	mgr = aioevt_close(aioevt_evt_manager(evt));
	check_eq(aioevt_evt_status(evt), -ECANCELED);
}

static void test_close_inside(void)
{
	begin();
	reg_only("x", on_a, "a", 0);
	reg_only("x", close_it, "c", 0);
	reg_only("x", on_a, "b", 0);
	emit("x", 1);
	emit("x", 2);
	check_eq(aioevt_loop_run(loop), 0);
	check_log(&calls, "a1 c1");
	check_eq(aioevt_loop_run(loop), -ESHUTDOWN);
	check(!aioevt_loop_unref(loop));
	make_bus();
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- waits of a loop -------------------------------------------------------------------------- */

static void on_wait(struct aioevt_evt *evt, struct aioevt_data *data, void *tag)
{
	log_call(&calls, *(char *)tag, data);
	check_eq(aioevt_evt_status(evt), data ? -ECANCELED : -ETIMEDOUT);
	aioevt_loop_stop(aioevt_evt_loop(evt));
}

static void wait_on(const char *name, uint64_t deadline, const char *tag)
{
	check_eq(aioevt_wait_on(mgr, name, deadline, on_wait, (void *)(uintptr_t)tag, loop, NULL),
		 0);
}

static void test_wait_on(void)
{
	uint64_t start = now_ns();

	begin();
	wait_on("x", aioevt_in_ms(60000), "l");
	wait_on("x", aioevt_in_ms(60), "s");
	wait_on("y", aioevt_in_ms(30), "t");
	check_eq(aioevt_loop_run(loop), 0);
	check(now_ns() - start >= 30 * MS);
	check_log(&calls, "t-1");
	check_eq(aioevt_loop_run(loop), 0);
	check(now_ns() - start >= 60 * MS);
	check_log(&calls, "s-1");
	check_eq(aioevt_n_listeners(mgr, "y"), 0);
	emit("x", 1);
	emit("x", 2);
	check_eq(aioevt_loop_run(loop), 0);
	check_log(&calls, "l1");
	/* what came before the deadline is no timeout, however late it is looked at */
	wait_on("x", aioevt_in_ms(1), "c");
	emit("x", 3);
	pass_ms(5);
	check_eq(aioevt_loop_run(loop), 0);
	check_log(&calls, "c3");
	run_now(loop);
	check_eq(aioevt_n_listeners(mgr, "x"), 0);
	end();
}

/* ---- what is refused -------------------------------------------------------------------------- */

static void test_refuse(void)
{
	struct aioevt *m2;

	begin();
	m2 = mgr_open();
	check_eq(aioevt_register(mgr, "", on_a, NULL, loop, 0, NULL), -EINVAL);
	check_eq(aioevt_register(mgr, "a b", on_a, NULL, loop, 0, NULL), -EINVAL);
	check_eq(aioevt_register(mgr, "x", NULL, NULL, loop, 0, NULL), -EINVAL);
	check_eq(aioevt_register(mgr, "x", on_a, NULL, loop, 1u << 30, NULL), -EINVAL);
	check_eq(aioevt_register(m2, "x", on_a, NULL, loop, 0, NULL), -EINVAL);
	check_eq(aioevt_emit(mgr, "x.*", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), -EINVAL);
	check_eq(aioevt_emit(mgr, "", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), -EINVAL);
	check_eq(aioevt_open("a/b", NULL, 0, &m2), -EINVAL);
	check_eq(aioevt_open(NULL, NULL, 1u << 30, &m2), -EINVAL);
	check_eq(aioevt_open("none", NULL, AIOEVT_EXISTING, &m2), -ENOENT);
	aioevt_close(m2);
	end();
}

/* Two managers of one process on one bus, and one of a bus that nobody else has. */
static void test_two(void)
{
	struct aioevt *m2, *m3;

	begin();
	m2 = mgr_open();
	check_eq(aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &m3), 0);
	reg_only("x", on_a, "a", 0);
	check_eq(aioevt_emit(m2, "x", AIOEVT_ARGS(1), AIOEVT_NO_KWARGS), 0);
	check_eq(aioevt_emit(m3, "x", AIOEVT_ARGS(2), AIOEVT_NO_KWARGS), 0);
	expect("a1");
	check_eq(aioevt_unregister(m2, "x"), 0);	/* it is not m2's */
	aioevt_close(m2);
	aioevt_close(m3);
	emit("x", 3);
	expect("a3");
	end();
}

int main(void)
{
	bus_begin();
	test_order();
	test_once();
	test_unregister();
	test_patterns();
	test_name_under_pattern();
	test_after();
	test_after_inside();
	test_stop();
	test_inside();
	test_keep();
	test_close_inside();
	test_wait_on();
	test_refuse();
	test_two();
	return bus_end();
}
