/* SPDX-License-Identifier: MIT */
/* aioevt watch */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aioevt.h"
#include "common.h"
#include "count.h"
#include "line.h"
#include "output.h"
#include "sink.h"
#include "wire.h"

static const char doc[] =
	"Show all events live, or those under PATTERNs (*, >), one line for each record: time, "
	"event, number, arguments."
	"\v"
	"Status: 0 done, 1 trouble, 6 7 64 as for all, 124 timed out before --count. See "
	"aioevt-watch(1).";

enum { KEY_COUNT = 0x100, KEY_JSON, KEY_UTC };

static const struct argp_option options[] = {
	{ "count", KEY_COUNT, "N", 0, "End after N records", 1 },
	{ "timeout", 't', "DURATION", 0, "End then", 1 },
	{ "json", KEY_JSON, NULL, 0, "One JSON object per line", 2 },
	{ "utc", KEY_UTC, NULL, 0, "Times in UTC, not in local time", 2 },
	{ 0 }
};

struct watch {
	struct bus_options bus;
	char **patterns;
	size_t n_patterns;
	uint64_t count;			/* 0: no end */
	uint64_t timeout;		/* ns */
	bool json;
	struct line_style style;

	struct ear ear;
	struct sink sink;
	struct heard heard;
	FILE *line;			/* made of each record, in memory */
	char *text;			/* of it */
	size_t size;
	uint64_t n_shown;
	int status;			/* of records that could not be shown */
};

/* ---- command line --------------------------------------------------------------- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct watch *watch = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		watch->bus.program = "aioevt watch";
		state->child_inputs[0] = &watch->bus;
		watch->patterns = calloc((size_t)state->argc + 1, sizeof(*watch->patterns));
		check_memory(watch->patterns ? 0 : -ENOMEM);
		return 0;
	case ARGP_KEY_ARG:
		check_pattern(arg);
		watch->patterns[watch->n_patterns++] = arg;
		return 0;
	case 't':
		watch->timeout = parse_duration("--timeout", arg);
		return 0;
	case KEY_COUNT:
		watch->count = parse_count("--count", arg, 1, INT64_MAX);
		return 0;
	case KEY_JSON:
		watch->json = true;
		return 0;
	case KEY_UTC:
		watch->style.utc = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[PATTERN...]",
	.doc = doc,
	.children = bus_children,
};

/* ---- what was missed ------------------------------------------------------------ */

/* Flushed first, so that on a terminal it stands where it belongs. */
static int tell_missed(struct watch *watch)
{
	const struct heard *heard = &watch->heard;
	int status;

	if (!heard->missed || watch->json)
		return STATUS_DONE;
	status = sink_flush(&watch->sink);
	complain("event \"%s\": %" PRIu64 " records before number %" PRIu64 " were missed",
		 heard->event, heard->missed, heard->seq);
	return status;
}

/* Events that came and went unread: now, since this command is ended by a signal mostly. */
static void tell_lost(struct watch *watch)
{
	struct ear *ear = &watch->ear;

	if (ear->listener)
		ear->lost += aioevt_shm_listener_lost_events(ear->listener);
	if (ear->lost)
		complain("up to %" PRIu64 " events came and went unread", ear->lost);
	ear->lost = 0;
}

/* ---- showing -------------------------------------------------------------------- */

static int make_line(struct watch *watch, const struct data *data)
{
	int err;

	rewind(watch->line);
	if (watch->json)
		err = output_json(watch->line, &watch->heard, data);
	else
		err = line_print(watch->line, &watch->style, &watch->heard, data);
	if (fflush(watch->line) != 0 || ferror(watch->line))
		return -ENOMEM;
	return err;
}

/* Returns the exit status if that is the end. */
static int show(struct watch *watch)
{
	const struct heard *heard = &watch->heard;
	_cleanup_(data_deinit) struct data data;
	int status = tell_missed(watch), err;

	data_init(&data);
	err = wire_decode(heard->payload, heard->size, &data);
	if (err == -EBADMSG) {
		complain("event \"%s\": record %" PRIu64 " (%zu bytes) was not written by "
			 "aioevt", heard->event, heard->seq, heard->size);
		watch->status = STATUS_TROUBLE;
		return status;
	}
	check_memory(err);
	check_memory(make_line(watch, &data));
	watch->n_shown++;
	return status ? status : sink_write(&watch->sink, watch->text, watch->size);
}

/* What is there is shown in one go, before the next wait. */
static int hear(struct watch *watch, uint64_t deadline)
{
	int status, err;

	err = ear_hear(&watch->ear, 0, &watch->heard);
	if (err != -ETIMEDOUT)
		return err;
	status = sink_flush(&watch->sink);
	tell_lost(watch);
	return status ? status : ear_hear(&watch->ear, deadline, &watch->heard);
}

/* Of an error of ear_hear(), or an exit status, the exit status. */
static int end(struct watch *watch, int err)
{
	if (err > 0)
		return err;
	sink_flush(&watch->sink);	/* a failure to write is told; this is more */
	if (err == -ETIMEDOUT && !watch->count)
		return watch->status;
	if (err == -ETIMEDOUT) {
		complain("timed out on %s", bus_describe(&watch->bus));
		return STATUS_TIMEOUT;
	}
	if (err == -EPIPE)
		return sink_end();
	if (err == -ECANCELED)
		return STATUS_TROUBLE;
	return bus_trouble(&watch->bus, watch->ear.bus, NULL, err);
}

static int follow(struct watch *watch)
{
	uint64_t deadline = watch->timeout == AIOEVT_FOREVER ? AIOEVT_FOREVER :
			    aioevt_in_ns(watch->timeout);
	int status, err;

	while (!watch->count || watch->n_shown < watch->count) {
		err = hear(watch, deadline);
		if (err)
			return end(watch, err);
		status = show(watch);
		if (status)
			return status;
	}
	status = sink_flush(&watch->sink);
	return status ? status : watch->status;
}

static int run(struct watch *watch)
{
	int status;

	watch->ear.options = &watch->bus;
	watch->ear.names = watch->patterns;
	watch->ear.n_names = watch->n_patterns;
	watch->ear.for_reader = true;
	watch->ear.flags = AIOEVT_SHM_OBSERVE;
	status = ear_open(&watch->ear);
	if (status)
		return status;
	sink_open(&watch->sink);
	status = follow(watch);
	ear_close(&watch->ear);
	tell_lost(watch);
	return status;
}

int watch_main(int argc, char **argv, const struct bus_options *bus)
{
	static char all[] = ">";
	struct watch watch = {
		.bus = *bus, .timeout = AIOEVT_FOREVER, .ear = EAR_INIT,
	};
	int status;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &watch);
	if (!watch.n_patterns)
		watch.patterns[watch.n_patterns++] = all;
	watch.style.colours = line_may_colour();
	watch.line = open_memstream(&watch.text, &watch.size);
	check_memory(watch.line ? 0 : -ENOMEM);

	status = run(&watch);

	fclose(watch.line);
	free(watch.text);
	heard_deinit(&watch.heard);
	free(watch.patterns);
	return status;
}
