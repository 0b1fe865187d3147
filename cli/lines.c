/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ROOM	(256 * 1024)

static int make_room(struct lines *in)
{
	size_t room = in->room ? 2 * in->room : FIRST_ROOM;
	char *buf;

	if (in->start) {
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	if (in->end < in->room)
		return 0;
	buf = realloc(in->buf, room);
	if (!buf)
		return -ENOMEM;
	in->buf = buf;
	in->room = room;
	return 0;
}

static int fill(struct lines *in)
{
	ssize_t n;
	int err = in->end == in->room ? make_room(in) : 0;

	if (err < 0)
		return err;
	do {
		n = read(in->fd, in->buf + in->end, in->room - in->end);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	in->at_end = n == 0;
	in->end += (size_t)n;
	return 0;
}

static int take(struct lines *in, size_t len, size_t n_delimiter, char **ret_item,
		size_t *ret_len)
{
	if (len > in->max)
		return -EMSGSIZE;
	*ret_item = in->buf + in->start;
	*ret_len = len;
	in->start += len + n_delimiter;
	in->scanned = 0;
	return 1;
}

/* Pass by what is left of an item that was cut, with its delimiter. */
static int pass_rest(struct lines *in)
{
	char *found;
	int err;

	while (in->is_cut) {
		found = in->start < in->end ? memchr(in->buf + in->start, in->delimiter,
						     in->end - in->start) : NULL;
		in->start = found ? (size_t)(found + 1 - in->buf) : in->end;
		in->is_cut = !found && !in->at_end;
		err = in->is_cut ? fill(in) : 0;
		if (err < 0)
			return err;
	}
	return 0;
}

void lines_cut(struct lines *in, char **ret_item, size_t *ret_len)
{
	char *item = in->buf + in->start;
	size_t len = in->max;

	/* What follows is the rest of a character. */
	for (unsigned i = 0; i < 3 && len && ((unsigned char)item[len] & 0xc0) == 0x80; i++)
		len--;
	*ret_item = item;
	*ret_len = len;
	in->start += in->max;
	in->scanned = 0;
	in->is_cut = true;
}

int lines_next(struct lines *in, char **ret_item, size_t *ret_len)
{
	char *from, *found;
	int err = pass_rest(in);

	if (err < 0)
		return err;
	for (;;) {
		from = in->buf + in->start;
		found = in->start + in->scanned < in->end ?
			memchr(from + in->scanned, in->delimiter,
			       in->end - in->start - in->scanned) : NULL;
		if (found)
			return take(in, (size_t)(found - from), 1, ret_item, ret_len);
		in->scanned = in->end - in->start;
		if (in->scanned > in->max)
			return -EMSGSIZE;
		if (in->at_end)
			return in->scanned ? take(in, in->scanned, 0, ret_item, ret_len) : 0;
		err = fill(in);
		if (err < 0)
			return err;
	}
}

void lines_deinit(struct lines *in)
{
	free(in->buf);
	in->buf = NULL;
}
