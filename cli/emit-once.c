/* SPDX-License-Identifier: MIT */
/* One record: what --stdin adds, who is to be there before, who has handled it after. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aioevt.h"
#include "args.h"
#include "emit.h"
#include "wire.h"

#define ATTEMPTS	8	/* to emit while the bus is being removed */
#define FIRST_PAUSE_NS	UINT64_C(500000)	/* between two looks at the listeners */
#define MAX_PAUSE_NS	UINT64_C(20000000)

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

static int complain_full(const char *name, struct aioevt_shm_event *event)
{
	struct aioevt_shm_event_info info = { 0 };

	aioevt_shm_event_get_info(event, &info);
	complain("event \"%s\": reliable listener of process %d is %" PRIu64 " records "
		 "behind and %" PRIu32 " is all that are held; nothing was emitted",
		 name, (int)info.slowest_pid, info.slowest_lag, info.depth);
	return STATUS_TROUBLE;
}

int emit_trouble(const struct bus_options *options, struct aioevt_shm *bus, const char *name,
		 struct aioevt_shm_event *event, size_t size, int err)
{
	struct aioevt_shm_info info;
	char what[64];

	if (!event || aioevt_shm_get_info(bus, &info) < 0)
		return bus_trouble(options, bus, name, err);
	if (err == -EAGAIN)
		return complain_full(name, event);
	if (err == -EMSGSIZE) {
		snprintf(what, sizeof(what), "the data takes %zu bytes,", size);
		return complain_size(what, &info);
	}
	if (size > info.inline_size && (err == -EFBIG || err == -ENOSPC))
		return payload_trouble(options, name, size, &info, err);
	return bus_trouble(options, bus, name, err);
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

/* ---- listeners ------------------------------------------------------------------- */

static void pause_ns(uint64_t ns)
{
	struct timespec ts = { .tv_nsec = (long)ns };

	nanosleep(&ts, NULL);
}

static int complain_need(const struct emit *emit, uint32_t n)
{
	complain("event \"%s\": %" PRIu32 " of %" PRIu32 " %slisteners were there on %s; nothing "
		 "was emitted", emit->name, n, emit->need, emit->ack ? "reliable " : "",
		 bus_describe(&emit->bus));
	return STATUS_TOO_FEW;
}

int emit_await_need(const struct emit *emit, struct aioevt_shm_event *event)
{
	struct aioevt_shm_event_info info;
	uint64_t pause = FIRST_PAUSE_NS, now, n;
	int err;

	for (;;) {
		err = aioevt_shm_event_get_info(event, &info);
		if (err < 0)
			return err;
		n = emit->ack ? info.n_reliable : info.n_listeners - info.n_observers;
		if (n >= emit->need)
			return 0;
		now = aioevt_in_ns(0);
		if (now >= emit->deadline)
			return complain_need(emit, (uint32_t)n);
		if (pause > emit->deadline - now)
			pause = emit->deadline - now;
		pause_ns(pause);
		pause = pause < MAX_PAUSE_NS / 2 ? 2 * pause : MAX_PAUSE_NS;
	}
}

/* It was emitted. Returns the exit status. */
static int tell_acks(const struct emit *emit, uint64_t seq, uint32_t n, int err)
{
	complain("event \"%s\": record %" PRIu64 " was emitted, and handled by %" PRIu32 " of %"
		 PRIu32 " reliable listeners%s", emit->name, seq, n, emit->ack,
		 err == -ENOLINK ? "; no more are left to do it" : " in time");
	return STATUS_TOO_FEW;
}

/* Returns 0, an exit status after a message, or an error: nothing was emitted. */
static int emit_acked(const struct emit *emit, struct aioevt_shm_event *event, uint64_t *ret_seq)
{
	uint32_t n = 0;
	int err;

	err = aioevt_shm_emit_handled(event, emit->payload, emit->size, emit->ack, emit->deadline,
				      ret_seq, &n);
	if (err == -ETIMEDOUT || err == -ENOLINK)
		return tell_acks(emit, *ret_seq, n, err);
	return err;
}

/* ---- emission -------------------------------------------------------------------- */

/*
 * Is the last record of the event that is held the same? Returns 1, 0 or an error. What has one
 * byte of data more, or another one, does not fit or differs: there is one encoding.
 */
static int is_same(const struct emit *emit, struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	void *last;
	int r = aioevt_shm_listener_new(bus, &listener);

	if (r < 0)
		return r;
	last = malloc(emit->size);
	check_memory(last ? 0 : -ENOMEM);
	r = aioevt_shm_listen(listener, emit->name, AIOEVT_SHM_OBSERVE, AIOEVT_SHM_FROM_LAST, 1, NULL);
	if (!r)
		r = aioevt_shm_wait(listener, 0, &sub);
	if (!r)
		r = aioevt_shm_read(sub, &record, 1, last, emit->size);
	if (r == 1)
		r = record.size == emit->size && !memcmp(last, emit->payload, emit->size);
	free(last);
	aioevt_shm_listener_free(listener);
	return r == -ETIMEDOUT || r == -ENOBUFS ? 0 : r;
}

/* To the event, which is open. Returns 0, an exit status after a message, or an error. */
static int emit_now(struct emit *emit, struct aioevt_shm *bus, struct aioevt_shm_event *event,
		    uint64_t *ret_seq)
{
	int err = 0;

	if (emit->need)
		err = emit_await_need(emit, event);
	if (!err && emit->if_changed) {
		err = is_same(emit, bus);
		if (err > 0)
			return 0;
	}
	if (err)
		return err;
	if (emit->is_later)
		return emit_later(emit, bus);
	if (emit->ack)
		return emit_acked(emit, event, ret_seq);
	return aioevt_shm_emit(event, emit->payload, emit->size, ret_seq);
}

/* Returns the exit status, or -ESTALE if the bus was removed meanwhile: try again. */
static int try_once(struct emit *emit, uint64_t *ret_seq)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	_cleanup_(event_closep) struct aioevt_shm_event *event = NULL;
	int status, err = 0;

	status = bus_attach(&emit->bus, 0, &bus);
	if (status)
		return status;
	if (emit->has_stdin && !emit->input)
		status = add_input(emit, bus);
	if (!status && !emit->payload)
		status = encode(emit);
	if (status)
		return status;

	if (!emit->is_later || emit->need)
		err = aioevt_shm_event_open(bus, emit->name, AIOEVT_SHM_PRECISE_TIME, &event);
	if (err == 0)
		err = emit_now(emit, bus, event, ret_seq);
	if (err >= 0 || err == -ESTALE)
		return err;
	return emit_trouble(&emit->bus, bus, emit->name, event, emit->size, err);
}

int emit_once(struct emit *emit)
{
	uint64_t seq = 0;
	int status = -ESTALE, i;

	for (i = 0; i < ATTEMPTS && status == -ESTALE; i++)
		status = try_once(emit, &seq);
	if (status == -ESTALE)
		return bus_trouble(&emit->bus, NULL, emit->name, -ESTALE);
	if (!emit->print_seq || !seq)
		return status;

	printf("%" PRIu64 "\n", seq);
	return status ? status : finish_output();
}
