/* SPDX-License-Identifier: MIT */
/*
 * An emitter that waits until its record is handled, beside a loop: it is told when the callbacks
 * have been called, also if the registration ends with that.
 */

#include "mgr.h"

static struct aioevt *mgr;
static struct aioevt_loop *loop;
static unsigned n_calls;

struct emitter {
	pthread_t thread;
	struct aioevt_shm *bus;
	const char *event;
	int err;
	uint32_t n;
};

static void *emit_handled(void *arg)
{
	struct emitter *e = arg;
	struct aioevt_shm_event *event = event_of(e->bus, e->event);

	e->err = aioevt_shm_emit_handled(event, "\x82\x80\xa0", 3, 1, in_ms(5000), NULL, &e->n);
	aioevt_shm_event_close(event);
	return NULL;
}

static void start(struct emitter *e, const char *event)
{
	*e = (struct emitter){ .bus = bus_open(NULL), .event = event, .n = 99 };
	n_calls = 0;
	check_eq(pthread_create(&e->thread, NULL, emit_handled, e), 0);
}

/* Until @n callbacks were called for its record. */
static void run_calls(unsigned n)
{
	uint64_t limit = in_ms(20000);

	while (n_calls < n) {
		check(now_ns() < limit);
		check(aioevt_loop_process(loop) >= 0);
	}
}

static void expect(struct emitter *e, int err, uint32_t n)
{
	check_eq(pthread_join(e->thread, NULL), 0);
	check_eq(e->err, err);
	check_eq(e->n, n);
	aioevt_shm_close(e->bus);
}

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data, (void)arg;
	n_calls++;
}

static struct aioevt_evt *reg(const char *name, uint32_t flags)
{
	struct aioevt_evt *evt;

	check_eq(aioevt_register(mgr, name, on_call, NULL, loop, flags, &evt), 0);
	return evt;
}

static void unreg(struct aioevt_evt *evt)
{
	aioevt_evt_unregister(evt);
	aioevt_evt_unref(evt);
}

static void test_stays(const char *name)
{
	struct aioevt_evt *evt = reg(name, 0);
	struct emitter e;

	start(&e, "x");
	run_calls(1);
	expect(&e, 0, 1);
	unreg(evt);
}

/* The record was all that it was for; a lossy one may stay. */
static void test_once(const char *name, const char *lossy)
{
	struct aioevt_evt *other = lossy ? reg(lossy, AIOEVT_LOSSY) : NULL;
	struct aioevt_evt *evt = reg(name, AIOEVT_ONCE);
	struct emitter e;

	start(&e, "x");
	run_calls(lossy ? 2 : 1);
	run_now(loop);
	expect(&e, 0, 1);
	unreg(evt);
	if (other)
		unreg(other);
}

/* The loop did not come back to its listener: it is stopped, and what it heard unregistered. */
static void on_call_stop(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	on_call(evt, data, arg);
	aioevt_loop_stop(loop);
}

static void test_unregistered(const char *name, const char *lossy)
{
	struct aioevt_evt *other = lossy ? reg(lossy, AIOEVT_LOSSY) : NULL, *evt;
	struct emitter e;

	check_eq(aioevt_register(mgr, name, on_call_stop, NULL, loop, 0, &evt), 0);
	start(&e, "x");
	run_calls(lossy ? 2 : 1);
	unreg(evt);
	expect(&e, 0, 1);
	if (other)
		unreg(other);
}

/* In the callback, so before it is handled. */
static void on_call_unregister(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	on_call(evt, data, arg);
	check_eq(aioevt_evt_unregister(evt), 1);
}

static void test_in_hand(const char *lossy)
{
	struct aioevt_evt *other = lossy ? reg(lossy, AIOEVT_LOSSY) : NULL, *evt;
	struct emitter e;

	check_eq(aioevt_register(mgr, "x", on_call_unregister, NULL, loop, 0, &evt), 0);
	start(&e, "x");
	run_calls(lossy ? 2 : 1);
	run_now(loop);
	expect(&e, -ENOLINK, 0);
	aioevt_evt_unref(evt);
	if (other)
		unreg(other);
}

static void test_loop_goes(void)
{
	struct aioevt_evt *evt;
	struct emitter e;

	check_eq(aioevt_register(mgr, "x", on_call_stop, NULL, loop, 0, &evt), 0);
	start(&e, "x");
	run_calls(1);
	loop = aioevt_loop_unref(loop);
	expect(&e, 0, 1);
	aioevt_evt_unref(evt);
}

int main(void)
{
	bus_begin();
	mgr = mgr_open();
	loop = loop_of(mgr);
	test_stays("x");
	test_stays(">");
	test_once("x", NULL);
	test_once(">", NULL);
	test_unregistered("x", NULL);
	test_unregistered(">", NULL);
	test_in_hand(NULL);
	test_in_hand("x");
	test_once("x", "x");
	test_once("x", ">");
	test_once(">", "x");
	test_once(">", ">");
	test_unregistered("x", "x");
	test_unregistered("x", ">");
	test_unregistered(">", "x");
	test_loop_goes();
	aioevt_close(mgr);
	return bus_end();
}
