/* SPDX-License-Identifier: MIT */
/* Two loops on two threads that poll the descriptor with epoll(7), as in lib/examples/epoll.c. */

#include "foreign.h"

#include <sys/epoll.h>

static _Thread_local bool is_stopped;

static void foreign_run(struct aioevt_loop *loop)
{
	int poll_fd = epoll_create1(EPOLL_CLOEXEC), fd = aioevt_loop_get_fd(loop);
	struct epoll_event ev = { .events = (uint32_t)aioevt_loop_get_events(loop) };

	check(poll_fd >= 0);
	check(fd >= 0);
	check_eq(epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev), 0);
	while (!is_stopped) {
		int n = epoll_wait(poll_fd, &ev, 1, 20000);

		check(n == 1 || errno == EINTR);
		check(aioevt_loop_process(loop) >= 0);
	}
	close(poll_fd);
}

static void foreign_stop(void)
{
	is_stopped = true;
}

static void foreign_end(void)
{
}
