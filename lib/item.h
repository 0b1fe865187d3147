/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ITEM_H
#define AIOEVT_ITEM_H

/*
 * One CBOR data item: a scalar, a string, or the head of a list or map, by libcbor's
 * encoders and its streaming decoder; but for heads of one byte, and whole numbers, which are
 * most of them, and are written and read right here, at a tenth of the time. encode.c and
 * decode.c put items together.
 */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "utf8.h"
#include "value.h"

#define ITEM_HEAD_MAX	9u	/* bytes of the longest head */

/*
 * Encode all of a scalar, or what comes before the contents of another value, into
 * ITEM_HEAD_MAX bytes at @buf. Returns how many it took.
 */
size_t item_write_long_head(const struct aioevt_value *value, unsigned char *buf);

/* The head of @value, no whole number, if one byte is enough for it, else -1. */
static inline int item_short_head(const struct aioevt_value *value)
{
	switch (value->type) {
	case AIOEVT_NULL:
		return 0xf6;
	case AIOEVT_BOOL:
		return value->boolean ? 0xf5 : 0xf4;
	case AIOEVT_BYTES:
		return value->n < 24 ? 0x40 | (int)value->n : -1;
	case AIOEVT_TEXT:
		return value->n < 24 ? 0x60 | (int)value->n : -1;
	case AIOEVT_LIST:
		return value->n < 24 ? 0x80 | (int)value->n : -1;
	case AIOEVT_MAP:
		return value->n < 24 ? 0xa0 | (int)value->n : -1;
	}
	return -1;
}

static inline size_t item_write_whole(const struct aioevt_value *value, unsigned char *buf)
{
	bool is_negative = value->type == AIOEVT_INT && value->integer < 0;
	uint64_t natural = is_negative ? ~value->natural : value->natural;
	unsigned kind = is_negative ? 0x20 : 0x00, log;
	uint64_t bytes;

	if (natural < 24) {
		buf[0] = (unsigned char)(kind | natural);
		return 1;
	}
	log = natural > 0xff ? natural > 0xffff ? natural > 0xffffffff ? 3 : 2 : 1 : 0;
	bytes = htobe64(natural << (64 - (8u << log)));
	buf[0] = (unsigned char)(kind | (24 + log));
	memcpy(buf + 1, &bytes, sizeof(bytes));
	return 1 + ((size_t)1 << log);
}

static inline size_t item_write_head(const struct aioevt_value *value, unsigned char *buf)
{
	int head;

	if (value->type == AIOEVT_INT || value->type == AIOEVT_UINT)
		return item_write_whole(value, buf);
	head = item_short_head(value);
	if (head < 0)
		return item_write_long_head(value, buf);
	buf[0] = (unsigned char)head;
	return 1;
}

struct item_reader {
	const unsigned char *pos;
	const unsigned char *end;
	struct aioevt_value item;	/* read by libcbor */
	bool refused;			/* it is of a kind that is not allowed */
};

/* Read an item whose head may be of any length. */
int item_read_long(struct item_reader *d, struct aioevt_value *ret_item);

static inline int item_read_string(struct item_reader *d, enum aioevt_type type, size_t n,
				   struct aioevt_value *ret_item)
{
	const unsigned char *string = d->pos + 1;

	if (n > (size_t)(d->end - string))
		return -EBADMSG;
	if (type == AIOEVT_TEXT && !utf8_valid((const char *)string, n))
		return -EBADMSG;
	*ret_item = value_borrow(type, string, n);
	d->pos = string + n;
	return 0;
}

/* A whole number that is @head and 1, 2, 4 or 8 bytes, and would not fit into fewer. */
static inline int item_read_whole(struct item_reader *d, unsigned head,
				  struct aioevt_value *ret_item)
{
	size_t size = (size_t)1 << (head & 3), i;
	uint64_t natural = 0;

	if ((size_t)(d->end - d->pos) <= size)
		return -EBADMSG;
	for (i = 1; i <= size; i++)
		natural = natural << 8 | d->pos[i];
	if (size == 1 ? natural < 24 : !(natural >> 4 * size))
		return -EBADMSG;
	if (head & 0x20 && natural > INT64_MAX)
		return -EBADMSG;

	*ret_item = head & 0x20 ? value_int(-1 - (int64_t)natural) : value_uint(natural);
	d->pos += 1 + size;
	return 0;
}

/*
 * Read the item at @d->pos and move on. A string is borrowed from the bytes. The count of a list
 * or map is in its n and has not been compared with anything. Returns 0, or -EBADMSG if it is
 * not allowed, not the shortest form, not UTF-8 or cut off.
 */
static inline int item_read(struct item_reader *d, struct aioevt_value *ret_item)
{
	unsigned head, n;

	if (d->pos == d->end)
		return -EBADMSG;
	head = *d->pos;
	n = head & 0x1f;
	if (n >= 24 && n < 28 && head < 0x40)
		return item_read_whole(d, head, ret_item);
	if (n >= 24 || head >= 0xc0)
		return item_read_long(d, ret_item);

	switch (head >> 5) {
	case 0:
		*ret_item = value_int(n);
		break;
	case 1:
		*ret_item = value_int(-1 - (int)n);
		break;
	case 2:
		return item_read_string(d, AIOEVT_BYTES, n, ret_item);
	case 3:
		return item_read_string(d, AIOEVT_TEXT, n, ret_item);
	case 4:
		*ret_item = (struct aioevt_value){ .type = AIOEVT_LIST, .n = n };
		break;
	case 5:
		*ret_item = (struct aioevt_value){ .type = AIOEVT_MAP, .n = n };
		break;
	}
	d->pos++;
	return 0;
}

#endif
