/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SINK_H
#define AIOEVT_SINK_H

/*
 * Standard output of a command that goes on and on. Whole lines are collected and written in
 * batches, so whoever ends the command does not cut a line in two.
 */

#include <stddef.h>

#include "common.h"

struct sink {
	size_t pending;			/* bytes */
};

/* Before anything was printed. */
void sink_open(struct sink *sink);

/*
 * Write one line, or what was collected. Each returns 0 or the exit status, after a message
 * unless the reader went.
 */
int sink_write(struct sink *sink, const char *line, size_t size);
int sink_flush(struct sink *sink);

/* The reader went. End as the next write would: by SIGPIPE, or return the status if that is ignored. */
int sink_end(void);

#endif
