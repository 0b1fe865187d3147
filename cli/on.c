/* SPDX-License-Identifier: MIT */
/* aioevt on */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "common.h"
#include "ear.h"
#include "executable.h"
#include "group.h"
#include "on-call.h"
#include "on-jobs.h"
#include "on-words.h"
#include "ready.h"

#define JOBS_MAX	1024
#define KILL_AFTER	UINT64_C(10000000000)	/* ns */

static const char doc[] =
	"Run COMMAND for each record of the events, with the record on standard input and in "
	"AIOEVT_ variables; {event} {seq} {0} {KEY} in its words are replaced."
	"\v"
	"Status: 1 trouble, 6 7 64 as for all, 126 127 or COMMAND's. See aioevt-on(1).";

enum {
	KEY_ONCE = 0x100, KEY_ON_BUSY, KEY_RELIABLE, KEY_LOSSY, KEY_FAIL_FAST, KEY_READY_FD,
	KEY_STOP_SIGNAL, KEY_KILL_AFTER,
};

static const struct argp_option options[] = {
	{ "fail-fast", KEY_FAIL_FAST, NULL, 0, "End when a COMMAND failed, with its status", 1 },
	{ "jobs", 'j', "N", 0, "Run up to N at once (default: 1)", 1 },
	{ "kill-after", KEY_KILL_AFTER, "DURATION", 0,
	  "From a signal to SIGKILL, if need be (default: 10)", 1 },
	{ "lossy", KEY_LOSSY, NULL, 0, "Rather miss records than hold up emitters", 1 },
	{ "on-busy", KEY_ON_BUSY, "HOW", 0, "queue (default), drop, restart or coalesce", 1 },
	{ "once", KEY_ONCE, NULL, 0, "End when the first COMMAND ends, with its status", 1 },
	{ "ready-fd", KEY_READY_FD, "FD", 0, "Write a newline to FD once listening", 1 },
	{ "reliable", KEY_RELIABLE, NULL, 0, "Miss no record (default)", 1 },
	{ "stop-signal", KEY_STOP_SIGNAL, "SIGNAL", 0, "What restart sends (default: TERM)", 1 },
	{ 0 }
};

/* What becomes of a record that comes while all jobs run. */
enum on_busy {
	BUSY_QUEUE,		/* it is left in the ring */
	BUSY_DROP,
	BUSY_RESTART,		/* the oldest job ends for it */
	BUSY_COALESCE,		/* it waits, and gives way to a newer one */
};

struct on {
	struct bus_options bus;
	char **names;
	size_t n_names;
	char **command;
	size_t n_jobs;
	enum on_busy on_busy;
	bool once, is_lossy, is_reliable, fail_fast;
	int ready_fd;			/* -1: none */
	int stop_signal;
	uint64_t kill_after;		/* ns */

	struct ear ear;
	struct jobs jobs;
	struct call call;
	struct heard heard, waiting;	/* the newest; one that waits for a job; seq 0: none */
	uint64_t n_dropped;		/* since the last job */
};

/* ---- command line ----------------------------------------------------------------- */

static int parse_number(const char *option, const char *text, int min, int max)
{
	const char *why = NULL;
	long long number;

	number = strtonum(text, min, max, &why);
	if (why)
		complain_usage("%s \"%s\": %s, not from %d to %d", option, text, why, min, max);
	return (int)number;
}

static enum on_busy parse_on_busy(const char *text)
{
	static const char *const names[] = { "queue", "drop", "restart", "coalesce" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i]))
			return (enum on_busy)i;
	complain_usage("--on-busy \"%s\": not queue, drop, restart or coalesce", text);
}

static void take_word(struct on *on, char *word, struct argp_state *state)
{
	if (state->quoted && state->next > state->quoted) {
		on->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return;
	}
	check_pattern(word);
	on->names[on->n_names++] = word;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct on *on = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		on->bus.program = "aioevt on";
		state->child_inputs[0] = &on->bus;
		on->names = calloc((size_t)state->argc + 1, sizeof(*on->names));
		check_memory(on->names ? 0 : -ENOMEM);
		return 0;
	case ARGP_KEY_ARG:
		take_word(on, arg, state);
		return 0;
	case 'j':
		on->n_jobs = (size_t)parse_number("--jobs", arg, 1, JOBS_MAX);
		return 0;
	case KEY_ON_BUSY:
		on->on_busy = parse_on_busy(arg);
		return 0;
	case KEY_READY_FD:
		on->ready_fd = ready_parse(arg);
		return 0;
	case KEY_STOP_SIGNAL:
		on->stop_signal = parse_signal("--stop-signal", arg);
		return 0;
	case KEY_KILL_AFTER:
		on->kill_after = parse_duration("--kill-after", arg);
		return 0;
	case KEY_ONCE:
		on->once = true;
		return 0;
	case KEY_RELIABLE:
		on->is_reliable = true;
		return 0;
	case KEY_LOSSY:
		on->is_lossy = true;
		return 0;
	case KEY_FAIL_FAST:
		on->fail_fast = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PATTERN... -- COMMAND [ARG...]",
	.doc = doc,
	.children = bus_children,
};

static void check(struct on *on)
{
	if (!on->n_names)
		complain_usage("on needs the NAME of an event; see aioevt on --help");
	if (!on->command)
		complain_usage("on needs \"--\" and a COMMAND; see aioevt on --help");
	if (word_has_placeholder(on->command[0]))
		complain_usage("COMMAND \"%s\": what is run does not come from a record",
			       on->command[0]);
	if (on->is_lossy && on->is_reliable)
		complain_usage("--reliable beside --lossy");
	if (on->once && on->n_jobs > 1)
		complain_usage("--jobs %zu beside --once, which runs one COMMAND", on->n_jobs);
	/* Nothing comes after it: what comes meanwhile may stay where it is. */
	if (on->once && on->on_busy != BUSY_RESTART)
		on->on_busy = BUSY_QUEUE;
}

/* ---- running ---------------------------------------------------------------------- */

/* Of @event something has ended, or was dropped: say what is handled. */
static void settle(struct on *on, const char *event)
{
	const struct heard *const left[] = { &on->waiting, &on->heard };
	uint64_t seq = jobs_oldest(&on->jobs, event);

	for (size_t i = 0; i < 2; i++)
		if (left[i]->seq && left[i]->seq < seq && !strcmp(left[i]->event, event))
			seq = left[i]->seq;
	ear_handled_below(&on->ear, event, seq);
}

static void settle_ended(struct on *on)
{
	char event[AIOEVT_SHM_NAME_MAX + 1];

	while (jobs_take_ended(&on->jobs, event))
		settle(on, event);
}

static bool has_room(struct on *on)
{
	settle_ended(on);
	return jobs_have_room(&on->jobs);
}

/* It runs, or will not. */
static void let_go(struct on *on, struct heard *heard)
{
	heard->seq = 0;
	settle(on, heard->event);
}

static void start(struct on *on, struct heard *heard)
{
	int status;

	if (call_make(&on->call, heard, on->n_dropped)) {
		on->n_dropped = 0;
		status = jobs_start(&on->jobs, &on->call, heard);
		if (status) {
			jobs_end(&on->jobs, status);
			return;		/* not handled */
		}
	} else if (on->fail_fast) {
		jobs_end(&on->jobs, STATUS_TROUBLE);
	}
	let_go(on, heard);
}

static void drop(struct on *on, struct heard *heard)
{
	on->n_dropped++;
	let_go(on, heard);
}

/* Let what was heard wait, instead of what waits. */
static void set_aside(struct on *on)
{
	struct heard older = on->waiting;

	on->waiting = on->heard;
	on->heard = older;
	if (on->heard.seq)
		drop(on, &on->heard);
}

/* A record has come. */
static void take(struct on *on)
{
	if (!on->waiting.seq && has_room(on)) {
		start(on, &on->heard);
	} else if (on->on_busy == BUSY_DROP) {
		drop(on, &on->heard);
	} else {
		set_aside(on);
		if (on->on_busy == BUSY_RESTART)
			jobs_replace(&on->jobs);
	}
}

/*
 * A record that is to be queued is not even asked for: it waits in its ring, and a reliable
 * listener has not gone past the one before.
 */
static void run(struct on *on)
{
	int err;

	while (!jobs_are_over(&on->jobs)) {
		bool room = has_room(on);

		if (on->waiting.seq && room) {
			start(on, &on->waiting);
			continue;
		}
		if (on->on_busy == BUSY_QUEUE && !room) {
			jobs_wait(&on->jobs);
			continue;
		}
		err = ear_hear(&on->ear, AIOEVT_SHM_NO_DEADLINE, &on->heard);
		if (err == 0)
			take(on);
		else if (err == -ECANCELED)
			jobs_end(&on->jobs, STATUS_TROUBLE);
		else if (err != -EINTR)
			jobs_end(&on->jobs, bus_trouble(&on->bus, on->ear.bus, NULL, err));
	}
}

/* A name that is wrong is told now, not at the first record. */
static int check_command(const char *name)
{
	int err = executable_check(name);

	if (!err)
		return STATUS_DONE;
	complain("cannot run \"%s\": %s", name, strerror(-err));
	return err == -ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

static int open_all(struct on *on)
{
	int status;

	on->ear.options = &on->bus;
	on->ear.names = on->names;
	on->ear.n_names = on->n_names;
	on->ear.flags = on->is_lossy ? 0 : AIOEVT_SHM_RELIABLE;
	on->ear.by_hand = true;
	status = ear_open(&on->ear);
	if (status)
		return status;

	on->jobs.ear = &on->ear;
	on->jobs.name = on->command[0];
	on->jobs.n_max = on->n_jobs;
	on->jobs.once = on->once;
	on->jobs.fail_fast = on->fail_fast;
	on->jobs.stop_signal = on->stop_signal;
	on->jobs.kill_after = on->kill_after;
	return jobs_open(&on->jobs);
}

int on_main(int argc, char **argv, const struct bus_options *bus)
{
	struct on on = {
		.bus = *bus, .n_jobs = 1, .ready_fd = -1, .ear = EAR_INIT,
		.stop_signal = SIGTERM, .kill_after = KILL_AFTER,
	};
	int status;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &on);
	check(&on);
	status = check_command(on.command[0]);
	if (!status)
		status = open_all(&on);
	if (status) {
		free(on.names);
		return status;
	}
	call_init(&on.call, on.command);
	status = ready_tell(on.ready_fd);
	if (status)
		jobs_end(&on.jobs, status);

	run(&on);
	jobs_finish(&on.jobs);
	settle_ended(&on);
	status = jobs_close(&on.jobs);

	ear_close(&on.ear);
	if (on.ear.lost)
		complain("up to %" PRIu64 " events came and went unread", on.ear.lost);
	call_deinit(&on.call);
	heard_deinit(&on.heard);
	heard_deinit(&on.waiting);
	free(on.names);
	return status;
}
