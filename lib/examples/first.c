/* SPDX-License-Identifier: MIT */
/* The program of the README: ends when somebody does "aioevt emit job.8.done 0 host=db". */
#include <aioevt.h>
#include <stdio.h>

static void on_done(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	(void)userdata;
	printf("%s: %zu values\n", aioevt_data_event(data), aioevt_data_n_args(data));
	aioevt_loop_stop(aioevt_evt_loop(evt));
}

int main(void)
{
	struct aioevt_loop *loop;
	struct aioevt *mgr;

	if (aioevt_open(NULL, NULL, 0, &mgr) || aioevt_loop_new(mgr, &loop) ||
	    aioevt_register(mgr, "job.*.done", on_done, NULL, loop, AIOEVT_ONCE, NULL))
		return 1;
	aioevt_loop_run(loop);
	aioevt_loop_unref(loop);
	aioevt_close(mgr);
	return 0;
}
