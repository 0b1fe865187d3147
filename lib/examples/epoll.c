/* SPDX-License-Identifier: MIT */
/*
 * A program with a loop of its own, made of epoll(7), that takes events in beside what else it waits
 * for: here a timer of the kernel. The callback runs in this one thread.
 *
 *	cc epoll.c $(pkg-config --cflags --libs aioevt-shm)
 */
#include <aioevt.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void must(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, aioevt_strerror(result));
}

static void on_tick(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	bool *is_done = userdata;
	int64_t n;

	must(aioevt_get_int(data, 0, NULL, &n), "tick");
	printf("tick %d\n", (int)n);
	*is_done = n == 3;
	if (*is_done)
		must(aioevt_evt_unregister(evt), "unregister");
}

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(1, "epoll_ctl");
}

int main(void)
{
	const struct itimerspec every_ms = { { 0, 1000000 }, { 0, 1000000 } };
	int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, 0), fd;
	uint64_t n_ticks = 0, n;
	bool is_done = false;
	struct epoll_event ev;
	struct aioevt_loop *loop;
	struct aioevt *mgr;

	must(aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &mgr), "bus");
	must(aioevt_loop_new(mgr, &loop), "loop");
	must(aioevt_register(mgr, "tick", on_tick, &is_done, loop, 0, NULL), "tick");
	fd = aioevt_loop_get_fd(loop);
	must(fd, "descriptor");
	if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &every_ms, NULL) < 0)
		err(1, "epoll");
	watch(epoll, fd, (uint32_t)aioevt_loop_get_events(loop));
	watch(epoll, timer, EPOLLIN);

	while (!is_done && epoll_wait(epoll, &ev, 1, -1) == 1) {
		if (ev.data.fd == fd)
			must(aioevt_loop_process(loop), "process");
		else if (read(timer, &n, sizeof(n)) == sizeof(n))
			must(AIOEVT_EMIT(mgr, tick, ++n_ticks), "emit");
	}

	aioevt_loop_unref(loop);
	aioevt_close(mgr);
	close(timer);
	close(epoll);
	return !is_done;
}
