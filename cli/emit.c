/* SPDX-License-Identifier: MIT */
/* aioevt emit */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "aioevt.h"
#include "args.h"
#include "emit.h"
#include "json.h"
#include "number.h"

#define MAX_LISTENERS	8192	/* of a bus, at most */
#define MIN_SPEED	1e-3
#define MAX_SPEED	1e6

static const char doc[] =
	"Emit the event NAME with arguments, by position and by key. What looks like a "
	"number, true, false or null is one; KEY:=JSON and :=JSON give any JSON value."
	"\v"
	"Status: 0 emitted, 1 not, 5 too few, 6 7 64 as for all. See aioevt-emit(1).";

enum {
	KEY_AFTER = 0x100, KEY_ACK, KEY_ARG, KEY_FROM, KEY_IF_CHANGED, KEY_JSON, KEY_LINES,
	KEY_NEED, KEY_NULL, KEY_ON_LONG, KEY_PRINT_SEQ, KEY_SPEED, KEY_STDIN, KEY_STRING, KEY_TIMEOUT,
};

static const struct argp_option options[] = {
	{ "after", KEY_AFTER, "DURATION", 0,
	  "Emit it then; the bus keeps it, nobody waits", 2 },
	{ "arg", KEY_ARG, "TEXT", 0,
	  "One positional text as it is", 1 },
	{ "json", KEY_JSON, "TEXT", 0,
	  "The whole data, as wait --json prints it",
	  1 },
	{ "stdin", KEY_STDIN, NULL, 0,
	  "Add standard input as the last ARG", 1 },
	{ "string", KEY_STRING, NULL, 0, "Take every ARG and VALUE as text", 1 },
	{ "lines", KEY_LINES, NULL, 0, "One record per input line, its last ARG", 1 },
	/* The option itself is '0' below, with the negative numbers. */
	{ "-0, --null", 0, NULL, OPTION_DOC, "One record per NUL-ended item; -0 before NAME", 1 },
	{ "null", KEY_NULL, NULL, OPTION_HIDDEN, NULL, 1 },
	{ "on-long", KEY_ON_LONG, "HOW", 0, "Too long a line: fail (default), cut or skip", 1 },
	{ "from", KEY_FROM, "FILE", 0, "Records as wait --json prints them, - is stdin", 1 },
	{ "speed", KEY_SPEED, "X", 0, "With --from: X times as fast as they came", 1 },
	{ "need", KEY_NEED, "N", 0, "First wait until N listeners are there", 2 },
	{ "ack", KEY_ACK, "N", 0, "Wait until N reliable listeners handled it", 2 },
	{ "timeout", KEY_TIMEOUT, "DURATION", 0, "For --need and --ack; then status 5", 2 },
	{ "if-changed", KEY_IF_CHANGED, NULL, 0, "Not if the last record has the same data", 2 },
	{ "print-seq", KEY_PRINT_SEQ, NULL, 0, "Print the sequence number", 2 },
	/* Not options but negative numbers; see parse(). */
	{ NULL, '0', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '1', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '2', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '3', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '4', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '5', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '6', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '7', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '8', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '9', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ NULL, '.', "", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0 },
	{ 0 }
};

/* ---- command line --------------------------------------------------------------- */

static void add_word(struct emit *emit, const char *text, bool verbatim)
{
	if (!emit->name && !verbatim)
		emit->name = text;
	else
		emit->words[emit->n_words++] = (struct word){ text, verbatim };
}

/*
 * Take a word that starts with "-" and a digit or point. Behind NAME it is always a value, -0
 * too, which a script may have computed; before NAME only -0 has a meaning, as an option.
 */
static void take_number(struct emit *emit, const char *text)
{
	if (emit->name)
		add_word(emit, text, false);
	else if (!strcmp(text, "-0"))
		emit->by_nuls = true;
	else
		complain_usage("\"%.300s\" before NAME: neither an option nor an event; give NAME "
			       "first", text);
}

static void init_words(struct emit *emit, struct argp_state *state)
{
	emit->bus.program = "aioevt emit";
	state->child_inputs[0] = &emit->bus;
	emit->words = calloc((size_t)state->argc + 1, sizeof(*emit->words));
	check_memory(emit->words ? 0 : -ENOMEM);
}

static uint32_t parse_listeners(const char *option, const char *text)
{
	const char *why = NULL;
	long long n = strtonum(text, 1, MAX_LISTENERS, &why);

	if (why)
		complain_usage("%s \"%s\": %s, not from 1 to %d", option, text, why,
			       MAX_LISTENERS);
	return (uint32_t)n;
}

/* A number over 0, with a point or without. */
static double parse_speed(const char *text)
{
	struct aioevt_value number;
	double speed = 0;

	if (number_parse(text, strlen(text), &number) == 0)
		speed = number.type == AIOEVT_DOUBLE ? number.real :
			number.type == AIOEVT_INT ? (double)number.integer : 0;
	if (!(speed >= MIN_SPEED && speed <= MAX_SPEED))
		complain_usage("--speed \"%s\": not a number from %g to %g", text, MIN_SPEED,
			       MAX_SPEED);
	return speed;
}

static enum on_long parse_on_long(const char *text)
{
	static const char *const names[] = {
		[LONG_FAIL] = "fail", [LONG_SKIP] = "skip", [LONG_CUT] = "cut",
	};

	for (size_t i = LONG_FAIL; i <= LONG_CUT; i++)
		if (!strcmp(text, names[i]))
			return (enum on_long)i;
	complain_usage("--on-long \"%s\": not fail, skip or cut", text);
}

/* What waits, and for how long. */
static error_t parse_waiting(int key, char *arg, struct emit *emit)
{
	switch (key) {
	case KEY_ACK:
		emit->ack = parse_listeners("--ack", arg);
		return 0;
	case KEY_AFTER:
		emit->is_later = true;
		emit->delay = parse_duration("--after", arg);
		return 0;
	case KEY_IF_CHANGED:
		emit->if_changed = true;
		return 0;
	case KEY_NEED:
		emit->need = parse_listeners("--need", arg);
		return 0;
	case KEY_PRINT_SEQ:
		emit->print_seq = true;
		return 0;
	case KEY_TIMEOUT:
		emit->has_timeout = true;
		emit->timeout = parse_duration("--timeout", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct emit *emit = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		init_words(emit, state);
		return 0;
	case ARGP_KEY_ARG:
		add_word(emit, arg, false);
		return 0;
	case KEY_ARG:
		add_word(emit, arg, true);
		return 0;
	case KEY_FROM:
		emit->from = arg;
		return 0;
	case KEY_JSON:
		emit->json = arg;
		return 0;
	case KEY_LINES:
		emit->by_lines = true;
		return 0;
	case KEY_NULL:
		emit->by_nuls = true;
		return 0;
	case KEY_ON_LONG:
		emit->on_long = parse_on_long(arg);
		return 0;
	case KEY_SPEED:
		emit->speed = parse_speed(arg);
		return 0;
	case KEY_STDIN:
		emit->has_stdin = true;
		return 0;
	case KEY_STRING:
		emit->is_text = true;
		return 0;
	case '0' ... '9':
	case '.':
		/* "-2.5" came as option 2 with argument ".5": take the word whole. */
		take_number(emit, state->argv[state->next - 1]);
		return 0;
	default:
		return parse_waiting(key, arg, emit);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME [ARG...] [KEY=VALUE...] [KEY:=JSON...]",
	.doc = doc,
	.children = bus_children,
};

/* ---- what goes together ----------------------------------------------------------- */

static const char *stream_of(const struct emit *emit)
{
	return emit->from ? "--from" : emit->by_lines ? "--lines" : emit->by_nuls ? "--null" : NULL;
}

static void refuse_beside(const char *stream, bool is_given, const char *option)
{
	if (is_given)
		complain_usage("%s beside %s: one or the other", option, stream);
}

/* With many records. */
static void check_stream(const struct emit *emit, const char *stream)
{
	refuse_beside(stream, emit->by_lines && emit->by_nuls, "--null");
	refuse_beside(stream, emit->from && (emit->by_lines || emit->by_nuls),
		      emit->by_lines ? "--lines" : "--null");
	refuse_beside(stream, emit->has_stdin, "--stdin");
	refuse_beside(stream, emit->json, "--json");
	refuse_beside(stream, emit->is_later, "--after");
	refuse_beside(stream, emit->ack, "--ack");
	refuse_beside(stream, emit->if_changed, "--if-changed");
	refuse_beside(stream, emit->print_seq, "--print-seq");
	if (!emit->from)
		return;
	refuse_beside(stream, emit->is_text, "--string");
	if (emit->n_words)
		complain_usage("--from gives the whole data: no ARG, KEY or --arg beside it");
	if (emit->need && !emit->name)
		complain_usage("--need beside --from needs the NAME of an event");
}

static void check_options(struct emit *emit)
{
	const char *stream = stream_of(emit);

	if (!emit->name && !emit->from)
		complain_usage("emit needs the NAME of an event; see aioevt emit --help");
	if (emit->name)
		check_name(emit->name);
	if (stream)
		check_stream(emit, stream);
	if (emit->is_later && emit->print_seq)
		complain_usage("--print-seq beside --after: a record to come has no number yet");
	refuse_beside("--after", emit->is_later && emit->ack, "--ack");
	refuse_beside("--after", emit->is_later && emit->if_changed, "--if-changed");
	if (emit->has_timeout && !emit->need && !emit->ack)
		complain_usage("--timeout is for --need and --ack, of which there is none");
	if (emit->on_long && !emit->by_lines && !emit->by_nuls)
		complain_usage("--on-long is for --lines and --null, of which there is none");
	if (emit->speed > 0 && !emit->from)
		complain_usage("--speed is for --from, which is not there");
}

/* ---- data ------------------------------------------------------------------------- */

static void read_json_data(struct emit *emit)
{
	struct json_error error;
	int err;

	if (emit->n_words || emit->has_stdin)
		complain_usage("--json gives the whole data: no ARG, --arg or --stdin "
			       "beside it");
	err = json_read_data(emit->json, strlen(emit->json), &emit->data, &error);
	if (err == -EINVAL)
		complain_usage("--json: %s", error.why);
	check_memory(err);
}

static void build_data(struct emit *emit)
{
	enum args_mode mode = emit->is_text ? ARGS_TEXT : ARGS_TYPED;
	size_t i;

	if (emit->json) {
		read_json_data(emit);
		return;
	}
	for (i = 0; i < emit->n_words; i++)
		args_add(&emit->data, emit->words[i].text,
			 emit->words[i].verbatim ? ARGS_VERBATIM : mode);
	args_finish(&emit->data);
}

int emit_main(int argc, char **argv, const struct bus_options *bus)
{
	struct emit emit = { .bus = *bus };
	int status;

	data_init(&emit.data);
	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &emit);
	check_options(&emit);
	build_data(&emit);
	emit.deadline = emit.has_timeout ? aioevt_in_ns(emit.timeout) : AIOEVT_FOREVER;
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	status = emit.from ? emit_from(&emit) :
		 stream_of(&emit) ? emit_lines(&emit) : emit_once(&emit);

	data_deinit(&emit.data);
	free(emit.words);
	free(emit.input);
	free(emit.payload);
	return status;
}
