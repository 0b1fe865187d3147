/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_GONE_H
#define AIOEVT_GONE_H

/*
 * The process of "aioevt wait --while-alive PID": a second thread waits for its end at a
 * pidfd, and wakes the ear. A zombie is gone, too.
 */

#include <pthread.h>
#include <sys/types.h>

#include "ear.h"

struct gone {
	struct ear *ear;
	int pidfd;		/* -1: it was gone from the start */
	int stop;		/* an eventfd */
	pthread_t thread;
};

/* Returns 0, or the exit status after a message. It is no error that there is no such process. */
int gone_open(struct gone *gone, pid_t pid);

/* Wake @ear when it ends, or now. Returns 0, then gone_stop() must follow; or the exit status. */
int gone_start(struct gone *gone, struct ear *ear);

/* Whether it is gone. */
bool gone_stop(struct gone *gone);

/* Start a thread that no signal is delivered to. Returns 0 or a positive errno. */
int start_thread(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
