/* SPDX-License-Identifier: MIT */
/* aioevt list */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "duration.h"
#include "json.h"
#include "utf8.h"

static const char doc[] =
	"Show the events of the bus, sorted by name, or those that match PATTERN (*, >)."
	"\v"
	"Status: 0 done, 1 trouble, 6 7 64 as for all. See aioevt-list(1).";

enum { KEY_JSON = 0x100 };

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "One JSON object per line", 1 },
	{ 0 }
};

struct row {
	char event[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_shm_event_info info;
};

struct list {
	struct bus_options bus;
	const char *pattern;
	bool json;
	struct row *rows;
	size_t n_rows, room;
	uint64_t now;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list *list = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		list->bus.program = "aioevt list";
		state->child_inputs[0] = &list->bus;
		return 0;
	case ARGP_KEY_ARG:
		if (list->pattern)
			complain_usage("\"%s\": one PATTERN at most", arg);
		check_pattern(arg);
		list->pattern = arg;
		return 0;
	case KEY_JSON:
		list->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[PATTERN]",
	.doc = doc,
	.children = bus_children,
};

/* ---- collecting ----------------------------------------------------------------- */

static struct row *add_row(struct list *list)
{
	struct row *rows;

	if (list->n_rows == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		rows = reallocarray(list->rows, list->room, sizeof(*rows));
		check_memory(rows ? 0 : -ENOMEM);
		list->rows = rows;
	}
	return &list->rows[list->n_rows++];
}

static int look_at(struct list *list, struct aioevt_shm *bus, const char *name)
{
	_cleanup_(event_closep) struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_event_info info;
	struct row *row;
	int err;

	if (list->pattern && !aioevt_shm_pattern_match(list->pattern, name))
		return 0;
	err = aioevt_shm_event_open(bus, name, AIOEVT_SHM_EXISTING, &event);
	if (err == -ENOENT)	/* gone meanwhile */
		return 0;
	if (err == 0)
		err = aioevt_shm_event_get_info(event, &info);
	if (err < 0)
		return err;

	row = add_row(list);
	snprintf(row->event, sizeof(row->event), "%s", name);
	row->info = info;
	return 0;
}

static int collect(struct list *list)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;
	int status, err;

	status = bus_attach(&list->bus, AIOEVT_SHM_EXISTING, &bus);
	if (status || !bus)
		return status;

	/* One that is damaged is named; if it is all of the bus, the walk says so too. */
	while ((err = aioevt_shm_event_next(bus, &walk, name)) > 0) {
		err = look_at(list, bus, name);
		if (err < 0)
			status = bus_trouble(&list->bus, bus, name, err);
		if (err < 0 && err != -EPROTO)
			return status;
	}
	return err < 0 ? bus_trouble(&list->bus, bus, NULL, err) : status;
}

static int compare(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return strcmp(left->event, right->event);
}

/* ---- printing ------------------------------------------------------------------- */

static uint64_t find_age(const struct list *list, const struct row *row)
{
	return list->now > row->info.last_time ? list->now - row->info.last_time : 0;
}

static void print_json(const struct list *list, const struct row *row)
{
	const struct aioevt_shm_event_info *info = &row->info;

	fputs("{\"event\":", stdout);
	check_memory(json_write_text(stdout, row->event, strlen(row->event)));
	printf(",\"records\":%" PRIu64 ",\"seq\":%" PRIu64, info->n_records,
	       info->last_seq);
	if (info->last_time)
		printf(",\"time\":%" PRIu64 ",\"age_ns\":%" PRIu64, info->last_time,
		       find_age(list, row));
	else
		fputs(",\"time\":null,\"age_ns\":null", stdout);
	printf(",\"listeners\":%" PRIu32 ",\"reliable\":%" PRIu32 ",\"depth\":%" PRIu32,
	       info->n_listeners, info->n_reliable, info->depth);
	if (info->slowest_pid)
		printf(",\"slowest\":{\"lag\":%" PRIu64 ",\"pid\":%d}}\n",
		       info->slowest_lag, (int)info->slowest_pid);
	else
		fputs(",\"slowest\":null}\n", stdout);
}

static int find_width(const struct list *list)
{
	size_t width = strlen("EVENT"), n, i;

	for (i = 0; i < list->n_rows; i++) {
		n = utf8_count(list->rows[i].event, strlen(list->rows[i].event));
		if (n > width)
			width = n;
	}
	return (int)width;
}

static void print_row(const struct list *list, const struct row *row, int width)
{
	const struct aioevt_shm_event_info *info = &row->info;
	char age[32] = "-", slowest[64] = "-";
	int n = (int)utf8_count(row->event, strlen(row->event));

	if (info->last_time)
		duration_print(find_age(list, row), age, sizeof(age));
	if (info->slowest_pid)
		snprintf(slowest, sizeof(slowest), "%" PRIu64 " (pid %d)",
			 info->slowest_lag, (int)info->slowest_pid);
	printf("%s%*s  %10" PRIu64 "  %9" PRIu32 "  %7s  %7" PRIu32 "  %s\n", row->event,
	       width - n, "", info->n_records, info->n_listeners, age, info->depth,
	       slowest);
}

static void print_table(const struct list *list)
{
	int width = find_width(list);
	size_t i;

	if (!list->n_rows)
		return;
	printf("%-*s  %10s  %9s  %7s  %7s  %s\n", width, "EVENT", "RECORDS", "LISTENERS",
	       "LAST", "DEPTH", "SLOWEST");
	for (i = 0; i < list->n_rows; i++)
		print_row(list, &list->rows[i], width);
}

static int print(struct list *list)
{
	struct timespec now;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &now);
	list->now = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	if (list->n_rows)
		qsort(list->rows, list->n_rows, sizeof(*list->rows), compare);

	if (!list->json)
		print_table(list);
	for (i = 0; i < list->n_rows && list->json; i++)
		print_json(list, &list->rows[i]);
	return finish_output();
}

int list_main(int argc, char **argv, const struct bus_options *bus)
{
	struct list list = { .bus = *bus };
	int status, printed = 0;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &list);
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	/* What could be looked at is printed, whatever the rest is. */
	status = collect(&list);
	if (!status || list.n_rows)
		printed = print(&list);
	free(list.rows);
	return status ? status : printed;
}
