/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <errno.h>

#include "item.h"

struct decoder {
	struct item_reader reader;
	struct arena *arena;
	size_t n_owed;		/* items that were promised and are still to be read */
	unsigned char *end_of_text;	/* of the last item, if it was text */
};

static int read_value(struct decoder *d, unsigned depth, struct aioevt_value *ret_value);

/* How many more items can follow: each takes a byte, and so does each that is owed. */
static size_t most_items(const struct decoder *d)
{
	size_t n_bytes = (size_t)(d->reader.end - d->reader.pos);

	return n_bytes > d->n_owed ? n_bytes - d->n_owed : 0;
}

/* Room for the @n items of a list, or of a map, keys and values counted. */
static int take_room(struct decoder *d, size_t n, struct aioevt_value **ret_items)
{
	size_t most = most_items(d);
	struct aioevt_value *items = NULL;

	if (n > most)
		return -EBADMSG;
	if (n)
		items = arena_take(d->arena, n, most);
	if (n && !items)
		return -ENOMEM;
	d->n_owed += n;
	*ret_items = items;
	return 0;
}

static int read_list(struct decoder *d, unsigned depth, struct aioevt_value *list)
{
	size_t i;
	int err;

	err = take_room(d, list->n, &list->items);
	if (err < 0)
		return err;
	for (i = 0; i < list->n; i++) {
		err = read_value(d, depth + 1, &list->items[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

static int read_map(struct decoder *d, unsigned depth, struct aioevt_value *map)
{
	struct aioevt_value *items;
	struct aioevt_member *m;
	size_t i;
	int err;

	if (map->n > SIZE_MAX / 2)
		return -EBADMSG;
	err = take_room(d, 2 * map->n, &items);
	if (err < 0)
		return err;
	map->members = (struct aioevt_member *)items;
	for (i = 0; i < map->n; i++) {
		m = &map->members[i];
		err = read_value(d, depth + 1, &m->key);
		if (err < 0)
			return err;
		if (m->key.type != AIOEVT_TEXT)
			return -EBADMSG;
		if (i && value_compare_keys(&m[-1].key, &m->key) >= 0)
			return -EBADMSG;
		err = read_value(d, depth + 1, &m->value);
		if (err < 0)
			return err;
	}
	return 0;
}

static void end_text(struct decoder *d)
{
	if (d->end_of_text)
		*d->end_of_text = '\0';
	d->end_of_text = NULL;
}

static int read_item(struct decoder *d, struct aioevt_value *ret_item)
{
	int err;

	err = item_read(&d->reader, ret_item);
	if (err < 0)
		return err;
	end_text(d);
	if (ret_item->type == AIOEVT_TEXT)
		d->end_of_text = (unsigned char *)(uintptr_t)d->reader.pos;
	return 0;
}

/* @depth is how many lists and maps are around it, counting itself if it is one */
static int read_value(struct decoder *d, unsigned depth, struct aioevt_value *ret_value)
{
	int err;

	err = read_item(d, ret_value);
	if (err < 0)
		return err;
	d->n_owed--;
	if (ret_value->type != AIOEVT_LIST && ret_value->type != AIOEVT_MAP)
		return 0;
	if (depth > VALUE_DEPTH_MAX)
		return -EBADMSG;
	return ret_value->type == AIOEVT_LIST ? read_list(d, depth, ret_value) :
						read_map(d, depth, ret_value);
}

int decode(void *bytes, size_t size, struct arena *arena, struct aioevt_value *ret_args,
	   struct aioevt_value *ret_kwargs)
{
	struct decoder d = { .arena = arena };
	struct aioevt_value pair, args, kwargs;
	int err;

	d.reader.pos = bytes;
	d.reader.end = d.reader.pos + size;
	err = read_item(&d, &pair);
	if (err < 0)
		return err;
	if (pair.type != AIOEVT_LIST || pair.n != 2)
		return -EBADMSG;

	d.n_owed = 2;
	err = read_value(&d, 2, &args);
	if (err < 0)
		return err;
	err = read_value(&d, 2, &kwargs);
	if (err < 0)
		return err;
	if (args.type != AIOEVT_LIST || kwargs.type != AIOEVT_MAP)
		return -EBADMSG;
	if (d.reader.pos != d.reader.end)
		return -EBADMSG;

	end_text(&d);
	*ret_args = args;
	*ret_kwargs = kwargs;
	return 0;
}
