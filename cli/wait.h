/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_WAIT_H
#define AIOEVT_WAIT_H

/* What "aioevt wait" was asked for: wait.c reads it, wait-run.c does it. */

#include "common.h"
#include "output.h"
#include "where.h"

struct wait {
	struct bus_options bus;
	char **names;
	size_t n_names;
	int next_name;			/* argp's index behind a NAME that follows the last one */
	const char *stray_name;		/* the first that does not; NULL: none */
	char **command;			/* NULL: none */
	int kill;			/* the signal that ends it at the timeout; 0: none */
	uint64_t timeout;		/* ns; AIOEVT_SHM_NO_DEADLINE: none */
	uint64_t after;
	uint64_t count;			/* of records; with all: under each name */
	bool all, any;
	bool has_after, has_count, follow, observe, or_last, strict;
	int ready_fd;			/* -1: none */
	pid_t alive;			/* 0: none */
	const char *cursor_file;	/* NULL: none */
	struct where *where;		/* NULL: none */
	struct output output;
};

/* Returns the exit status. */
int wait_run(const struct wait *wait);

#endif
