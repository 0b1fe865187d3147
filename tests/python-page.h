/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_PYTHON_PAGE_H
#define AIOEVT_TEST_PYTHON_PAGE_H

/*
 * What is around each piece of C from man/aioevt-python.7: a manager of its own, and what the
 * pieces take for granted. tests/check-python-page puts them together.
 */

#include <aioevt.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define check(cond)	((cond) ? (void)0 : errx(1, "failed: %s", #cond))

#pragma GCC diagnostic ignored "-Wunused-function"

static struct aioevt *mgr;
static struct aioevt_loop *loop;

/* ---- callbacks ------------------------------------------------------------------------------ */

static void print(const char *what, const struct aioevt_data *data)
{
	const char *by, *text;
	int64_t n;

	fputs(what, stdout);
	for (size_t i = 0; i < aioevt_data_n_args(data); i++)
		if (!aioevt_get_int(data, i, NULL, &n))
			printf(" %d", (int)n);
		else if (!aioevt_get_text(data, i, NULL, &text, NULL))
			printf(" %s", text);
	if (!aioevt_get_text(data, 0, "by", &by, NULL))
		printf(" by %s", by);
	puts("");
}

static void on_door(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	(void)evt, (void)userdata;
	print("on_door", data);
}

static void on_other(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	(void)evt, (void)userdata;
	print("on_other", data);
}

static void answer_10(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	(void)data, (void)userdata;
	check(!AIOEVT_EMIT(aioevt_evt_manager(evt), sum, 10));
}

static void run_what_is_there(void)
{
	int n;

	do {
		n = aioevt_loop_process(loop);
		check(n >= 0);
	} while (n);
}

static void print_next(const char *name)
{
	struct aioevt_data *data;

	check(!aioevt_wait_after(mgr, name, 0, aioevt_in_ms(10000), &data));
	print(name, data);
	aioevt_data_unref(data);
}

/* ---- a thread that emits until the end -------------------------------------------------------- */

static pthread_t emitter;
static const char *emitted;
static int emitted_value;
static _Atomic bool is_over;

static void *emit_on(void *arg)
{
	(void)arg;
	while (!is_over) {
		int err = aioevt_emit(mgr, emitted, AIOEVT_ARGS(emitted_value), AIOEVT_NO_KWARGS);

		check(!err || err == -EAGAIN);
		usleep(1000);
	}
	return NULL;
}

static void keep_emitting(const char *name, int value)
{
	emitted = name;
	emitted_value = value;
	check(!pthread_create(&emitter, NULL, emit_on, NULL));
}

/* ---- around the piece ------------------------------------------------------------------------- */

static void begin(void)
{
	check(!aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &mgr));
	check(!aioevt_loop_new(mgr, &loop));
}

static int end(void)
{
	is_over = true;
	if (emitted)
		pthread_join(emitter, NULL);
	aioevt_loop_unref(loop);
	aioevt_close(mgr);
	return fflush(stdout) || ferror(stdout);
}

#endif
