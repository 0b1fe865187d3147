/* SPDX-License-Identifier: MIT */
/* Two loops on two threads that poll the descriptor with poll(2). */

#include "foreign.h"

static _Thread_local bool is_stopped;

static void foreign_run(struct aioevt_loop *loop)
{
	struct pollfd pfd = { .fd = aioevt_loop_get_fd(loop) };

	check(pfd.fd >= 0);
	pfd.events = (short)aioevt_loop_get_events(loop);
	while (!is_stopped) {
		check(poll(&pfd, 1, 20000) == 1 || errno == EINTR);
		check(aioevt_loop_process(loop) >= 0);
	}
}

static void foreign_stop(void)
{
	is_stopped = true;
}

static void foreign_end(void)
{
}
