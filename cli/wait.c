/* SPDX-License-Identifier: MIT */
/* aioevt wait: its command line. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include <bsd/stdlib.h>

#include "group.h"
#include "ready.h"
#include "wait.h"

static const char doc[] = "Wait for events and print them. Status: as aioevt-wait(1) tells.";

enum {
	KEY_AFTER = 0x100, KEY_ALL, KEY_ANY, KEY_COUNT, KEY_CURSOR_FILE, KEY_FOLLOW, KEY_OBSERVE, KEY_OR_LAST,
	KEY_KILL, KEY_READY_FD, KEY_STRICT, KEY_WHERE, KEY_WHILE_ALIVE,
};

static const struct argp_option options[] = {
	{ "after", KEY_AFTER, "SEQ", 0, "Take records newer than number SEQ, also old ones", 1 },
	{ "all", KEY_ALL, NULL, 0, "Wait for each NAME, not for any (default)", 1 },
	{ "any", KEY_ANY, NULL, OPTION_ALIAS, NULL, 1 },
	{ "count", KEY_COUNT, "N", 0, "Take N records; with --all N of each NAME", 1 },
	{ "cursor-file", KEY_CURSOR_FILE, "FILE", 0, "Go on where the last run ended", 1 },
	{ "follow", KEY_FOLLOW, NULL, 0, "Print each record, until interrupted", 1 },
	{ "observe", KEY_OBSERVE, NULL, 0, "Do not count for emit --need", 1 },
	{ "kill", KEY_KILL, "SIGNAL", OPTION_ARG_OPTIONAL,
	  "At the timeout, end COMMAND with SIGNAL (TERM)", 1 },
	{ "or-last", KEY_OR_LAST, NULL, 0, "The newest record that is there will do", 1 },
	{ "ready-fd", KEY_READY_FD, "FD", 0, "Write a newline to FD once listening", 1 },
	{ "strict", KEY_STRICT, NULL, 0, "Status 3 if records were missed", 1 },
	{ "timeout", 't', "DURATION", 0, "Give up then, with status 124", 1 },
	{ "where", KEY_WHERE, "EXPR", 0, "Only if so, as 'args[0] > 9 && event =~ \"x$\"'", 1 },
	{ "while-alive", KEY_WHILE_ALIVE, "PID", 0, "Give up when it ends, with status 4", 1 },
	{ 0 }
};

static uint64_t parse_number(const char *option, const char *text, int64_t least, int64_t most)
{
	const char *why = NULL;
	long long number = strtonum(text, least, most, &why);

	if (why)
		complain_usage("%s \"%s\": %s, not from %" PRId64 " to %" PRId64, option, text,
			       why, least, most);
	return (uint64_t)number;
}

static struct where *parse_where(const char *text)
{
	struct where *where = NULL;
	struct where_error error;
	int err = where_parse(text, &where, &error);

	if (err == -EINVAL)
		complain_usage("--where: %s", error.why);
	check_memory(err);
	return where;
}

static void take_word(struct wait *wait, char *word, struct argp_state *state)
{
	if (state->quoted && state->next > state->quoted) {
		wait->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return;
	}
	if (wait->n_names && state->next != wait->next_name && !wait->stray_name)
		wait->stray_name = word;
	wait->next_name = state->next + 1;
	check_pattern(word);
	wait->names[wait->n_names++] = word;
}

static void init(struct wait *wait, struct argp_state *state)
{
	wait->bus.program = "aioevt wait";
	state->child_inputs[0] = &wait->bus;
	state->child_inputs[1] = &wait->output;
	wait->names = calloc((size_t)state->argc + 1, sizeof(*wait->names));
	check_memory(wait->names ? 0 : -ENOMEM);
}

/* What does not go together. */
static void check(const struct wait *wait, const struct argp_state *state)
{
	if (state->quoted && !wait->command)
		complain_usage("no COMMAND after \"--\"");
	/* "wait e -t 1 sleep 9" would wait for an event "sleep". */
	if (wait->stray_name && !state->quoted)
		complain_usage("\"%.300s\" behind an option that follows a NAME: give all NAMEs "
			       "together, and \"--\" before COMMAND", wait->stray_name);
	if (wait->kill && !wait->command)
		complain_usage("--kill is for COMMAND, which is not there");
	if (wait->kill && wait->timeout == AIOEVT_SHM_NO_DEADLINE)
		complain_usage("--kill is for a --timeout, which is not there");
	if (wait->all && wait->any)
		complain_usage("--any beside --all");
	if (wait->has_after && (wait->or_last || wait->cursor_file))
		complain_usage("--after beside %s: both say where to begin",
			       wait->or_last ? "--or-last" : "--cursor-file");
	if (wait->follow && wait->all && !wait->has_count)
		complain_usage("--follow beside --all, without --count: it would never end");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wait *wait = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		init(wait, state);
		return 0;
	case ARGP_KEY_ARG:
		take_word(wait, arg, state);
		return 0;
	case ARGP_KEY_END:
		check(wait, state);
		return 0;
	case 't':
		wait->timeout = parse_duration("--timeout", arg);
		return 0;
	case KEY_AFTER:
		wait->after = parse_number("--after", arg, 0, INT64_MAX - 1);
		wait->has_after = true;
		return 0;
	case KEY_ALL:
		wait->all = true;
		return 0;
	case KEY_ANY:
		wait->any = true;
		return 0;
	case KEY_COUNT:
		wait->count = parse_number("--count", arg, 1, INT64_MAX);
		wait->has_count = true;
		return 0;
	case KEY_CURSOR_FILE:
		wait->cursor_file = arg;
		return 0;
	case KEY_FOLLOW:
		wait->follow = true;
		return 0;
	case KEY_OBSERVE:
		wait->observe = true;
		return 0;
	case KEY_KILL:
		wait->kill = arg ? parse_signal("--kill", arg) : SIGTERM;
		return 0;
	case KEY_OR_LAST:
		wait->or_last = true;
		return 0;
	case KEY_READY_FD:
		wait->ready_fd = ready_parse(arg);
		return 0;
	case KEY_STRICT:
		wait->strict = true;
		return 0;
	case KEY_WHERE:
		where_free(wait->where);
		wait->where = parse_where(arg);
		return 0;
	case KEY_WHILE_ALIVE:
		wait->alive = (pid_t)parse_number("--while-alive", arg, 1, INT_MAX);
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

int wait_main(int argc, char **argv, const struct bus_options *bus)
{
	struct wait wait = {
		.bus = *bus, .timeout = AIOEVT_SHM_NO_DEADLINE, .ready_fd = -1, .count = 1,
	};
	int status;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &wait);
	if (!wait.n_names)
		complain_usage("wait needs the NAME of an event; see aioevt wait --help");
	if (wait.follow && !wait.has_count)
		wait.count = UINT64_MAX;

	status = wait_run(&wait);
	where_free(wait.where);
	free(wait.names);
	return status;
}
