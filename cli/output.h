/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_OUTPUT_H
#define AIOEVT_OUTPUT_H

/* How a record is shown, and the options that choose it. */

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

#include "ear.h"
#include "value.h"

enum output_format {
	OUTPUT_PLAIN,		/* arguments one per line, then key=value lines */
	OUTPUT_JSON,		/* one object on one line */
	OUTPUT_SHELL,		/* assignments for eval */
};

struct output {
	enum output_format format;
	bool print_seq;		/* plain: the number on a first line */
};

/* --format, --json and --print-seq: a parser's child, whose input is a struct output. */
extern const struct argp output_argp;

/*
 * Decode @heard and print it to stdout; if records were missed and the format does not tell,
 * stderr does. Does not flush. Returns 0, or STATUS_TROUBLE after a message: its payload was
 * not written by aioevt.
 */
int output_record(const struct output *output, const struct heard *heard);

/* The parts of it. Each returns 0 or -ENOMEM; ferror() tells about @out. */
int output_plain(FILE *out, const struct data *data);
int output_json(FILE *out, const struct heard *heard, const struct data *data);

/*
 * For any payload, eval of this does nothing but assign to variables AIOEVT_*. Text and
 * bytes are single-quoted, others are their JSON. A value with a NUL, which no shell can
 * hold, is its JSON too, and AIOEVT_NUL names its variable.
 */
int output_shell(FILE *out, const struct heard *heard, const struct data *data);

#endif
