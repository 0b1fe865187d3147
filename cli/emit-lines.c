/* SPDX-License-Identifier: MIT */
/*
 * --lines and --null: a record for each item of standard input. All but the item is encoded once:
 * what comes before it, and behind it the map. So an item costs the look for its end, one whether
 * it is UTF-8, a copy and the emission.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "emit.h"
#include "item.h"
#include "lines.h"
#include "wire.h"

struct frame {
	unsigned char *buf;		/* the beginning, and then the rest of each record */
	size_t room;
	size_t n_before;
	unsigned char *after;
	size_t n_after;
};

static void encode(const struct data *data, unsigned char **ret_buf, size_t *ret_size)
{
	int err = wire_encode(data, NULL, 0, ret_size);

	if (err == -ENOBUFS) {
		*ret_buf = malloc(*ret_size);
		check_memory(*ret_buf ? 0 : -ENOMEM);
		err = wire_encode(data, *ret_buf, *ret_size, ret_size);
	}
	if (err < 0)
		complain_usage("the data cannot be encoded: %s", strerror(-err));
}

/* Encode the data with a null where the item comes, and take it apart there. */
static void make_frame(struct emit *emit, struct frame *frame)
{
	struct data map_only = { .args = value_list(), .kwargs = emit->data.kwargs };
	struct aioevt_value item = value_null();
	size_t size, map_size;
	unsigned char *map = NULL;

	check_memory(value_list_add(&emit->data.args, &item));
	encode(&emit->data, &frame->buf, &size);
	encode(&map_only, &map, &map_size);
	frame->room = size;
	frame->n_after = map_size - 2;			/* [[], {...}] */
	frame->n_before = size - frame->n_after - 1;	/* the null */
	frame->after = map;
	memmove(map, map + 2, frame->n_after);
}

/* Returns the size of the record that is then in frame->buf. */
static size_t put_item(struct frame *frame, const char *item, size_t len)
{
	const struct aioevt_value value = args_text(item, len);
	size_t most = frame->n_before + ITEM_HEAD_MAX + len + frame->n_after;
	unsigned char *to;

	if (most > frame->room) {
		to = realloc(frame->buf, 2 * most);
		check_memory(to ? 0 : -ENOMEM);
		frame->buf = to;
		frame->room = 2 * most;
	}
	to = frame->buf + frame->n_before;
	to += item_write_head(&value, to);
	if (len)
		memcpy(to, item, len);
	memcpy(to + len, frame->after, frame->n_after);
	return (size_t)(to + len - frame->buf) + frame->n_after;
}

/* One of standard input, for a message. */
static const char *item_word(const struct emit *emit)
{
	return emit->by_nuls ? "item" : "line";
}

static int complain_item(const struct emit *emit, uint64_t number, int err)
{
	complain("standard input, %s %" PRIu64 ": %s", item_word(emit), number, strerror(-err));
	return STATUS_TROUBLE;
}

static void tell_long(const struct emit *emit, const struct sender *sender, uint64_t number)
{
	complain("standard input, %s %" PRIu64 ": over the %" PRIu32 " bytes that the bus takes "
		 "(max_payload)%s", item_word(emit), number, sender->info.max_payload,
		 emit->on_long == LONG_SKIP ? "; skipped" : emit->on_long == LONG_CUT ? "; cut" :
		 "; see --on-long");
}

static int emit_item(struct sender *sender, struct frame *frame, const char *item, size_t len)
{
	return sender_emit(sender, sender->emit->name, frame->buf, put_item(frame, item, len));
}

static int emit_all(const struct emit *emit, struct sender *sender, struct frame *frame,
		    struct lines *in)
{
	int r, status = STATUS_DONE;
	uint64_t number = 0;
	size_t len = 0;
	char *item;

	while (!status && (r = lines_next(in, &item, &len)) != 0) {
		number++;
		if (r == -EMSGSIZE) {
			tell_long(emit, sender, number);
			if (emit->on_long <= LONG_FAIL)
				return STATUS_TROUBLE;
			lines_cut(in, &item, &len);
		} else if (r < 0) {
			return complain_item(emit, number, r);
		}
		if (r > 0 || emit->on_long == LONG_CUT)
			status = emit_item(sender, frame, item, len);
	}
	return status;
}

/* The bytes that a text of @len takes in a record. */
static size_t item_size(size_t len)
{
	const struct aioevt_value item = value_borrow(AIOEVT_TEXT, "", len);
	unsigned char head[ITEM_HEAD_MAX];

	return item_write_head(&item, head) + len;
}

/* The longest item that makes a record of no more than the bus takes. */
static int set_max(const struct sender *sender, const struct frame *frame, struct lines *in)
{
	size_t max = sender->info.max_payload, others = frame->n_before + frame->n_after, room;

	if (others >= max) {
		complain("the data beside standard input takes %zu bytes, over the %zu bytes that "
			 "the bus takes (max_payload)", others + 1, max);
		return STATUS_TROUBLE;
	}
	room = max - others;
	/* The head of a text that is a few bytes longer may be larger. */
	in->max = room < ITEM_HEAD_MAX ? 0 : room - ITEM_HEAD_MAX;
	while (item_size(in->max + 1) <= room)
		in->max++;
	return STATUS_DONE;
}

int emit_lines(struct emit *emit)
{
	struct lines in = { .fd = STDIN_FILENO, .delimiter = emit->by_nuls ? '\0' : '\n' };
	struct frame frame = { 0 };
	struct sender sender;
	int status;

	make_frame(emit, &frame);
	status = sender_open(&sender, emit);
	if (!status)
		status = set_max(&sender, &frame, &in);
	if (!status)
		status = emit_all(emit, &sender, &frame, &in);
	sender_close(&sender);
	lines_deinit(&in);
	free(frame.buf);
	free(frame.after);
	return status;
}
