/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ON_JOBS_H
#define AIOEVT_ON_JOBS_H

/*
 * The COMMANDs of "aioevt on" that run. One thread, the caller, listens and starts them; a
 * second one takes the signals, which all threads block: it reaps who has ended, passes on what
 * is sent to this program, and tells the caller, who sleeps in jobs_wait() or in its ear.
 *
 * Each COMMAND is the leader of a process group of its own, and is killed by the kernel when
 * this program goes without waiting for it. One that was asked to end has ended when all of its
 * group has: until then its place is taken. SIGKILL ends a group that takes too long, so nothing
 * waits for ever. This process is the subreaper of its descendants: it reaps what COMMAND leaves, and
 * SIGCHLD tells when a group becomes empty; between, the thread looks every GROUP_POLL_NS.
 */

#include <pthread.h>
#include <signal.h>

#include "ear.h"
#include "on-call.h"

struct job;

struct jobs {
	/* set by the caller before jobs_open() */
	struct ear *ear;		/* open; ear_wake() is called */
	const char *name;		/* of COMMAND, for messages */
	size_t n_max;
	bool once;			/* the first that ends ends it all */
	bool fail_fast;			/* the first that fails does */
	int stop_signal;		/* of jobs_replace() */
	uint64_t kill_after;		/* ns, from a signal to SIGKILL */

	pthread_t thread;
	sigset_t signals, mask;		/* taken by the thread; the mask before */
	struct sigaction before[3];	/* see changed[]: what COMMAND gets */
	int *errors;			/* of execve(), by job; shared with children */

	pthread_mutex_t lock;		/* of all below, and of the start of a job */
	pthread_cond_t changed;
	struct job *job;
	size_t n_running, n_ended;	/* the latter of the former: not taken yet */
	uint64_t n_started;
	bool is_over, is_closing;
	int status, signal;
};

/* Take over the signals. Returns 0, or STATUS_TROUBLE after a message. */
int jobs_open(struct jobs *jobs);

/* Wait for all that run. */
void jobs_finish(struct jobs *jobs);

/* Then give back what jobs_open() made. Returns the exit status. */
int jobs_close(struct jobs *jobs);

/* To be asked before the next record: is it to end? */
bool jobs_are_over(struct jobs *jobs);

/* End it with @status, unless something has before. */
void jobs_end(struct jobs *jobs, int status);

/* One that ended counts until it was taken. */
bool jobs_have_room(struct jobs *jobs);

/* Take one that has ended, but not since a signal came. Returns whether there is one: its event. */
bool jobs_take_ended(struct jobs *jobs, char *ret_event);

/* The smallest number of a record of @event that runs; UINT64_MAX: none. */
uint64_t jobs_oldest(struct jobs *jobs, const char *event);

/* Wait until there is room, or will be when one is taken, or it is over. */
void jobs_wait(struct jobs *jobs);

/*
 * Start COMMAND; there must be room. Returns 0; or STATUS_TROUBLE, if it is over, or after a
 * message.
 */
int jobs_start(struct jobs *jobs, struct call *call, const struct heard *heard);

/*
 * Ask the oldest that runs to end, with its group, unless one was asked that has not ended. How
 * it ends does not count then.
 */
void jobs_replace(struct jobs *jobs);

#endif
