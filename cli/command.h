/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_COMMAND_H
#define AIOEVT_COMMAND_H

/*
 * The COMMAND of "aioevt wait NAME -- COMMAND". Its failure ends the waiting, unless the
 * event came before. So the calling thread waits for the event and a second one for
 * COMMAND: when that has failed, it notes the status and wakes the ear, which goes on to
 * take what is there, and tells -EINTR only if that is nothing.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "ear.h"

struct command {
	pid_t pid;
	struct ear *ear;
	pthread_t thread;
	int status;		/* of COMMAND that failed; the second thread's until joined */
	atomic_bool settled;	/* the caller waits no longer */
};

/*
 * Start @argv; its failure wakes @ear, which is open. Returns 0, then command_settle()
 * must follow; or the exit status after a message: STATUS_NOT_FOUND, STATUS_CANNOT_RUN,
 * STATUS_TROUBLE.
 */
int command_start(struct command *command, char **argv, struct ear *ear);

/*
 * The calling thread has heard something, or gives up: COMMAND, if it still runs, goes on
 * unwatched. Returns the status of COMMAND if it has failed, else 0.
 */
int command_settle(struct command *command);

#endif
