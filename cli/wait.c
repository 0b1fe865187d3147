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
#include "output.h"

static const char doc[] =
	"Wait for an event and print what it carries. A NAME may be a pattern (*, >)."
	"\v"
	"Status: 0 it came, 1 trouble, 6 7 64 as for all, 124 timed out, 126 127 or "
	"COMMAND's. See aioevt-wait(1).";

enum { KEY_AFTER = 0x100 };

static const struct argp_option options[] = {
	{ "timeout", 't', "DURATION", 0, "Give up then, with status 124", 1 },
	{ "after", KEY_AFTER, "SEQ", 0,
	  "Take records newer than number SEQ, also old ones", 1 },
	{ 0 }
};

struct wait {
	struct bus_options bus;
	char **names;
	size_t n_names;
	char **command;			/* NULL: none */
	uint64_t timeout;		/* ns; AIOEVT_SHM_NO_DEADLINE: none */
	uint64_t after;
	bool has_after;
	struct output output;
};

/* ---- command line --------------------------------------------------------------- */

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
		state->child_inputs[1] = &wait->output;
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
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &bus_argp, 0, NULL, 0 }, { &output_argp, 0, NULL, 0 }, { 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME... [-- COMMAND [ARG...]]",
	.doc = doc,
	.children = children,
};

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
		status = output_record(&wait->output, &heard);
		if (!status)
			status = finish_output();
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
