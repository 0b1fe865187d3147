/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ON_CALL_H
#define AIOEVT_ON_CALL_H

/*
 * What COMMAND of "aioevt on" gets for one record: words, environment, standard input. The
 * kernel takes strings of 128 KiB, and only so much in all: variables that are too large are
 * left out and named in AIOEVT_OMITTED; standard input has everything.
 */

#include "ear.h"
#include "value.h"

struct strings {
	char **v;		/* ends with NULL */
	size_t n, room;
};

struct call {
	char **command;		/* as given */
	struct strings argv, envp, owned;
	size_t n_inherited;	/* of envp */
	size_t size;		/* bytes that argv and envp take */
	size_t max_size;
	int input;		/* descriptor for standard input; -1: none */
};

void call_init(struct call *call, char **command);
void call_deinit(struct call *call);

/*
 * Make it ready for a record. @dropped is for AIOEVT_DROPPED. Returns whether COMMAND can be
 * run for this one, else after a message. What it made lasts until the next call, or
 * call_deinit().
 */
bool call_make(struct call *call, const struct heard *heard, uint64_t dropped);

/* The child may have its own by now. */
void call_close_input(struct call *call);

#endif
