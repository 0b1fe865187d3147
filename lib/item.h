/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ITEM_H
#define AIOEVT_ITEM_H

/*
 * One CBOR data item: a scalar, a string, or the head of a list or map, by libcbor's
 * encoders and its streaming decoder. wire.c puts items together.
 */

#include "value.h"

#define ITEM_HEAD_MAX	9u	/* bytes of the longest head */

/*
 * Encode all of a scalar, or what comes before the contents of another value, into
 * ITEM_HEAD_MAX bytes at @buf. Returns how many it took.
 */
size_t item_write_head(const struct value *value, unsigned char *buf);

struct item_reader {
	const unsigned char *pos;
	const unsigned char *end;
	struct value item;	/* the last one; a list or map without contents */
	bool refused;		/* it is of a kind that is not allowed */
};

/*
 * Read the item at @d->pos into @d->item and move on. A string is borrowed from the bytes.
 * The count of a list or map is in item.n and has not been compared with anything. Returns
 * 0, or -EBADMSG if it is not allowed, not the shortest form, not UTF-8 or cut off.
 */
int item_read(struct item_reader *d);

#endif
