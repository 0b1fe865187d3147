/* SPDX-License-Identifier: MIT */
#include "gone.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int gone_open(struct gone *gone, pid_t pid)
{
	/* glibc has a function for it from 2.36 on */
	gone->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (gone->pidfd >= 0 || errno == ESRCH)
		return STATUS_DONE;
	if (errno == EINVAL || errno == ENOENT) {
		complain("--while-alive \"%d\": a thread, not a process", (int)pid);
		return STATUS_USAGE;
	}
	complain("--while-alive \"%d\": %s", (int)pid, strerror(errno));
	return STATUS_TROUBLE;
}

static bool is_ended(int pidfd, int stop, int timeout)
{
	struct pollfd fds[2] = { { .fd = pidfd, .events = POLLIN },
				 { .fd = stop, .events = POLLIN } };

	while (poll(fds, 2, timeout) < 0 && errno == EINTR)
		;
	return fds[0].revents;
}

static void *watch(void *arg)
{
	struct gone *gone = arg;

	if (is_ended(gone->pidfd, gone->stop, -1))
		ear_wake(gone->ear);
	return NULL;
}

int gone_start(struct gone *gone, struct ear *ear)
{
	int err;

	gone->ear = ear;
	if (gone->pidfd < 0) {
		ear_wake(ear);
		return STATUS_DONE;
	}
	gone->stop = eventfd(0, EFD_CLOEXEC);
	err = gone->stop < 0 ? errno : start_thread(&gone->thread, watch, gone);
	if (!err)
		return STATUS_DONE;
	complain("--while-alive: %s", strerror(err));
	return STATUS_TROUBLE;
}

bool gone_stop(struct gone *gone)
{
	bool is_gone;

	if (gone->pidfd < 0)
		return true;
	eventfd_write(gone->stop, 1);
	pthread_join(gone->thread, NULL);
	is_gone = is_ended(gone->pidfd, -1, 0);
	close(gone->stop);
	close(gone->pidfd);
	return is_gone;
}
