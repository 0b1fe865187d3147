/* SPDX-License-Identifier: MIT */
/* aioevt emit */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aioevt.h"
#include "args.h"
#include "common.h"
#include "json.h"
#include "wire.h"

#define ATTEMPTS	8	/* to emit while the bus is being removed */

static const char doc[] =
	"Emit the event NAME with arguments, by position and by key. What looks like a "
	"number, true, false or null is one; KEY:=JSON and :=JSON give any JSON value."
	"\v"
	"Status: 0 emitted, 1 not, 6 7 64 as for all. See aioevt-emit(1).";

enum { KEY_AFTER = 0x100, KEY_ARG, KEY_JSON, KEY_PRINT_SEQ, KEY_STDIN, KEY_STRING };

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

struct word {
	const char *text;
	bool verbatim;
};

struct emit {
	struct bus_options bus;
	const char *name;
	const char *json;
	bool is_text, has_stdin, print_seq, is_later;
	uint64_t delay;			/* ns, if it is later */
	struct word *words;
	size_t n_words;
	struct data data;
	char *input;			/* standard input */
	void *payload;			/* encoded data */
	size_t size;
};

/* ---- command line --------------------------------------------------------------- */

static void add_word(struct emit *emit, const char *text, bool verbatim)
{
	if (!emit->name && !verbatim)
		emit->name = text;
	else
		emit->words[emit->n_words++] = (struct word){ text, verbatim };
}

static void init_words(struct emit *emit, struct argp_state *state)
{
	emit->bus.program = "aioevt emit";
	state->child_inputs[0] = &emit->bus;
	emit->words = calloc((size_t)state->argc + 1, sizeof(*emit->words));
	check_memory(emit->words ? 0 : -ENOMEM);
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
	case KEY_AFTER:
		emit->is_later = true;
		emit->delay = parse_duration("--after", arg);
		return 0;
	case KEY_ARG:
		add_word(emit, arg, true);
		return 0;
	case KEY_JSON:
		emit->json = arg;
		return 0;
	case KEY_STDIN:
		emit->has_stdin = true;
		return 0;
	case KEY_STRING:
		emit->is_text = true;
		return 0;
	case KEY_PRINT_SEQ:
		emit->print_seq = true;
		return 0;
	case '0' ... '9':
	case '.':
		/* "-2.5" came as option 2 with argument ".5": take the word whole. */
		add_word(emit, state->argv[state->next - 1], false);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME [ARG...] [KEY=VALUE...] [KEY:=JSON...]",
	.doc = doc,
	.children = bus_children,
};

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

/* ---- emission ------------------------------------------------------------------- */

/* Read at most @max bytes; more is left unread and makes *ret_len @max + 1. */
static int read_input(char **ret_input, size_t max, size_t *ret_len)
{
	size_t len = 0, room = 0;
	char *input = NULL, *more;
	ssize_t n = 1;

	while (n && len <= max) {
		if (len == room) {
			room = room ? 2 * room : 4096;
			more = realloc(input, room);
			if (!more) {
				free(input);
				return -ENOMEM;
			}
			input = more;
		}
		n = read(STDIN_FILENO, input + len, room - len);
		if (n < 0 && errno != EINTR) {
			free(input);
			return -errno;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_input = input;
	*ret_len = len;
	return 0;
}

static int complain_size(const char *what, const struct aioevt_shm_info *info)
{
	complain("%s over the %" PRIu32 " bytes that the bus takes (max_payload); nothing "
		 "was emitted", what, info->max_payload);
	return STATUS_TROUBLE;
}

static int add_input(struct emit *emit, struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;
	struct aioevt_value value;
	size_t len = 0;
	int err;

	err = aioevt_shm_get_info(bus, &info);
	if (err < 0)
		return bus_trouble(&emit->bus, bus, NULL, err);
	err = read_input(&emit->input, info.max_payload, &len);
	if (err < 0) {
		complain("standard input: %s", strerror(-err));
		return STATUS_TROUBLE;
	}
	if (len > info.max_payload)
		return complain_size("standard input is", &info);

	value = args_text(emit->input, len);
	check_memory(value_list_add(&emit->data.args, &value));
	return STATUS_DONE;
}

static int encode(struct emit *emit)
{
	int err;

	err = wire_encode(&emit->data, NULL, 0, &emit->size);
	if (err == -ENOBUFS) {
		emit->payload = malloc(emit->size);
		check_memory(emit->payload ? 0 : -ENOMEM);
		err = wire_encode(&emit->data, emit->payload, emit->size, &emit->size);
	}
	if (err == 0)
		return STATUS_DONE;
	complain("the data cannot be encoded: %s", strerror(-err));
	return STATUS_TROUBLE;
}

static int complain_full(const struct emit *emit, struct aioevt_shm_event *event)
{
	struct aioevt_shm_event_info info = { 0 };

	aioevt_shm_event_get_info(event, &info);
	complain("event \"%s\": reliable listener of process %d is %" PRIu64 " records "
		 "behind and %" PRIu32 " is all that are held; nothing was emitted",
		 emit->name, (int)info.slowest_pid, info.slowest_lag, info.depth);
	return STATUS_TROUBLE;
}

/* @event is NULL if it could not be opened. */
static int complain_emit(const struct emit *emit, struct aioevt_shm *bus,
			 struct aioevt_shm_event *event, int err)
{
	struct aioevt_shm_info info;
	char what[64];

	if (!event || aioevt_shm_get_info(bus, &info) < 0)
		return bus_trouble(&emit->bus, bus, emit->name, err);
	if (err == -EAGAIN)
		return complain_full(emit, event);
	if (err == -EMSGSIZE) {
		snprintf(what, sizeof(what), "the data takes %zu bytes,", emit->size);
		return complain_size(what, &info);
	}
	if (emit->size > info.inline_size && (err == -EFBIG || err == -ENOSPC))
		return payload_trouble(&emit->bus, emit->name, emit->size,
				       info.inline_size, err);
	return bus_trouble(&emit->bus, bus, emit->name, err);
}

/* Keep it on the bus until it is due. */
static int emit_later(struct emit *emit, struct aioevt_shm *bus)
{
	int err = aioevt_shm_emit_after(bus, emit->name, emit->payload, emit->size,
					aioevt_in_ns(emit->delay), NULL);

	if (err != -ENOSPC)
		return err;
	complain("event \"%s\": no room for one more emission to come; nothing was scheduled",
		 emit->name);
	return STATUS_TROUBLE;
}

/* Returns the exit status, or -ESTALE if the bus was removed meanwhile: try again. */
static int emit_once(struct emit *emit, uint64_t *ret_seq)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	_cleanup_(event_closep) struct aioevt_shm_event *event = NULL;
	int status, err;

	status = bus_attach(&emit->bus, 0, &bus);
	if (status)
		return status;
	if (emit->has_stdin && !emit->input)
		status = add_input(emit, bus);
	if (!status && !emit->payload)
		status = encode(emit);
	if (status)
		return status;

	if (emit->is_later)
		err = emit_later(emit, bus);
	else
		err = aioevt_shm_event_open(bus, emit->name, AIOEVT_SHM_PRECISE_TIME, &event);
	if (err == 0 && event)
		err = aioevt_shm_emit(event, emit->payload, emit->size, ret_seq);
	if (err >= 0 || err == -ESTALE)
		return err;
	return complain_emit(emit, bus, event, err);
}

static int run(struct emit *emit)
{
	uint64_t seq = 0;
	int status = -ESTALE, i;

	for (i = 0; i < ATTEMPTS && status == -ESTALE; i++)
		status = emit_once(emit, &seq);
	if (status == -ESTALE)
		return bus_trouble(&emit->bus, NULL, emit->name, -ESTALE);
	if (status || !emit->print_seq)
		return status;

	printf("%" PRIu64 "\n", seq);
	return finish_output();
}

int emit_main(int argc, char **argv, const struct bus_options *bus)
{
	struct emit emit = { .bus = *bus };
	int status;

	data_init(&emit.data);
	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &emit);
	if (!emit.name)
		complain_usage("emit needs the NAME of an event; see aioevt emit --help");
	check_name(emit.name);
	if (emit.is_later && emit.print_seq)
		complain_usage("--print-seq beside --after: a record to come has no number yet");
	build_data(&emit);
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	status = run(&emit);

	data_deinit(&emit.data);
	free(emit.words);
	free(emit.input);
	free(emit.payload);
	return status;
}
