/* SPDX-License-Identifier: MIT */
/* Waits of a thread: any, all, patterns, from a number on, the last; what ends them. */

#include "mgr.h"

static struct aioevt *mgr;

static void emit(const char *name, int n)
{
	check_eq(aioevt_emit(mgr, name, AIOEVT_ARGS(n), AIOEVT_KWARGS("n", n)), 0);
}

struct job {
	const char *name;
	int n;
};

/* Emit once somebody listens. */
static void *emit_when_heard(void *arg)
{
	const struct job *job = arg;
	uint64_t end = in_ms(20000);

	while (!aioevt_n_listeners(mgr, job->name))
		check(now_ns() < end);
	emit(job->name, job->n);
	return NULL;
}

static pthread_t emit_later(struct job *job)
{
	pthread_t thread;

	check_eq(pthread_create(&thread, NULL, emit_when_heard, job), 0);
	return thread;
}

static void test_one(void)
{
	struct aioevt_data *data;
	struct job job = { "x", 7 };
	uint64_t start = now_ns();
	pthread_t thread;
	int64_t n;

	check_eq(aioevt_wait(mgr, "x", aioevt_in_ms(20), &data), -ETIMEDOUT);
	check(now_ns() - start >= 20 * MS);
	check_eq(aioevt_n_listeners(mgr, "x"), 0);
	emit("x", 6);			/* before the wait */
	thread = emit_later(&job);
	check_eq(aioevt_wait(mgr, "x", SOON, &data), 0);
	pthread_join(thread, NULL);
	check_eq(arg_of(data), 7);
	check_eq(aioevt_get_int(data, 0, "n", &n), 0);
	check_eq(n, 7);
	check_str(aioevt_data_event(data), "x");
	check_eq(aioevt_data_seq(data), 2);
	check(aioevt_data_time(data) > 0);
	check_eq(aioevt_data_missed(data), 0);
	aioevt_data_unref(data);
	/* Who sees that somebody listens and emits is heard, at each instruction of the wait. */
	for (int i = 0; i < 300; i++) {
		thread = emit_later(&job);
		check_eq(aioevt_wait(mgr, "x", SOON, NULL), 0);
		pthread_join(thread, NULL);
	}
	check_eq(aioevt_n_listeners(mgr, "x"), 0);
	check_eq(aioevt_wait(mgr, "a b", 0, NULL), -EINVAL);
	check_eq(aioevt_wait(mgr, "x", 0, NULL), -ETIMEDOUT);
}

/* A cursor: nothing is missed between one wait and the next. */
static void test_after(void)
{
	struct aioevt_data *data;
	uint64_t seq = 0;

	for (int i = 1; i <= 5; i++)
		emit("cursor", i);
	for (int i = 1; i <= 5; i++) {
		check_eq(aioevt_wait_after(mgr, "cursor", seq, SOON, &data), 0);
		check_eq(arg_of(data), i);
		seq = aioevt_data_seq(data);
		aioevt_data_unref(data);
	}
	check_eq(aioevt_wait_after(mgr, "cursor", seq, aioevt_in_ms(5), &data), -ETIMEDOUT);
	check_eq(aioevt_wait_after(mgr, "cursor.*", seq, 0, &data), -EINVAL);
	for (int i = 0; i < 3000; i++)	/* over a whole ring: told */
		emit("cursor", i);
	check_eq(aioevt_wait_after(mgr, "cursor", seq, SOON, &data), 0);
	check_eq(arg_of(data), 3000 - 1024);
	check_eq(aioevt_data_missed(data), 3000 - 1024);
	aioevt_data_unref(data);
}

static void test_last(void)
{
	struct aioevt_data *data = NULL;

	check_eq(aioevt_last(mgr, "never", &data), -ENOENT);
	check_eq(aioevt_last(mgr, "a b", &data), -EINVAL);
	emit("last", 1);
	emit("last", 2);
	check_eq(aioevt_last(mgr, "last", &data), 0);
	check_eq(arg_of(data), 2);
	aioevt_data_unref(data);
	check_eq(aioevt_wait(mgr, "unborn", 0, NULL), -ETIMEDOUT);
	check_eq(aioevt_last(mgr, "unborn", &data), -ENOENT);	/* an event, but no record */
}

static void test_any(void)
{
	static const char *const names[] = { "any.1", "any.2", "other.*" };
	struct job job = { "other.x", 3 }, second = { "any.2", 2 };
	struct aioevt_data *data;
	pthread_t thread;
	size_t i = 99;

	emit("other.x", 0);		/* so that somebody listens to it */
	thread = emit_later(&job);
	check_eq(aioevt_wait_any(mgr, names, 3, SOON, &i, &data), 0);
	pthread_join(thread, NULL);
	check_eq(i, 2);
	check_str(aioevt_data_event(data), "other.x");
	aioevt_data_unref(data);
	thread = emit_later(&second);
	check_eq(aioevt_wait_any(mgr, names, 3, SOON, &i, NULL), 0);
	pthread_join(thread, NULL);
	check_eq(i, 1);
	check_eq(aioevt_wait_any(mgr, names, 3, 0, &i, NULL), -ETIMEDOUT);
	check_eq(aioevt_wait_any(mgr, names, 0, 0, &i, NULL), -EINVAL);
}

static void *emit_some(void *arg)
{
	uint64_t end = in_ms(20000);

	(void)arg;
	while (!aioevt_n_listeners(mgr, "all.1") || !aioevt_n_listeners(mgr, "all.2") ||
	       !aioevt_n_listeners(mgr, "else.x"))
		check(now_ns() < end);
	emit("all.2", 1);
	emit("all.2", 2);
	emit("else.x", 3);
	emit("all.1", 4);
	return NULL;
}

static void test_all(void)
{
	static const char *const names[] = { "all.1", "all.2", "else.*" };
	struct aioevt_data *data[3] = { 0 };
	pthread_t thread;

	emit("else.x", 0);
	check_eq(pthread_create(&thread, NULL, emit_some, NULL), 0);
	check_eq(aioevt_wait_all(mgr, names, 3, SOON, data), 0);
	pthread_join(thread, NULL);
	check_eq(arg_of(data[0]), 4);
	check_eq(arg_of(data[1]), 1);	/* the first of each */
	check_eq(arg_of(data[2]), 3);
	for (int i = 0; i < 3; i++)
		data[i] = aioevt_data_unref(data[i]);
	check_eq(pthread_create(&thread, NULL, emit_some, NULL), 0);
	check_eq(aioevt_wait_all(mgr, names, 3, SOON, NULL), 0);
	pthread_join(thread, NULL);
	check_eq(aioevt_wait_all(mgr, names, 3, aioevt_in_ms(5), data), -ETIMEDOUT);
	check(!data[0] && !data[1] && !data[2]);
}

static void test_large(void)
{
	static char text[100000];
	struct aioevt_data *data;
	const char *got;
	size_t size;

	memset(text, 'x', sizeof(text) - 1);
	check_eq(aioevt_emit(mgr, "large", AIOEVT_ARGS(text), AIOEVT_NO_KWARGS), 0);
	check_eq(aioevt_wait_after(mgr, "large", 0, SOON, &data), 0);
	check_eq(aioevt_get_text(data, 0, NULL, &got, &size), 0);
	check_eq(size, sizeof(text) - 1);
	check_str(got, text);
	aioevt_data_unref(data);
}

/* ---- what ends a wait -------------------------------------------------------------------------- */

static void *wait_until_closed(void *arg)
{
	(void)arg;
	check_eq(aioevt_wait(mgr, "never", AIOEVT_FOREVER, NULL), -ESHUTDOWN);
	return NULL;
}

static void test_closed(void)
{
	struct aioevt *m = mgr;
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		check_eq(pthread_create(&threads[i], NULL, wait_until_closed, NULL), 0);
	for (uint64_t end = in_ms(20000); aioevt_n_listeners(m, "never") < 3; )
		check(now_ns() < end);
	check(!aioevt_close(m));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

static _Atomic unsigned is_past;

static void *wait_then_die(void *arg)
{
	(void)arg;
	check_eq(aioevt_wait(mgr, "cancel", SOON, NULL), 0);
	pthread_testcancel();
	is_past = 1;
	return NULL;
}

/* No cancellation point: the wait ends as it would, leaves nothing, and then the thread ends. */
static void test_cancelled(void)
{
	struct job job = { "cancel", 1 };
	pthread_t thread, emitter;
	void *result;

	check_eq(pthread_create(&thread, NULL, wait_then_die, NULL), 0);
	for (uint64_t end = in_ms(20000); !aioevt_n_listeners(mgr, "cancel"); )
		check(now_ns() < end);
	check_eq(pthread_cancel(thread), 0);
	emitter = emit_later(&job);
	pthread_join(thread, &result);
	pthread_join(emitter, NULL);
	check(result == PTHREAD_CANCELED);
	check_eq(is_past, 0);
	check_eq(aioevt_n_listeners(mgr, "cancel"), 0);
}

int main(void)
{
	bus_begin();
	mgr = mgr_open();
	test_one();
	test_after();
	test_last();
	test_any();
	test_all();
	test_large();
	test_cancelled();
	test_closed();
	return bus_end();
}
