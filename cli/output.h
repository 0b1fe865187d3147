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
	OUTPUT_TEMPLATE,	/* a line as the user made it up */
};

struct output {
	enum output_format format;
	const char *template;	/* checked, if it is one */
	bool print_seq;		/* plain: the number on a first line */
	bool nul;		/* NUL instead of newline */
	bool utc;		/* times of a template, not in local time */
};

/*
 * --format, --json, --print-seq, --null and --utc: a parser's child, whose input is a struct
 * output.
 */
extern const struct argp output_argp;

/*
 * Decode @heard and print it to stdout; if records were missed and the format does not tell,
 * stderr does. Does not flush. Returns 0, or STATUS_TROUBLE after a message: its payload was
 * not written by aioevt.
 */
int output_record(const struct output *output, const struct heard *heard);

/*
 * The parts of it. Each returns 0 or -ENOMEM; ferror() tells about @out. With @nul a NUL ends each
 * value or line, and one that has a NUL itself is its JSON.
 */
int output_plain(FILE *out, const struct data *data, bool nul);
int output_json(FILE *out, const struct heard *heard, const struct data *data);

/* The object alone, without a newline. */
int output_object(FILE *out, const struct heard *heard, const struct data *data);

/* Text and bytes as they are, others as JSON. With @nul, those with a NUL too. */
int output_value(FILE *out, const struct aioevt_value *value, bool nul);

/*
 * For any payload, eval of this does nothing but unset variables AIOEVT_*, those of the record
 * before among them, and assign to others. Text and bytes are single-quoted, others are
 * their JSON. A value with a NUL, which no shell can hold, is its JSON too, and AIOEVT_NUL
 * names its variable.
 */
int output_shell(FILE *out, const struct heard *heard, const struct data *data);

/*
 * Note whether the command line, which may be wrong, asks for the format shell. If it does,
 * the end of the program prints a command that gives eval the exit status. To be called first.
 */
void output_expect_shell(int argc, char **argv);

/*
 * Print what precedes the first record, once the options are known; only the format shell has
 * such a thing. It makes eval fail if the program is killed before a record comes; not with
 * @is_stream, since each record of a stream is evaluated alone. Returns 0, or STATUS_TROUBLE
 * after a message.
 */
int output_begin(const struct output *output, bool is_stream);

/* Set the status that eval gets, the one that the program ends with. */
void output_set_status(int status);

/*
 * Templates: text with {event}, {seq}, {time}, {time_ns}, {missed}, {args}, {kwargs}, {json}, {0}
 * and so on for arguments, {NAME} and {kwargs.NAME} for those by key; {{ }} \n \t \0 \\.
 *
 * template_check() ends the program with STATUS_USAGE if @template is none.
 */
void template_check(const char *template);

/* Whether the number of missed records is a part of it. */
bool template_tells_missed(const char *template);

int output_template(FILE *out, const struct output *output, const struct heard *heard,
		    const struct data *data);

#endif
