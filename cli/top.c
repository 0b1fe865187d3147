/* SPDX-License-Identifier: MIT */
/* aioevt top */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "duration.h"
#include "top.h"

#define INTERVAL_LEAST	10000000u	/* ns */

static const char doc[] =
	"Show the events of the bus, or those that match PATTERN (*, >), the busiest first: "
	"records, rates, listeners and the slowest reliable one. On a terminal \"q\" quits."
	"\v"
	"Status: 0 done, 1 trouble, 6 7 64 as for all. See aioevt-top(1).";

enum { KEY_INTERVAL = 0x100, KEY_JSON, KEY_ONCE };

static const struct argp_option options[] = {
	{ "interval", KEY_INTERVAL, "DURATION", 0, "Between two looks, 1s if not given", 1 },
	{ "once", KEY_ONCE, NULL, 0, "Print one table after one interval", 1 },
	{ "json", KEY_JSON, NULL, 0, "One JSON object per interval, on one line", 1 },
	{ 0 }
};

static uint64_t parse_interval(const char *text)
{
	uint64_t ns = parse_duration("--interval", text);

	if (ns < INTERVAL_LEAST)
		complain_usage("--interval \"%s\": under 10ms", text);
	return ns;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		top->bus.program = "aioevt top";
		state->child_inputs[0] = &top->bus;
		return 0;
	case ARGP_KEY_ARG:
		if (top->pattern)
			complain_usage("\"%s\": one PATTERN at most", arg);
		check_pattern(arg);
		top->pattern = arg;
		return 0;
	case KEY_INTERVAL:
		top->interval = parse_interval(arg);
		return 0;
	case KEY_JSON:
		top->json = true;
		return 0;
	case KEY_ONCE:
		top->once = true;
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

/* ---- without a screen ----------------------------------------------------------- */

/* Returns false, at once, if the reader of standard output goes. */
static bool sleep_until(uint64_t when)
{
	struct pollfd out = { .fd = STDOUT_FILENO };
	struct timespec now, left;
	uint64_t ns;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
		if (ns >= when)
			return true;
		left.tv_sec = (time_t)((when - ns) / NS_PER_S);
		left.tv_nsec = (long)((when - ns) % NS_PER_S);
		if (ppoll(&out, 1, &left, NULL) > 0)
			return false;
	}
}

/* Who stops reading has seen enough. */
static int flush(void)
{
	if (fflush(stdout) < 0 && errno == EPIPE)
		return STATUS_TROUBLE;
	return finish_output();
}

static int print(const struct top *top, bool is_first)
{
	if (top->json)
		top_print_json(stdout, top);
	else if (!is_first && top->now.rows.n)
		putchar('\n');
	if (!top->json)
		top_print_table(stdout, top, 0, 0, "\n");
	return flush();
}

/* Say so about a damaged event, when it is met first. */
static int check_damage(const struct top *top)
{
	if (!top->now.damaged[0])
		return STATUS_DONE;
	if (!strcmp(top->now.damaged, top->before.damaged))
		return STATUS_TROUBLE;
	return bus_trouble(&top->bus, NULL, top->now.damaged, -EPROTO);
}

static int run(struct top *top)
{
	uint64_t next;
	int status, damage, err;
	bool is_first = true;

	err = top_look(top);
	if (err < 0)
		return top_trouble(top, err);
	check_damage(top);
	do {
		next = top->now.when + top->interval;
		if (!sleep_until(next))
			return STATUS_TROUBLE;
		err = top_look(top);
		if (err < 0)
			return top_trouble(top, err);
		damage = check_damage(top);
		status = print(top, is_first);
		is_first = false;
	} while (!status && !top->once);
	return status ? status : damage;
}

/* A terminal that knows the control sequences. */
static bool has_screen(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb");
}

int top_main(int argc, char **argv, const struct bus_options *bus)
{
	struct top top = { .bus = *bus, .interval = NS_PER_S };
	int status;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &top);
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	if (top.once || top.json || !has_screen())
		status = run(&top);
	else
		status = top_screen(&top);
	top_deinit(&top);
	return status;
}
