/* SPDX-License-Identifier: MIT */
/*
 * aioevt wait: the waiting. Records are taken one by one, shown if they count, and flushed when
 * no more is there; after that, and only then, the cursor file says that they were handed out.
 */
#include "wait.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aioevt.h"
#include "command.h"
#include "cursor.h"
#include "gone.h"
#include "ready.h"
#include "wire.h"

#define SAVE_EVERY	4096u	/* records that are taken without a pause */

struct run {
	const struct wait *wait;
	struct ear ear;
	struct heard heard;
	struct cursor cursor;
	struct gone gone;
	struct command command;
	uint64_t *wanted;	/* records; all: under each name, else the first alone */
	size_t n_wanted;	/* of these are not zero */
	uint64_t n_pending;	/* records taken since the last flush */
	uint64_t deadline;
	uint64_t ended_at;	/* ns, CLOCK_REALTIME, when the deadline was over; 0: it is not */
	bool has_missed;
	bool has_alien;		/* a record that aioevt did not write */
};

/* ---- which count ---------------------------------------------------------------- */

static void init_wanted(struct run *run)
{
	run->n_wanted = run->wait->all ? run->wait->n_names : 1;
	run->wanted = calloc(run->n_wanted, sizeof(*run->wanted));
	check_memory(run->wanted ? 0 : -ENOMEM);
	for (size_t i = 0; i < run->n_wanted; i++)
		run->wanted[i] = run->wait->count;
}

static bool is_under(const char *name, const char *event)
{
	return !strcmp(name, event) || aioevt_shm_pattern_match(name, event);
}

/* Is a record of the event still wanted? If @take, it is counted. */
static bool count_record(struct run *run, const char *event, bool take)
{
	size_t n = run->wait->all ? run->wait->n_names : 1;
	bool is_wanted = false;

	for (size_t i = 0; i < n; i++) {
		if (!run->wanted[i] || (run->wait->all && !is_under(run->wait->names[i], event)))
			continue;
		is_wanted = true;
		if (take && !--run->wanted[i])
			run->n_wanted--;
	}
	return is_wanted;
}

/* Returns 1, 0, or -EBADMSG if it cannot be told. */
static int meets(const struct run *run)
{
	const struct heard *heard = &run->heard;
	struct data data;
	int result;

	if (!run->wait->where)
		return 1;
	data_init(&data);
	result = wire_decode(heard->payload, heard->size, &data);
	if (result == 0)
		result = where_match(run->wait->where, heard->event, heard->seq, &data);
	data_deinit(&data);
	if (result != -EBADMSG)
		check_memory(result);
	return result;
}

/* ---- what is handed out --------------------------------------------------------- */

/* A reader who has gone is no trouble worth a line. */
static int complain_output(int error)
{
	if (error != EPIPE)
		complain("standard output: %s", strerror(error ? error : EIO));
	return STATUS_TROUBLE;
}

static int flush(struct run *run)
{
	if (!run->n_pending)
		return STATUS_DONE;
	run->n_pending = 0;
	if (fflush(stdout) || ferror(stdout))
		return complain_output(errno);
	return run->wait->cursor_file ? cursor_save(&run->cursor) : STATUS_DONE;
}

/* The place is moved on; a flush has to follow. */
static void pass(struct run *run)
{
	if (run->wait->cursor_file)
		cursor_note(&run->cursor, run->heard.event, run->heard.seq, run->heard.time);
	run->n_pending++;
}

/* Not shown, so what it says about others before it is told here. */
static void skip(struct run *run)
{
	if (run->heard.missed)
		complain("event \"%s\": %" PRIu64 " records before number %" PRIu64
			 " were missed", run->heard.event, run->heard.missed, run->heard.seq);
	if (run->wait->cursor_file)
		pass(run);
}

static void set_deadline(struct run *run)
{
	const struct wait *wait = run->wait;

	run->ended_at = 0;
	run->deadline = wait->timeout == AIOEVT_FOREVER ? AIOEVT_FOREVER :
			aioevt_in_ns(wait->timeout);
}

static int show(struct run *run)
{
	int status;

	if (run->wait->follow)
		set_deadline(run);
	errno = 0;
	status = output_record(&run->wait->output, &run->heard);
	if (ferror(stdout))
		return complain_output(errno);
	pass(run);
	if (!status) {
		count_record(run, run->heard.event, true);
		return STATUS_DONE;
	}
	run->has_alien = true;
	if (run->wait->follow)
		return STATUS_DONE;
	flush(run);
	return status;
}

static int take(struct run *run)
{
	int result, status = STATUS_DONE;

	/* With --all: those over are left to the next run. */
	if (!count_record(run, run->heard.event, false))
		return STATUS_DONE;
	run->has_missed |= run->heard.missed;
	result = meets(run);
	if (result)
		status = show(run);
	else
		skip(run);
	if (!status && run->n_pending >= SAVE_EVERY)
		status = flush(run);
	return status;
}

/* ---- waiting -------------------------------------------------------------------- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/*
 * Emitted after the waiting had to end? Records that are there are taken all the same, but a
 * stream of them, none of which counts, does not go on for ever.
 */
static int check_time(struct run *run)
{
	if (ear_is_late(&run->ear, &run->heard))
		return -EINTR;
	if (run->deadline == AIOEVT_FOREVER)
		return 0;
	if (!run->ended_at && now_ns(CLOCK_MONOTONIC) >= run->deadline)
		run->ended_at = now_ns(CLOCK_REALTIME);
	return run->ended_at && run->heard.time > run->ended_at ? -ETIMEDOUT : 0;
}

static int take_one(struct run *run)
{
	int result = ear_hear(&run->ear, run->n_pending ? 0 : run->deadline, &run->heard);

	if (result == -ETIMEDOUT && run->n_pending)
		return flush(run);
	if (result == 0)
		result = check_time(run);
	return result ? result : take(run);
}

/*
 * Until all that is wanted has come. Returns 0, or a negative error of the ear, or the exit
 * status after a message.
 */
static int take_all(struct run *run)
{
	int result = 0;

	while (!result && run->n_wanted)
		result = take_one(run);
	if (run->n_pending && result <= 0) {
		int status = flush(run);

		result = status ? status : result;
	}
	return result;
}

/* The NAMEs of --all that have records to come, behind one another. */
static char *list_unseen(const struct run *run)
{
	const struct wait *wait = run->wait;
	const char *before = "; not seen: ";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	check_memory(out ? 0 : -ENOMEM);
	for (size_t i = 0; wait->all && i < wait->n_names; i++) {
		if (!run->wanted[i])
			continue;
		fprintf(out, "%s%s", before, wait->names[i]);
		if (wait->count > 1)
			fprintf(out, " (%" PRIu64 " of %" PRIu64 ")", run->wanted[i], wait->count);
		before = ", ";
	}
	check_memory(fclose(out) ? -ENOMEM : 0);
	return text;
}

/* A mere look is a question, and the status answers it. */
static void complain_timeout(const struct run *run)
{
	char *unseen;

	if (!run->wait->timeout)
		return;
	unseen = list_unseen(run);
	complain("timed out on %s%s", bus_describe(&run->wait->bus), unseen);
	free(unseen);
}

/* Why it ended, as an exit status. */
static int explain(struct run *run, int result, int failure, bool is_gone)
{
	if (result >= 0)
		return result;
	if (result == -EINTR && failure)
		return failure;
	if (result == -EINTR && is_gone)
		return STATUS_GONE;
	if (result == -ETIMEDOUT) {
		complain_timeout(run);
		return STATUS_TIMEOUT;
	}
	if (result == -ECANCELED || result == -EPIPE)
		return STATUS_TROUBLE;
	return bus_trouble(&run->wait->bus, run->ear.bus, NULL, result);
}

/* With COMMAND and the process that are watched, if any. */
static int watch(struct run *run)
{
	const struct wait *wait = run->wait;
	int status, failure = 0, result;
	bool is_gone = false;

	set_deadline(run);
	if (wait->command) {
		status = command_start(&run->command, wait->command, wait->kill, &run->ear);
		if (status)
			return status;
	}
	status = wait->alive ? gone_start(&run->gone, &run->ear) : STATUS_DONE;
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */
	result = status ? status : take_all(run);
	if (wait->alive && !status)
		is_gone = gone_stop(&run->gone);
	if (wait->command)
		failure = command_settle(&run->command, result == -ETIMEDOUT ? wait->kill : 0);
	return explain(run, result, failure, is_gone);
}

/* ---- the whole ------------------------------------------------------------------ */

static int listen_and_take(struct run *run)
{
	const struct wait *wait = run->wait;
	int status = STATUS_DONE;

	if (wait->alive)
		status = gone_open(&run->gone, wait->alive);
	if (!status && wait->cursor_file)
		status = cursor_load(&run->cursor, wait->cursor_file);
	if (!status)
		status = ear_open(&run->ear);
	if (status)
		return status;

	if (wait->cursor_file)
		status = cursor_save(&run->cursor);
	if (!status)
		status = ready_tell(wait->ready_fd);
	if (!status)
		status = watch(run);
	ear_close(&run->ear);
	return status;
}

int wait_run(const struct wait *wait)
{
	struct run run = { .wait = wait, .ear = EAR_INIT, .cursor = CURSOR_INIT };
	int status;

	init_wanted(&run);
	run.ear.options = &wait->bus;
	run.ear.names = wait->names;
	run.ear.n_names = wait->n_names;
	run.ear.after = wait->after;
	run.ear.from_after = wait->has_after;
	run.ear.from_last = wait->or_last;
	run.ear.flags = wait->observe ? AIOEVT_SHM_OBSERVE : 0;
	run.ear.for_reader = wait->count > 1 || wait->all;
	run.ear.cursor = wait->cursor_file ? &run.cursor : NULL;

	status = output_begin(&wait->output, wait->follow);
	if (!status)
		status = listen_and_take(&run);
	if (run.ear.lost)
		complain("up to %" PRIu64 " events came and went unread", run.ear.lost);
	if (status == STATUS_DONE && run.has_alien)
		status = STATUS_TROUBLE;
	if (wait->strict && (run.has_missed || run.ear.lost) &&
	    (status == STATUS_DONE || status == STATUS_TIMEOUT || status == STATUS_GONE))
		status = STATUS_MISSED;
	cursor_deinit(&run.cursor);
	heard_deinit(&run.heard);
	free(run.wanted);
	return status;
}
