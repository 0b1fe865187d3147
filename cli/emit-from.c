/* SPDX-License-Identifier: MIT */
/* --from: records as "aioevt wait --json" prints them, one a line. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aioevt.h"
#include "emit.h"
#include "json.h"
#include "lines.h"
#include "wire.h"

struct replay {
	const struct emit *emit;
	struct sender sender;
	struct lines in;
	uint64_t line;
	uint64_t first_time, began;	/* of the first record: its own, and when it was emitted */
	unsigned char *buf;
	size_t room;
};

static const char *input_name(const struct emit *emit)
{
	return strcmp(emit->from, "-") ? emit->from : "standard input";
}

static int complain_line(const struct replay *replay, const char *why)
{
	complain("%s, line %" PRIu64 ": %s", input_name(replay->emit), replay->line, why);
	return STATUS_TROUBLE;
}

/* ---- one line --------------------------------------------------------------------- */

/* Which event it is for. Returns 0, or the exit status after a message. */
static int find_name(const struct replay *replay, const struct json_record *record,
		     const char **ret_name)
{
	const struct aioevt_value *event = &record->event;
	const char *why = "";

	if (replay->emit->name) {
		*ret_name = replay->emit->name;
		return STATUS_DONE;
	}
	if (event->type != AIOEVT_TEXT)
		return complain_line(replay, "no \"event\", and no NAME was given");
	if (aioevt_shm_name_check(event->string, event->n, NULL, &why) < 0) {
		complain("%s, line %" PRIu64 ": event name \"%.300s\": %s",
			 input_name(replay->emit), replay->line, event->string, why);
		return STATUS_TROUBLE;
	}
	*ret_name = event->string;
	return STATUS_DONE;
}

/* Sleep until it is its time, by the distance to the first. One that is late is emitted at once. */
static void await_turn(struct replay *replay, uint64_t record_time)
{
	uint64_t now = aioevt_in_ns(0), due;
	struct timespec ts;
	double after;

	if (!replay->began) {
		replay->began = now;
		replay->first_time = record_time;
	}
	if (record_time <= replay->first_time)
		return;
	after = (double)(record_time - replay->first_time) / replay->emit->speed;
	due = after < (double)(INT64_MAX / 2) ? replay->began + (uint64_t)after : INT64_MAX;
	ts.tv_sec = (time_t)(due / 1000000000);
	ts.tv_nsec = (long)(due % 1000000000);
	if (due > now)
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
			;
}

static int encode(struct replay *replay, const struct data *data, size_t *ret_size)
{
	int err = wire_encode(data, replay->buf, replay->room, ret_size);

	if (err == -ENOBUFS) {
		free(replay->buf);
		replay->room = 2 * *ret_size;
		replay->buf = malloc(replay->room);
		check_memory(replay->buf ? 0 : -ENOMEM);
		err = wire_encode(data, replay->buf, replay->room, ret_size);
	}
	return err < 0 ? complain_line(replay, strerror(-err)) : STATUS_DONE;
}

static int emit_record(struct replay *replay, const struct json_record *record)
{
	uint32_t max = replay->sender.info.max_payload;
	const char *name = NULL;
	size_t size = 0;
	int status;

	status = find_name(replay, record, &name);
	if (!status)
		status = encode(replay, &record->data, &size);
	if (status)
		return status;
	if (size > max) {
		complain("%s, line %" PRIu64 ": the data takes %zu bytes, over the %" PRIu32 " bytes "
			 "that the bus takes (max_payload)", input_name(replay->emit),
			 replay->line, size, max);
		return STATUS_TROUBLE;
	}
	if (replay->emit->speed > 0) {
		if (!record->time)
			return complain_line(replay, "no \"time\", which --speed needs");
		await_turn(replay, record->time);
	}
	return sender_emit(&replay->sender, name, replay->buf, size);
}

static bool is_blank(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && strchr(" \t\r", line[i]) && line[i])
		i++;
	return i == len;
}

static int emit_line(struct replay *replay, const char *line, size_t len)
{
	struct json_record record;
	struct json_error error;
	int err, status;

	if (is_blank(line, len))
		return STATUS_DONE;
	err = json_read_record(line, len, &record, &error);
	if (err == -EINVAL)
		return complain_line(replay, error.why);
	check_memory(err);
	status = emit_record(replay, &record);
	json_record_deinit(&record);
	return status;
}

/* ---- all of them ------------------------------------------------------------------- */

static int emit_all(struct replay *replay)
{
	char *line;
	size_t len;
	int r, status;

	for (;;) {
		replay->line++;
		r = lines_next(&replay->in, &line, &len);
		if (r == 0)
			return STATUS_DONE;
		if (r == -EMSGSIZE)
			return complain_line(replay, "longer than any record");
		if (r < 0)
			return complain_line(replay, strerror(-r));
		status = emit_line(replay, line, len);
		if (status)
			return status;
	}
}

static int open_input(const struct emit *emit)
{
	int fd;

	if (!strcmp(emit->from, "-"))
		return STDIN_FILENO;
	fd = open(emit->from, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		complain("--from \"%s\": %s", emit->from, strerror(errno));
	return fd;
}

int emit_from(struct emit *emit)
{
	struct replay replay = { .emit = emit, .in = { .delimiter = '\n' } };
	int status;

	replay.in.fd = open_input(emit);
	if (replay.in.fd < 0)
		return STATUS_TROUBLE;
	status = sender_open(&replay.sender, emit);
	if (!status) {
		/* a byte of text is written with six at most */
		replay.in.max = 6 * (size_t)replay.sender.info.max_payload + 65536;
		status = emit_all(&replay);
	}
	sender_close(&replay.sender);
	lines_deinit(&replay.in);
	free(replay.buf);
	if (replay.in.fd != STDIN_FILENO)
		close(replay.in.fd);
	return status;
}
