/* SPDX-License-Identifier: MIT */
/* aioevt get */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "aioevt.h"
#include "common.h"
#include "count.h"
#include "output.h"

#define ATTEMPTS	8			/* to look while the bus is being removed */
#define SETTLE_NS	UINT64_C(100000000)	/* for an emitter that is in the way */
#define FIRST_ROOM	4096			/* bytes; grown to what a record takes */

static const char doc[] =
	"Print the last value of the event NAME that is held, without waiting; of each event, "
	"sorted by name, if it is a pattern (*, >)."
	"\v"
	"Status: 0 printed, 1 trouble, 2 there is none, 6 7 64 as for all. See aioevt-get(1).";

static const struct argp_option options[] = {
	{ "n", 'n', "N", 0, "The last N values, the oldest of them first", 1 },
	{ 0 }
};

struct get {
	struct bus_options bus;
	const char *name;
	uint64_t n;
	struct output output;
	char (*events)[AIOEVT_SHM_NAME_MAX + 1];
	size_t n_events, room;
	struct heard heard;
	uint64_t n_printed;
};

/* ---- command line --------------------------------------------------------------- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct get *get = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		get->bus.program = "aioevt get";
		state->child_inputs[0] = &get->bus;
		state->child_inputs[1] = &get->output;
		return 0;
	case ARGP_KEY_ARG:
		if (get->name)
			complain_usage("\"%s\": one NAME or pattern at most", arg);
		check_pattern(arg);
		get->name = arg;
		return 0;
	case 'n':
		get->n = parse_count("--n", arg, 1, INT32_MAX);
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
	.args_doc = "NAME",
	.doc = doc,
	.children = children,
};

static bool is_pattern(const struct get *get)
{
	return strpbrk(get->name, "*>");
}

/* ---- which events --------------------------------------------------------------- */

static void add_event(struct get *get, const char *name)
{
	void *events;

	if (get->n_events == get->room) {
		get->room = get->room ? 2 * get->room : 64;
		events = reallocarray(get->events, get->room, sizeof(*get->events));
		check_memory(events ? 0 : -ENOMEM);
		get->events = events;
	}
	strcpy(get->events[get->n_events++], name);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int find_events(struct get *get, struct aioevt_shm *bus)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;
	int r;

	get->n_events = 0;
	if (!is_pattern(get)) {
		add_event(get, get->name);
		return 0;
	}
	while ((r = aioevt_shm_event_next(bus, &walk, name)) > 0)
		if (aioevt_shm_pattern_match(get->name, name))
			add_event(get, name);
	if (get->n_events)
		qsort(get->events, get->n_events, sizeof(*get->events), compare);
	return r;
}

/* ---- their records -------------------------------------------------------------- */

static int make_room(struct heard *heard, size_t room)
{
	void *payload = realloc(heard->payload, room);

	if (!payload)
		return -ENOMEM;
	heard->payload = payload;
	heard->room = room;
	return 0;
}

/* Into get->heard. Returns 1, 0 if there is none, or an error. */
static int read_record(struct get *get, struct aioevt_shm_sub *sub)
{
	struct heard *heard = &get->heard;
	struct aioevt_shm_record record;
	int n = heard->room ? 0 : make_room(heard, FIRST_ROOM);

	if (n < 0)
		return n;
	while ((n = aioevt_shm_read(sub, &record, 1, heard->payload, heard->room)) == -ENOBUFS) {
		n = make_room(heard, record.size);
		if (n < 0)
			return n;
	}
	if (n <= 0)
		return n;
	strcpy(heard->event, aioevt_shm_sub_name(sub));
	heard->seq = record.seq;
	heard->time = record.time;
	heard->missed = 0;		/* what was the last when it was looked for need not be now */
	heard->size = record.size;
	return 1;
}

/*
 * Print up to get->n records of @sub, to number @last at least one. Between them may be one
 * that an emitter is about to write, perhaps a stopped one: the wait gives that up.
 */
static int print_records(struct get *get, struct aioevt_shm_listener *listener,
			 struct aioevt_shm_sub *sub, uint64_t last)
{
	uint64_t deadline = aioevt_in_ns(SETTLE_NS), seq = 0;
	int status = STATUS_DONE, r;

	for (uint64_t n = 0; n < get->n && seq < last; ) {
		r = read_record(get, sub);
		if (!r)
			r = aioevt_shm_wait(listener, deadline, &sub);
		else if (r > 0)
			seq = get->heard.seq;
		if (r == -ETIMEDOUT)
			break;
		if (r < 0)
			return r;
		if (!r)
			continue;
		n++;
		get->n_printed++;
		if (output_record(&get->output, &get->heard))
			status = STATUS_TROUBLE;
	}
	return status;
}

/*
 * What is due goes out before the last is looked for: emissions to come that nobody listened
 * to wait for one who does.
 */
static int fire_due(struct aioevt_shm_listener *listener, const char *name)
{
	struct aioevt_shm_sub *sub, *ready;
	int err;

	err = aioevt_shm_listen(listener, name, AIOEVT_SHM_EXISTING | AIOEVT_SHM_OBSERVE,
				AIOEVT_SHM_FROM_NEW, 0, &sub);
	if (err < 0)
		return err;
	err = aioevt_shm_wait(listener, 0, &ready);
	aioevt_shm_sub_close(sub);
	return err == -ETIMEDOUT ? 0 : err;
}

static int look_back(struct get *get, struct aioevt_shm_listener *listener,
		     struct aioevt_shm_event *event, const char *name)
{
	struct aioevt_shm_event_info info;
	struct aioevt_shm_sub *sub;
	int err;

	err = fire_due(listener, name);
	if (err == 0)
		err = aioevt_shm_event_get_info(event, &info);
	if (err < 0 || !info.last_seq)
		return err;
	err = aioevt_shm_listen(listener, name, AIOEVT_SHM_EXISTING | AIOEVT_SHM_OBSERVE, AIOEVT_SHM_FROM_LAST,
				get->n, &sub);
	if (err < 0)
		return err;
	err = print_records(get, listener, sub, info.last_seq);
	aioevt_shm_sub_close(sub);
	return err;
}

/* Returns the exit status, or -ESTALE. An event that is not there, or goes, has none. */
static int get_event(struct get *get, struct aioevt_shm *bus,
		     struct aioevt_shm_listener *listener, const char *name)
{
	_cleanup_(event_closep) struct aioevt_shm_event *event = NULL;
	int err;

	err = aioevt_shm_event_open(bus, name, AIOEVT_SHM_EXISTING, &event);
	if (err == 0)
		err = look_back(get, listener, event, name);
	if (err == -ENOENT)
		return STATUS_DONE;
	return err < 0 && err != -ESTALE ? bus_trouble(&get->bus, bus, name, err) : err;
}

/* ---- all of it ------------------------------------------------------------------ */

static int get_events(struct get *get, struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *listener = NULL;
	int status, one, err;

	err = find_events(get, bus);
	if (err == 0)
		err = aioevt_shm_listener_new(bus, &listener);
	if (err < 0)
		return err == -ESTALE ? err : bus_trouble(&get->bus, bus, NULL, err);
	status = STATUS_DONE;
	for (size_t i = 0; i < get->n_events; i++) {
		one = get_event(get, bus, listener, get->events[i]);
		if (one)
			status = one;
		if (one == -ESTALE)
			break;
	}
	aioevt_shm_listener_free(listener);
	return status;
}

static int complain_none(const struct get *get)
{
	complain(is_pattern(get) ? "no event under \"%s\" has a record that is held" :
				   "event \"%s\": no record is held", get->name);
	return STATUS_NONE;
}

/* Returns the exit status, or -ESTALE if the bus was removed meanwhile. */
static int get_once(struct get *get)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	int status;

	status = bus_attach(&get->bus, AIOEVT_SHM_EXISTING, &bus);
	if (!status && bus)
		status = get_events(get, bus);
	if (!status && !get->n_printed)
		status = complain_none(get);
	return status;
}

int get_main(int argc, char **argv, const struct bus_options *bus)
{
	struct get get = { .bus = *bus, .n = 1 };
	int status = -ESTALE, printed;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &get);
	if (!get.name)
		complain_usage("get needs the NAME of an event; see aioevt get --help");
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	printed = output_begin(&get.output, false);
	if (printed)
		end_program(printed);
	for (int i = 0; i < ATTEMPTS && status == -ESTALE && !get.n_printed; i++)
		status = get_once(&get);
	if (status == -ESTALE)
		status = bus_trouble(&get.bus, NULL, NULL, status);
	printed = finish_output();
	heard_deinit(&get.heard);
	free(get.events);
	return status ? status : printed;
}
