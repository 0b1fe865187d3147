/* SPDX-License-Identifier: MIT */
/*
 * A libuv program: work in libuv's threads tells how far it is by events, and their callbacks run
 * in the thread of the libuv loop, like all others of the program.
 *
 *	cc libuv.c $(pkg-config --cflags --libs aioevt-shm libuv)
 */
#include <aioevt-uv.h>
#include <err.h>
#include <stdio.h>

struct program {
	struct aioevt *mgr;
	struct aioevt_uv adapter;
	uv_work_t job;
	uv_thread_t thread;		/* of the libuv loop */
};

static void must(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, aioevt_strerror(result));
}

/* In a thread of libuv's pool. */
static void work(uv_work_t *job)
{
	struct program *prog = job->data;

	for (int percent = 0; percent <= 100; percent += 50)
		must(aioevt_emit(prog->mgr, "progress", AIOEVT_ARGS(percent),
				 AIOEVT_KWARGS("of", "the work")), "progress");
}

static void on_progress(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	struct program *prog = userdata;
	uv_thread_t self = uv_thread_self();
	const char *of;
	int64_t percent;

	(void)evt;
	must(aioevt_get_int(data, 0, NULL, &percent), "percent");
	must(aioevt_get_text(data, 0, "of", &of, NULL), "of");
	printf("%d %% of %s, %s thread\n", (int)percent, of,
	       uv_thread_equal(&self, &prog->thread) ? "in the loop's" : "in another");
	if (percent == 100)
		aioevt_uv_detach(&prog->adapter, NULL);	/* lets uv_run() end */
}

int main(void)
{
	static struct program prog;
	uv_loop_t *uv = uv_default_loop();
	struct aioevt_loop *loop;

	prog.thread = uv_thread_self();
	prog.job.data = &prog;
	must(aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &prog.mgr), "bus");
	must(aioevt_loop_new(prog.mgr, &loop), "loop");
	must(aioevt_uv_attach(&prog.adapter, uv, loop), "attach");
	must(aioevt_register(prog.mgr, "progress", on_progress, &prog, loop, 0, NULL), "progress");

	if (uv_queue_work(uv, &prog.job, work, NULL))
		errx(1, "no work");
	uv_run(uv, UV_RUN_DEFAULT);

	uv_loop_close(uv);
	aioevt_loop_unref(loop);
	aioevt_close(prog.mgr);
	return 0;
}
