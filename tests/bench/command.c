/* SPDX-License-Identifier: MIT */
/*
 * Whole processes. `aioevt emit` against a dynamically linked program that does nothing;
 * and from the start of `aioevt emit` until `aioevt wait`, which sleeps, has exited. The
 * reference of the latter is the least two processes can do: a program that does nothing
 * but wake a futex word is started, and another that does nothing but sleep on that word
 * is woken and exits.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <aioevt-shm.h>

#include "bench.h"

#define SAMPLES_MAX	64

extern char **environ;

static char path_true[4096], path_aioevt[4096];
static double samples[SAMPLES_MAX];

void command_init(const char *argv0)
{
	const char *aioevt = getenv("AIOEVT"), *nothing = getenv("BENCH_TRUE");
	const char *slash = strrchr(argv0, '/');
	int len = slash ? (int)(slash - argv0) : 1;

	if (nothing)
		snprintf(path_true, sizeof(path_true), "%s", nothing);
	else
		snprintf(path_true, sizeof(path_true), "%.*s/bench-true", len,
			 slash ? argv0 : ".");
	snprintf(path_aioevt, sizeof(path_aioevt), "%s",
		 aioevt ? aioevt : "./.build/release/aioevt");
}

/* Start @argv with @fd_in as standard input and what it prints thrown away. */
static pid_t start(const char *const *argv, int fd_in)
{
	static posix_spawn_file_actions_t actions;
	static int fd_null = -1;
	pid_t pid;
	int err;

	if (fd_null < 0)
		fd_null = open("/dev/null", O_RDWR | O_CLOEXEC);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd_in < 0 ? fd_null : fd_in, 0);
	posix_spawn_file_actions_adddup2(&actions, fd_null, 1);
	err = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err ? -err : pid;
}

/* Returns 0, or -errno if it did not end with status 0. */
static int finish(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -EIO : 0;
}

/* ---- one command ----------------------------------------------------------------- */

static int one_measure(const char *const *argv, double *ret_value)
{
	unsigned i, n = bench_count(50), warm = 3;
	uint64_t t0;
	pid_t pid;
	int err;

	if (access(argv[0], X_OK) < 0)
		return -ENOENT;
	for (i = 0; i < n + warm; i++) {
		t0 = now_ns();
		pid = start(argv, -1);
		err = pid < 0 ? pid : finish(pid);
		if (err < 0)
			return task_error(argv[0], err);
		samples[i] = (double)(now_ns() - t0);
	}
	*ret_value = median(samples + warm, n);
	return 0;
}

int command_true(const struct figure *fig, double *ret_value)
{
	const char *argv[] = { path_true, NULL };

	(void)fig;
	task_pin(0);
	return one_measure(argv, ret_value);
}

int command_emit(const struct figure *fig, double *ret_value)
{
	const char *argv[] = { path_aioevt, "emit", "bench.command", NULL };

	(void)fig;
	task_pin(0);
	return one_measure(argv, ret_value);
}

/* ---- one that wakes another ------------------------------------------------------ */

/* The event has @n listeners: the waiter listens. 0 or -errno */
static int listeners_await(const char *name, unsigned n)
{
	uint64_t give_up = now_ns() + GIVE_UP_NS;
	struct aioevt_shm_event_info info = { 0 };
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm *bus;
	int err;

	err = aioevt_shm_open(NULL, NULL, 0, &bus);
	if (err < 0)
		return err;
	err = aioevt_shm_event_open(bus, name, 0, &event);
	while (!err && !(err = aioevt_shm_event_get_info(event, &info)) &&
	       info.n_listeners != n) {
		if (now_ns() > give_up)
			err = -ETIMEDOUT;
		usleep(50);
	}
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return err;
}

/* From the start of @waker (on one processor) to the exit of @waiter (on the other). */
static int pair_once(const char *const *waiter, const char *const *waker, int fd,
		     const char *event, double *ret_ns)
{
	pid_t pid_waiter, pid_waker;
	uint64_t t0;
	int err = 0;

	task_pin(1);
	pid_waiter = start(waiter, fd);
	task_pin(0);
	if (pid_waiter < 0)
		return pid_waiter;
	if (event)
		err = listeners_await(event, 1);
	else
		usleep(2000);
	if (!err)
		err = process_settle(pid_waiter);
	if (err < 0) {
		kill(pid_waiter, SIGKILL);
		finish(pid_waiter);
		return err;
	}
	t0 = now_ns();
	pid_waker = start(waker, fd);
	if (pid_waker < 0) {
		kill(pid_waiter, SIGKILL);
		finish(pid_waiter);
		return pid_waker;
	}
	err = finish(pid_waiter);
	*ret_ns = (double)(now_ns() - t0);
	return finish(pid_waker) < 0 ? -EIO : err;
}

int command_true_pair(const struct figure *fig, double *ret_value)
{
	const char *waiter[] = { path_true, "wait", NULL };
	const char *waker[] = { path_true, "wake", NULL };
	unsigned i, n = bench_count(15);
	uint32_t zero = 0;
	int fd, err = 0;

	(void)fig;
	if (access(path_true, X_OK) < 0)
		return -ENOENT;
	fd = memfd_create("bench", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return -errno;
	for (i = 0; !err && i < n; i++) {
		if (pwrite(fd, &zero, sizeof(zero), 0) < 0)
			err = -errno;
		else
			err = pair_once(waiter, waker, fd, NULL, &samples[i]);
	}
	close(fd);
	if (err < 0)
		return task_error(path_true, err);
	*ret_value = median(samples, n);
	return 0;
}

int command_wait_pair(const struct figure *fig, double *ret_value)
{
	const char *waiter[] = { path_aioevt, "wait", "bench.pair", NULL };
	const char *waker[] = { path_aioevt, "emit", "bench.pair", NULL };
	unsigned i, n = bench_count(15);
	int err = 0;

	(void)fig;
	if (access(path_aioevt, X_OK) < 0)
		return -ENOENT;
	for (i = 0; !err && i < n; i++)
		err = pair_once(waiter, waker, -1, "bench.pair", &samples[i]);
	if (err < 0)
		return task_error(path_aioevt, err);
	*ret_value = median(samples, n);
	return 0;
}
