/* SPDX-License-Identifier: MIT */
/*
 * Two processes on one bus, and no server between them: one answers, the other asks.
 *
 *	cc two-processes.c $(pkg-config --cflags --libs aioevt-shm)
 */
#include <aioevt.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, aioevt_strerror(result));
}

static void on_question(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	int64_t n;

	(void)userdata;
	if (!aioevt_get_int(data, 0, NULL, &n))
		must(aioevt_emit(aioevt_evt_manager(evt), "answer", AIOEVT_ARGS(n * n),
				 AIOEVT_KWARGS("question", n)), "answer");
}

static void on_quit(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	(void)data, (void)userdata;
	aioevt_loop_stop(aioevt_evt_loop(evt));
}

/* After a fork the child opens a manager for itself; that of the parent is of no use to it. */
static int ask(void)
{
	uint64_t last_seen = 0, deadline = aioevt_in_ms(10000);
	struct aioevt_data *data;
	struct aioevt *mgr;
	int64_t answer;

	must(aioevt_open(NULL, NULL, 0, &mgr), "bus");
	if (!aioevt_last(mgr, "answer", &data)) {	/* of an earlier run */
		last_seen = aioevt_data_seq(data);
		aioevt_data_unref(data);
	}
	for (int i = 5; i <= 7; i++) {
		must(AIOEVT_EMIT(mgr, question, i), "question");
		/* It may be there already: what comes after the last one seen cannot be missed. */
		must(aioevt_wait_after(mgr, "answer", last_seen, deadline, &data), "answer");
		must(aioevt_get_int(data, 0, NULL, &answer), "answer");
		printf("%d squared is %d\n", i, (int)answer);
		last_seen = aioevt_data_seq(data);
		aioevt_data_unref(data);
	}
	must(AIOEVT_EMIT(mgr, quit), "quit");
	aioevt_close(mgr);
	return fflush(stdout);
}

int main(void)
{
	struct aioevt_loop *loop;
	struct aioevt *mgr;
	int status;

	must(aioevt_open(NULL, NULL, 0, &mgr), "bus");
	must(aioevt_loop_new(mgr, &loop), "loop");
	must(aioevt_register(mgr, "question", on_question, NULL, loop, 0, NULL), "question");
	must(aioevt_register(mgr, "quit", on_quit, NULL, loop, 0, NULL), "quit");
	if (!fork())
		_exit(ask());
	must(aioevt_loop_run_until(loop, aioevt_in_ms(10000)), "run");
	aioevt_loop_unref(loop);
	aioevt_close(mgr);
	return wait(&status) < 0 || status;
}
