/* SPDX-License-Identifier: MIT */
/* A program whose own fork handlers close a manager before and open one after fork(2) goes on. */

#include "mgr.h"

static struct aioevt *mgr;
static bool is_over;
static _Atomic unsigned n_calls;

static void on_call(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data, (void)arg;
	n_calls++;
}

static void close_before(void)
{
	mgr = aioevt_close(mgr);	/* ends the thread of the manager's own loop */
}

static void open_after(void)
{
	if (!is_over)
		check_eq(aioevt_open(NULL, NULL, 0, &mgr), 0);
}

static int count_bus_fds(void)
{
	char path[64], target[512];
	int n = 0;

	for (int fd = 0; fd < 256; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, target, sizeof(target) - 1);
		target[size < 0 ? 0 : size] = '\0';
		n += strstr(target, "/aioevt.") != NULL;
	}
	return n;
}

static void test_handlers(void)
{
	struct aioevt *other;
	int status, n;
	pid_t pid;

	check_eq(pthread_atfork(close_before, open_after, open_after), 0);
	make_bus();	/* the descriptor of the one that makes the file has another path */
	open_after();	/* after that: the library's handlers come first before a fork */
	other = mgr_open();
	check_eq(aioevt_on(other, "from.child", on_call, NULL), 0);
	n = count_bus_fds();
	check_eq(n, 2);
	for (unsigned i = 1; i <= 5; i++) {
		check_eq(aioevt_on(mgr, "x", on_call, NULL), 0);
		pid = fork();
		check(pid >= 0);
		if (!pid) {
			alarm(10);
			/* its own descriptor is open, those of its parent are closed */
			check_eq(count_bus_fds(), 1);
			check_eq(AIOEVT_EMIT(mgr, from.child, 1), 0);
			aioevt_close(other);
			aioevt_close(mgr);
			_exit(count_bus_fds());
		}
		check_eq(waitpid(pid, &status, 0), pid);
		check_eq(status, 0);
		check_eq(count_bus_fds(), n);
		await(&n_calls, i);
	}
	aioevt_close(other);
	mgr = aioevt_close(mgr);
	is_over = true;
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_handlers();
	return bus_end();
}
