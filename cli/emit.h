/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_CLI_EMIT_H
#define AIOEVT_CLI_EMIT_H

/*
 * aioevt emit: emit.c has its command line, emit-once.c one record with all that goes with it,
 * emit-lines.c and emit-from.c those that come from a stream, by emit-send.c.
 */

#include "common.h"
#include "value.h"

struct word {
	const char *text;
	bool verbatim;
};

enum on_long {
	LONG_UNSET,			/* as fail */
	LONG_FAIL,			/* it ends the command */
	LONG_SKIP,
	LONG_CUT,
};

struct emit {
	struct bus_options bus;
	const char *name;		/* NULL: of each line of from */
	const char *json;
	const char *from;		/* a file of records */
	double speed;			/* 0: as fast as possible */
	bool is_text, has_stdin, print_seq, is_later, if_changed, has_timeout;
	bool by_lines, by_nuls;		/* each item of standard input is a record */
	enum on_long on_long;		/* what becomes of one that is too long */
	uint32_t need, ack;		/* 0: not asked for */
	uint64_t delay;			/* ns, if it is later */
	uint64_t timeout, deadline;
	struct word *words;
	size_t n_words;
	struct data data;
	char *input;			/* standard input */
	void *payload;			/* encoded data */
	size_t size;
};

/* Each returns the exit status. */
int emit_once(struct emit *emit);
int emit_lines(struct emit *emit);
int emit_from(struct emit *emit);

/* Print why @event of @bus (NULL: it could not be opened) took no record of @size bytes. */
int emit_trouble(const struct bus_options *options, struct aioevt_shm *bus, const char *name,
		 struct aioevt_shm_event *event, size_t size, int err);

/*
 * Wait until there are as many listeners as --need says. Returns 0, STATUS_TOO_FEW after a message,
 * or an error of the engine.
 */
int emit_await_need(const struct emit *emit, struct aioevt_shm_event *event);

/* ---- emitting to several events, one record after the other, emit-send.c ----------- */

#define SENDER_EVENTS	32u		/* that are open at a time */

struct sender {
	const struct emit *emit;
	struct aioevt_shm *bus;
	struct aioevt_shm_info info;
	struct sender_event {
		char name[AIOEVT_SHM_NAME_MAX + 1];
		struct aioevt_shm_event *event;
	} events[SENDER_EVENTS];	/* the one that was used last is first */
	unsigned n_events;
};

/* Attach, and wait for what --need says. Returns 0 or the exit status, after a message. */
int sender_open(struct sender *sender, const struct emit *emit);
void sender_close(struct sender *sender);

/*
 * Emit @size bytes to @name, and wait for room as long as it takes. Goes on with the bus that takes a
 * removed one's place. Returns 0 or the exit status, after a message.
 */
int sender_emit(struct sender *sender, const char *name, const void *payload, size_t size);

#endif
