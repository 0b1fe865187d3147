/* SPDX-License-Identifier: MIT */
/* aioevt wait */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/stdlib.h>

#include "command.h"
#include "aioevt.h"
#include "common.h"
#include "duration.h"
#include "output.h"
#include "wire.h"

static const char doc[] =
	"Wait for one event and print what it carries. Several NAMEs, or patterns (\"*\" "
	"stands for one token between points, a last \">\" for one or more), mean any of "
	"them: the first to come, or of those there already the oldest.\v"
	"With COMMAND: listen, run COMMAND, then wait; nothing that COMMAND causes can be "
	"missed. When the event comes, aioevt prints it and ends, and COMMAND, if it still "
	"runs, goes on by itself; likewise when the time is up. When COMMAND fails before "
	"the event, aioevt ends with its status (128 plus the signal's number); when it "
	"succeeds, aioevt goes on waiting. COMMAND shares standard input, output and error.\n"
	"\n"
	"Formats: plain prints the arguments one per line (text and bytes as they are, "
	"other types as JSON), then KEY=VALUE lines, sorted by length and bytes of the "
	"key. If records were missed, standard error says how many. json prints "
	"{\"event\",\"seq\",\"time\",\"args\",\"kwargs\",\"missed\"} on one line, time in "
	"nanoseconds since 1970; see aioevt emit --help for bytes and such. shell prints "
	"assignments that are safe to eval: AIOEVT_EVENT, _SEQ, _TIME, _MISSED, _NARGS, "
	"_ARG_0, ...; AIOEVT_KW_key for a key of letters, digits and \"_\", and AIOEVT_KX_ "
	"for any other, with every byte but letters and digits as \"_\" and two "
	"hexadecimal digits; AIOEVT_KEYS names these variables. A value with a NUL byte is "
	"its JSON form there, and AIOEVT_NUL names the variable.\n"
	"\n"
	"DURATION is seconds, with a fraction or not, or a number with ms, s, m or h.\n"
	"\n"
	"Exit status: 0 the event came; 1 trouble; 6 incompatible bus; 7 permission or "
	"ownership; 64 usage; 124 timed out (nothing on standard output); COMMAND's own, "
	"126 if it cannot be run, 127 if it is not found.";

enum { KEY_AFTER = 0x100, KEY_FORMAT, KEY_JSON, KEY_PRINT_SEQ };

static const struct argp_option options[] = {
	{ "timeout", 't', "DURATION", 0, "Give up after this time, with status 124", 1 },
	{ "after", KEY_AFTER, "SEQ", 0,
	  "Take the first record newer than number SEQ (of each event), even if it was "
	  "emitted before", 1 },
	{ "format", KEY_FORMAT, "FORMAT", 0, "plain (default), json or shell", 2 },
	{ "json", KEY_JSON, NULL, 0, "The same as --format json", 2 },
	{ "print-seq", KEY_PRINT_SEQ, NULL, 0,
	  "Print the sequence number on a first line (plain; the other formats have it)",
	  2 },
	{ 0 }
};

struct wait {
	struct bus_options bus;
	char **names;
	size_t n_names;
	char **command;			/* NULL: none */
	uint64_t timeout;		/* ns; AIOEVT_SHM_NO_DEADLINE: none */
	uint64_t after;
	bool has_after, print_seq;
	enum output_format format;
};

/* ---- command line --------------------------------------------------------------- */

static enum output_format parse_format(const char *name)
{
	if (!strcmp(name, "plain"))
		return OUTPUT_PLAIN;
	if (!strcmp(name, "json"))
		return OUTPUT_JSON;
	if (!strcmp(name, "shell"))
		return OUTPUT_SHELL;
	complain_usage("--format \"%s\": not plain, json or shell", name);
}

static uint64_t parse_seq(const char *text)
{
	const char *why = NULL;
	long long seq;

	seq = strtonum(text, 0, INT64_MAX - 1, &why);
	if (why)
		complain_usage("--after \"%s\": %s, not from 0 to %" PRId64, text, why,
			       INT64_MAX - 1);
	return (uint64_t)seq;
}

static void take_word(struct wait *wait, char *word, struct argp_state *state)
{
	if (state->quoted && state->next > state->quoted) {
		wait->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return;
	}
	check_pattern(word);
	wait->names[wait->n_names++] = word;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wait *wait = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		wait->bus.program = "aioevt wait";
		state->child_inputs[0] = &wait->bus;
		wait->names = calloc((size_t)state->argc + 1, sizeof(*wait->names));
		check_memory(wait->names ? 0 : -ENOMEM);
		return 0;
	case ARGP_KEY_ARG:
		take_word(wait, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (state->quoted && !wait->command)
			complain_usage("no COMMAND after \"--\"");
		return 0;
	case 't':
		wait->timeout = parse_duration("--timeout", arg);
		return 0;
	case KEY_AFTER:
		wait->after = parse_seq(arg);
		wait->has_after = true;
		return 0;
	case KEY_FORMAT:
		wait->format = parse_format(arg);
		return 0;
	case KEY_JSON:
		wait->format = OUTPUT_JSON;
		return 0;
	case KEY_PRINT_SEQ:
		wait->print_seq = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME... [-- COMMAND [ARG...]]",
	.doc = doc,
	.children = bus_children,
};

/* ---- output --------------------------------------------------------------------- */

static int print_data(const struct wait *wait, const struct heard *heard,
		      const struct data *data)
{
	if (wait->format == OUTPUT_JSON)
		return output_json(stdout, heard, data);
	if (wait->format == OUTPUT_SHELL)
		return output_shell(stdout, heard, data);

	if (heard->missed)
		complain("event \"%s\": %" PRIu64 " records before number %" PRIu64
			 " were missed", heard->event, heard->missed, heard->seq);
	if (wait->print_seq)
		printf("%" PRIu64 "\n", heard->seq);
	return output_plain(stdout, data);
}

static int print(const struct wait *wait, const struct heard *heard)
{
	_cleanup_(data_deinit) struct data data;
	int err;

	data_init(&data);
	err = wire_decode(heard->payload, heard->size, &data);
	if (err == -EBADMSG) {
		complain("event \"%s\": record %" PRIu64 " (%zu bytes) was not written by "
			 "aioevt", heard->event, heard->seq, heard->size);
		return STATUS_TROUBLE;
	}
	check_memory(err);
	check_memory(print_data(wait, heard, &data));
	return finish_output();
}

/* ---- waiting -------------------------------------------------------------------- */

static int hear(const struct wait *wait, struct ear *ear, struct heard *heard)
{
	uint64_t deadline = wait->timeout == AIOEVT_FOREVER ? AIOEVT_FOREVER :
			    aioevt_in_ns(wait->timeout);
	struct command command;
	int status, failure = 0, err;

	if (wait->command) {
		status = command_start(&command, wait->command, ear);
		if (status)
			return status;
	}
	err = ear_hear(ear, deadline, heard);
	if (wait->command)
		failure = command_settle(&command);

	if (err == 0)
		return STATUS_DONE;
	if (err == -EINTR && failure)
		return failure;
	if (err == -ETIMEDOUT)
		return STATUS_TIMEOUT;
	if (err == -ECANCELED)
		return STATUS_TROUBLE;
	return bus_trouble(&wait->bus, ear->bus, NULL, err);
}

static int run(const struct wait *wait)
{
	struct heard heard = { 0 };
	struct ear ear = EAR_INIT;
	int status;

	ear.options = &wait->bus;
	ear.names = wait->names;
	ear.n_names = wait->n_names;
	ear.after = wait->after;
	ear.from_after = wait->has_after;
	status = ear_open(&ear);
	if (status)
		return status;

	status = hear(wait, &ear, &heard);
	ear_close(&ear);
	if (ear.lost)
		complain("up to %" PRIu64 " events came and went unread", ear.lost);
	if (status == 0) {
		signal(SIGPIPE, SIG_IGN);	/* a write error says more */
		status = print(wait, &heard);
	}
	heard_deinit(&heard);
	return status;
}

int wait_main(int argc, char **argv, const struct bus_options *bus)
{
	struct wait wait = { .bus = *bus, .timeout = AIOEVT_SHM_NO_DEADLINE };
	int status;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &wait);
	if (!wait.n_names)
		complain_usage("wait needs the NAME of an event; see aioevt wait --help");

	status = run(&wait);
	free(wait.names);
	return status;
}
