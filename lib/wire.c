/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "item.h"
#include "utf8.h"

/* ---- encoder -------------------------------------------------------------------- */

struct encoder {
	unsigned char *buf;
	size_t size;
	size_t pos;		/* goes on counting beyond size */
};

static void put(struct encoder *e, const void *bytes, size_t n)
{
	if (n && e->pos <= e->size && n <= e->size - e->pos)
		memcpy(e->buf + e->pos, bytes, n);
	e->pos += n;
}

static int put_value(struct encoder *e, const struct value *value, unsigned depth);

static int put_list(struct encoder *e, const struct value *list, unsigned depth)
{
	size_t i;
	int err;

	for (i = 0; i < list->n; i++) {
		err = put_value(e, &list->items[i], depth + 1);
		if (err < 0)
			return err;
	}
	return 0;
}

static int put_map(struct encoder *e, const struct value *map, unsigned depth)
{
	const struct value_member *m;
	size_t i;
	int err;

	for (i = 0; i < map->n; i++) {
		m = &map->members[i];
		if (i && value_compare_keys(&m[-1].key, &m->key) >= 0)
			return -EINVAL;
		err = put_value(e, &m->key, depth + 1);
		if (err < 0)
			return err;
		err = put_value(e, &m->value, depth + 1);
		if (err < 0)
			return err;
	}
	return 0;
}

/* @depth is how many lists and maps are around it, counting itself if it is one */
static int put_value(struct encoder *e, const struct value *value, unsigned depth)
{
	unsigned char head[ITEM_HEAD_MAX];

	put(e, head, item_write_head(value, head));

	switch (value->type) {
	case VALUE_TEXT:
		if (!utf8_valid(value->string, value->n))
			return -EILSEQ;
		/* fall through */
	case VALUE_BYTES:
		put(e, value->string, value->n);
		return 0;
	case VALUE_LIST:
		return depth > VALUE_DEPTH_MAX ? -E2BIG : put_list(e, value, depth);
	case VALUE_MAP:
		return depth > VALUE_DEPTH_MAX ? -E2BIG : put_map(e, value, depth);
	default:
		return 0;
	}
}

int wire_encode(const struct data *data, void *buf, size_t size, size_t *ret_size)
{
	const struct value pair = { .type = VALUE_LIST, .n = 2 };
	struct encoder e = { .buf = buf, .size = size };
	unsigned char head[ITEM_HEAD_MAX];
	int err;

	put(&e, head, item_write_head(&pair, head));
	err = put_value(&e, &data->args, 2);
	if (err < 0)
		return err;
	err = put_value(&e, &data->kwargs, 2);
	if (err < 0)
		return err;

	*ret_size = e.pos;
	return e.pos <= size ? 0 : -ENOBUFS;
}

/* ---- decoder -------------------------------------------------------------------- */

static int read_value(struct item_reader *d, unsigned depth, struct value *ret_value);

/*
 * Items are added as they are read, so that memory goes with the bytes there are and not
 * with a count that somebody wrote.
 */
static int read_list(struct item_reader *d, size_t n, unsigned depth, struct value *list)
{
	_cleanup_(value_deinit) struct value item = value_null();
	int err;

	if (n > (size_t)(d->end - d->pos))
		return -EBADMSG;
	while (n--) {
		err = read_value(d, depth + 1, &item);
		if (err < 0)
			return err;
		err = value_list_add(list, &item);
		if (err < 0)
			return err;
	}
	return 0;
}

static int read_key(struct item_reader *d, const struct value *map)
{
	int err;

	err = item_read(d);
	if (err < 0)
		return err;
	if (d->item.type != VALUE_TEXT)
		return -EBADMSG;
	if (map->n && value_compare_keys(&map->members[map->n - 1].key, &d->item) >= 0)
		return -EBADMSG;
	return 0;
}

static int read_map(struct item_reader *d, size_t n, unsigned depth, struct value *map)
{
	_cleanup_(value_deinit) struct value item = value_null();
	struct value key;
	int err;

	if (n > (size_t)(d->end - d->pos) / 2)
		return -EBADMSG;
	while (n--) {
		err = read_key(d, map);
		if (err < 0)
			return err;
		key = d->item;
		err = read_value(d, depth + 1, &item);
		if (err < 0)
			return err;
		err = value_map_add(map, &key, &item);
		if (err < 0)
			return err;
	}
	return 0;
}

static int read_value(struct item_reader *d, unsigned depth, struct value *ret_value)
{
	_cleanup_(value_deinit) struct value value = value_null();
	size_t n;
	int err;

	err = item_read(d);
	if (err < 0)
		return err;
	value = d->item;

	if (value.type == VALUE_LIST || value.type == VALUE_MAP) {
		n = value.n;
		value.n = 0;
		if (depth > VALUE_DEPTH_MAX)
			return -EBADMSG;
		err = value.type == VALUE_LIST ? read_list(d, n, depth, &value) :
						 read_map(d, n, depth, &value);
		if (err < 0)
			return err;
	}
	*ret_value = value;
	value = value_null();
	return 0;
}

static int read_data(struct item_reader *d, struct data *data)
{
	int err;

	err = item_read(d);
	if (err < 0)
		return err;
	if (d->item.type != VALUE_LIST || d->item.n != 2)
		return -EBADMSG;

	err = read_value(d, 2, &data->args);
	if (err < 0)
		return err;
	err = read_value(d, 2, &data->kwargs);
	if (err < 0)
		return err;
	if (data->args.type != VALUE_LIST || data->kwargs.type != VALUE_MAP)
		return -EBADMSG;
	return d->pos == d->end ? 0 : -EBADMSG;
}

int wire_decode(const void *buf, size_t size, struct data *ret_data)
{
	_cleanup_(data_deinit) struct data data;
	struct item_reader d = { 0 };
	int err;

	data_init(&data);
	data.backing = malloc(size ? size : 1);
	if (!data.backing)
		return -ENOMEM;
	if (size)
		memcpy(data.backing, buf, size);

	d.pos = data.backing;
	d.end = d.pos + size;
	err = read_data(&d, &data);
	if (err < 0)
		return err;

	*ret_data = data;
	data_init(&data);
	return 0;
}
