/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SINK_H
#define AIOEVT_SINK_H

/*
 * Standard output of a command that goes on and on. Whole lines are collected and written in
 * batches, so whoever ends the command does not cut a line in two. If it is a pipe and its
 * reader goes, an ear is woken: nobody waits for an event that nobody will read of. That is
 * the end, without a word, as SIGPIPE is.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "ear.h"

struct sink {
	struct ear *ear;
	size_t pending;			/* bytes */
	bool is_watched;
	pthread_t thread;		/* that watches the reader */
	atomic_bool is_left;		/* the reader went */
};

/* @ear is to be woken; it lives as long as the sink. Before anything was printed. */
void sink_open(struct sink *sink, struct ear *ear);

void sink_close(struct sink *sink);

/*
 * Write one line, or what was collected. Each returns 0 or the exit status, after a message
 * unless the reader went.
 */
int sink_write(struct sink *sink, const char *line, size_t size);
int sink_flush(struct sink *sink);

/* Whether the reader went. */
bool sink_is_left(struct sink *sink);

/* End as the next write would: by SIGPIPE, or return the status if that is ignored. */
int sink_end(void);

#endif
