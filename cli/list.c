/* SPDX-License-Identifier: MIT */
/* aioevt list */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "buses.h"
#include "common.h"
#include "duration.h"
#include "json.h"
#include "rows.h"
#include "safe.h"

static const char doc[] =
	"Show the events of the bus, sorted by name, or those that match PATTERN (*, >)."
	"\v"
	"Status: 0 done, 1 trouble, 6 7 64 as for all. See aioevt-list(1).";

enum { KEY_JSON = 0x100, KEY_BUSES };

static const struct argp_option options[] = {
	{ "buses", KEY_BUSES, NULL, 0, "Show the buses that there are, of all users", 1 },
	{ "json", KEY_JSON, NULL, 0, "One JSON object per line", 1 },
	{ 0 }
};

struct list {
	struct bus_options bus;
	const char *pattern;
	bool json, buses;
	struct aioevt_shm *shm;		/* while it is looked at */
	struct rows rows;
	int status;			/* of damaged events */
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
	case KEY_BUSES:
		list->buses = true;
		return 0;
	case KEY_JSON:
		list->json = true;
		return 0;
	case ARGP_KEY_END:
		if (list->buses && list->pattern)
			complain_usage("\"%s\": a PATTERN beside --buses", list->pattern);
		if (list->buses && (list->bus.bus || list->bus.has_group))
			complain_usage("--%s beside --buses", list->bus.bus ? "bus" : "group");
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

static void tell_damaged(void *input, const char *event)
{
	struct list *list = input;

	list->status = bus_trouble(&list->bus, list->shm, event, -EPROTO);
}

static int collect(struct list *list)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	char event[AIOEVT_SHM_NAME_MAX + 1];
	int status, err;

	status = bus_attach(&list->bus, AIOEVT_SHM_EXISTING, &bus);
	if (status || !bus)
		return status;

	list->shm = bus;
	err = rows_look(&list->rows, bus, list->pattern, tell_damaged, list, event);
	return err < 0 ? bus_trouble(&list->bus, bus, *event ? event : NULL, err) :
			 list->status;
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
	printf(",\"listeners\":%" PRIu32 ",\"observers\":%" PRIu32 ",\"reliable\":%" PRIu32
	       ",\"depth\":%" PRIu32, info->n_listeners, info->n_observers, info->n_reliable,
	       info->depth);
	if (info->slowest_pid)
		printf(",\"slowest\":{\"lag\":%" PRIu64 ",\"pid\":%d}}\n",
		       info->slowest_lag, (int)info->slowest_pid);
	else
		fputs(",\"slowest\":null}\n", stdout);
}

static int find_width(const struct list *list)
{
	size_t width = strlen("EVENT"), n, i;

	for (i = 0; i < list->rows.n; i++) {
		n = safe_width(list->rows.v[i].event);
		if (n > width)
			width = n;
	}
	return (int)width;
}

static void print_row(const struct list *list, const struct row *row, int width)
{
	const struct aioevt_shm_event_info *info = &row->info;
	char age[32] = "-", slowest[64] = "-";

	if (info->last_time)
		duration_print(find_age(list, row), age, sizeof(age));
	if (info->slowest_pid)
		snprintf(slowest, sizeof(slowest), "%" PRIu64 " (pid %d)",
			 info->slowest_lag, (int)info->slowest_pid);
	safe_print_column(stdout, row->event, (size_t)width);
	printf("  %10" PRIu64 "  %9" PRIu32 "  %9" PRIu32 "  %7s  %7" PRIu32 "  %s\n",
	       info->n_records, info->n_listeners, info->n_observers, age, info->depth, slowest);
}

static void print_table(const struct list *list)
{
	int width = find_width(list);
	size_t i;

	if (!list->rows.n)
		return;
	printf("%-*s  %10s  %9s  %9s  %7s  %7s  %s\n", width, "EVENT", "RECORDS", "LISTENERS",
	       "OBSERVERS", "LAST", "DEPTH", "SLOWEST");
	for (i = 0; i < list->rows.n; i++)
		print_row(list, &list->rows.v[i], width);
}

static int print(struct list *list)
{
	struct timespec now;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &now);
	list->now = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;

	if (!list->json)
		print_table(list);
	for (i = 0; i < list->rows.n && list->json; i++)
		print_json(list, &list->rows.v[i]);
	return finish_output();
}

int list_main(int argc, char **argv, const struct bus_options *bus)
{
	struct list list = { .bus = *bus };
	int status, printed = 0;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &list);
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */
	if (list.buses)
		return list_buses(list.json);

	/* What could be looked at is printed, whatever the rest is. */
	status = collect(&list);
	if (!status || list.rows.n)
		printed = print(&list);
	rows_deinit(&list.rows);
	return status ? status : printed;
}
