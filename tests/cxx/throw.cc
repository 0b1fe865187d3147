/* SPDX-License-Identifier: MIT */
/*
 * A C++ exception that leaves a callback ends the run of the loop and nothing else: those that have
 * not had the record get it in the next run, the loop runs, registrations end as always.
 */

#include <aioevt.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
			std::exit(1); \
		} \
	} while (0)

static aioevt *mgr;
static std::string calls;

static aioevt_loop *loop_new()
{
	aioevt_loop *loop = nullptr;

	CHECK(aioevt_loop_new(mgr, &loop) == 0);
	return loop;
}

/* Says its userdata and the first arg, and throws for odd ones if the former is in capitals. */
static void say(aioevt_evt *, aioevt_data *data, void *userdata)
{
	const char *who = static_cast<const char *>(userdata);
	int64_t n = 9;

	if (data)
		CHECK(aioevt_get_int(data, 0, nullptr, &n) == 0);
	calls += who;
	calls += std::to_string(n);
	if (*who < 'a' && n % 2)
		throw std::runtime_error(who);
}

static void *tag(const char *who)
{
	return const_cast<char *>(who);
}

/* Run until nothing is left; one exception at most. True if there was one. */
static bool run(aioevt_loop *loop)
{
	try {
		CHECK(aioevt_loop_run_until(loop, aioevt_in_ms(0)) == -ETIMEDOUT);
	} catch (const std::runtime_error &) {
		CHECK(aioevt_loop_current(mgr) == nullptr);
		return true;
	}
	return false;
}

static void test_records()
{
	aioevt_loop *loop = loop_new();

	CHECK(aioevt_register(mgr, "x", say, tag("a"), loop, 0, nullptr) == 0);
	CHECK(aioevt_register(mgr, "*", say, tag("B"), loop, 0, nullptr) == 0);
	CHECK(aioevt_register(mgr, "x", say, tag("C"), loop, AIOEVT_ONCE, nullptr) == 0);
	CHECK(aioevt_register(mgr, "x", say, tag("d"), loop, 0, nullptr) == 0);
	CHECK(AIOEVT_EMIT(mgr, x, 1) == 0);
	CHECK(AIOEVT_EMIT(mgr, x, 2) == 0);
	calls.clear();
	CHECK(run(loop));
	CHECK(calls == "a1B1");
	CHECK(run(loop));
	CHECK(calls == "a1B1C1");
	CHECK(!run(loop));
	CHECK(calls == "a1B1C1d1a2B2d2");
	CHECK(aioevt_unregister(mgr, "x") == 2);
	CHECK(aioevt_unregister_fn(mgr, say) == 1);
	CHECK(!run(loop));
	aioevt_loop_unref(loop);
}

/* The one that threw is gone meanwhile; so are others. */
static void test_unregister_between()
{
	aioevt_loop *loop = loop_new();
	aioevt_evt *evts[3];

	CHECK(aioevt_register(mgr, "y", say, tag("A"), loop, 0, &evts[0]) == 0);
	CHECK(aioevt_register(mgr, "y", say, tag("b"), loop, 0, &evts[1]) == 0);
	CHECK(aioevt_register(mgr, "y", say, tag("c"), loop, 0, &evts[2]) == 0);
	CHECK(AIOEVT_EMIT(mgr, y, 1) == 0);
	CHECK(AIOEVT_EMIT(mgr, y, 2) == 0);
	calls.clear();
	CHECK(run(loop));
	CHECK(aioevt_evt_unregister(evts[0]) == 1);
	CHECK(aioevt_evt_unregister(evts[1]) == 1);
	CHECK(!run(loop));
	CHECK(calls == "A1c1c2");
	for (aioevt_evt *evt : evts)
		aioevt_evt_unref(evt);
	aioevt_loop_unref(loop);
}

static void test_deadline()
{
	aioevt_loop *loop = loop_new();

	CHECK(aioevt_wait_on(mgr, "never", 1, say, tag("A"), loop, nullptr) == 0);
	CHECK(aioevt_wait_on(mgr, "never", 2, say, tag("b"), loop, nullptr) == 0);
	calls.clear();
	CHECK(run(loop));
	CHECK(!run(loop));
	CHECK(calls == "A9b9");
	aioevt_loop_unref(loop);
}

/* Driven by its descriptor: that tells that there is more. */
static void test_process()
{
	aioevt_loop *loop = loop_new();
	struct pollfd pfd = { aioevt_loop_get_fd(loop), POLLIN, 0 };
	bool has_caught = false;

	CHECK(aioevt_register(mgr, "z", say, tag("A"), loop, 0, nullptr) == 0);
	CHECK(aioevt_register(mgr, "z", say, tag("b"), loop, 0, nullptr) == 0);
	CHECK(AIOEVT_EMIT(mgr, z, 1) == 0);
	calls.clear();
	try {
		while (poll(&pfd, 1, -1) == 1)
			CHECK(aioevt_loop_process(loop) >= 0);
	} catch (const std::runtime_error &) {
		has_caught = true;
	}
	CHECK(has_caught);
	CHECK(calls == "A1");
	CHECK(poll(&pfd, 1, 0) == 1);
	while (calls == "A1" && poll(&pfd, 1, -1) == 1)
		CHECK(aioevt_loop_process(loop) >= 0);
	CHECK(calls == "A1b1");
	aioevt_loop_unref(loop);
}

/* Through the runs of two loops, one inside a callback of the other. */
static void run_inner(aioevt_evt *, aioevt_data *, void *userdata)
{
	calls += "outer";
	aioevt_loop_run(static_cast<aioevt_loop *>(userdata));
}

static void test_nested()
{
	aioevt_loop *outer = loop_new(), *inner = loop_new();

	CHECK(aioevt_register(mgr, "o", run_inner, inner, outer, 0, nullptr) == 0);
	CHECK(aioevt_register(mgr, "o", say, tag("p"), outer, 0, nullptr) == 0);
	CHECK(aioevt_register(mgr, "i", say, tag("I"), inner, 0, nullptr) == 0);
	CHECK(AIOEVT_EMIT(mgr, i, 1) == 0);
	CHECK(AIOEVT_EMIT(mgr, o, 2) == 0);
	calls.clear();
	CHECK(run(outer));
	CHECK(calls == "outerI1");
	CHECK(!run(inner));
	CHECK(!run(outer));
	CHECK(calls == "outerI1p2");
	aioevt_loop_unref(inner);
	aioevt_loop_unref(outer);
}

/* Another thread waits for the end of the callback. */
static std::atomic<int> is_inside, has_ended;

static void wait_and_throw(aioevt_evt *, aioevt_data *, void *)
{
	is_inside = 1;
	/* it is marked as ended before the wait begins */
	while (!has_ended)
		std::this_thread::yield();
	throw std::runtime_error("");
}

static void test_waited_for()
{
	aioevt_loop *loop = loop_new();
	aioevt_evt *evt;

	CHECK(aioevt_register(mgr, "w", wait_and_throw, nullptr, loop, 0, &evt) == 0);
	CHECK(AIOEVT_EMIT(mgr, w) == 0);
	std::thread other([evt] {
		while (!is_inside)
			std::this_thread::yield();
		CHECK(aioevt_evt_unregister(evt) == 1);
	});
	std::thread watch([evt] {
		while (aioevt_evt_status(evt) == 0)
			std::this_thread::yield();
		has_ended = 1;
	});
	CHECK(run(loop));
	other.join();
	watch.join();
	aioevt_evt_unref(evt);
	aioevt_loop_unref(loop);
}

int main()
{
	alarm(30);
	CHECK(aioevt_open(nullptr, nullptr, AIOEVT_ANONYMOUS, &mgr) == 0);
	test_records();
	test_unregister_between();
	test_deadline();
	test_process();
	test_nested();
	test_waited_for();
	aioevt_close(mgr);
	return 0;
}
