/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_COMMAND_H
#define AIOEVT_COMMAND_H

/*
 * The COMMAND of "aioevt wait NAME -- COMMAND". Its failure ends the waiting, unless the
 * event came before. So the calling thread waits for the event and a second one for
 * COMMAND: when that has failed, it notes the status and wakes the ear, which goes on to
 * take what is there, and tells -EINTR only if that is nothing.
 *
 * The second thread also takes SIGTERM, SIGHUP, SIGINT and SIGQUIT: it passes them on to COMMAND and ends
 * this program as they do. A COMMAND that may be stopped leads a process group of its own, and
 * all of that gets the signals; else it shares the group of this program, and has got what the
 * terminal sends already.
 */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "ear.h"

struct command {
	const char *name;	/* for messages */
	pid_t pid;		/* 0: none, or it has ended */
	bool has_group;
	sigset_t signals, mask;	/* taken by the thread; the mask before */
	struct ear *ear;
	pthread_t thread;
	int status;		/* of COMMAND that failed; the second thread's until joined */
	atomic_bool settled;	/* the caller waits no longer */
};

/*
 * Start @argv; its failure wakes @ear, which is open. With @has_group it may be stopped. Returns
 * 0, then command_settle() must follow; or the exit status after a message: STATUS_NOT_FOUND,
 * STATUS_CANNOT_RUN, STATUS_TROUBLE.
 */
int command_start(struct command *command, char **argv, bool has_group, struct ear *ear);

/*
 * The calling thread has heard something, or gives up. With @number 0, COMMAND goes on unwatched if
 * it still runs. Else it was started with has_group: its group is ended with the signal @number, and
 * with SIGKILL what is left after KILL_AFTER_NS or when a signal comes; returns when all have ended.
 * Returns the status of COMMAND if it has failed, else 0.
 */
int command_settle(struct command *command, int number);

#endif
