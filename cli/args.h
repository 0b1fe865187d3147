/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_CLI_ARGS_H
#define AIOEVT_CLI_ARGS_H

/*
 * What the words of a command line mean as data. Strings are borrowed from the words.
 * Whatever is wrong ends the program: see complain_usage().
 */

#include "value.h"

enum args_mode {
	ARGS_TYPED,	/* true, false, null and numbers are what they look like */
	ARGS_TEXT,	/* text only, but KEY= and := still count */
	ARGS_VERBATIM,	/* one positional text, as it is */
};

/* Add one word. */
void args_add(struct data *data, const char *word, enum args_mode mode);

/* Put the keyword arguments in order, when all words have been added. */
void args_finish(struct data *data);

/* @len bytes as text, or as bytes if they are not UTF-8; borrowed. */
struct aioevt_value args_text(const char *text, size_t len);

#endif
