/* SPDX-License-Identifier: MIT */
#include "encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "item.h"
#include "utf8.h"

#define N_SORT_HERE	32u	/* members that are sorted on the stack */

/* The members of a map as the kwargs come: key, value, key, value. */
_Static_assert(sizeof(struct aioevt_member) == 2 * sizeof(struct aioevt_value), "no padding");

static int put_value(struct encoder *e, const struct aioevt_value *value, unsigned depth);

static void put(struct encoder *e, const void *bytes, size_t n)
{
	if (n && e->pos <= e->size && n <= e->size - e->pos)
		memcpy(e->buf + e->pos, bytes, n);
	e->pos += n;
}

static void put_head(struct encoder *e, const struct aioevt_value *value)
{
	unsigned char head[ITEM_HEAD_MAX];

	if (e->pos + ITEM_HEAD_MAX <= e->size)
		e->pos += item_write_head(value, e->buf + e->pos);
	else
		put(e, head, item_write_head(value, head));
}

/* As many of the @n items as are scalars and fit for sure. Returns how many. */
static size_t put_scalars(struct encoder *e, const struct aioevt_value *items, size_t n)
{
	size_t pos = e->pos, size = e->size, i;

	for (i = 0; i < n && items[i].type < AIOEVT_TEXT && pos + ITEM_HEAD_MAX <= size; i++)
		pos += item_write_head(&items[i], e->buf + pos);
	e->pos = pos;
	return i;
}

static int put_items(struct encoder *e, const struct aioevt_value *items, size_t n, unsigned depth)
{
	size_t i;
	int err;

	for (i = put_scalars(e, items, n); i < n; i++) {
		err = put_value(e, &items[i], depth + 1);
		if (err < 0)
			return err;
	}
	return 0;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct aioevt_value *const *left = a, *const *right = b;

	return value_compare_keys(*left, *right);
}

static void sort_here(const struct aioevt_value **keys, size_t n)
{
	const struct aioevt_value *key;
	size_t i, j;

	for (i = 1; i < n; i++) {
		key = keys[i];
		for (j = i; j && value_compare_keys(keys[j - 1], key) > 0; j--)
			keys[j] = keys[j - 1];
		keys[j] = key;
	}
}

static int put_by_keys(struct encoder *e, const struct aioevt_value **keys, size_t n,
		       unsigned depth)
{
	size_t i;
	int err;

	for (i = 0; i < n; i++) {
		if (i && value_compare_keys(keys[i - 1], keys[i]) == 0)
			return -EEXIST;
		err = put_items(e, keys[i], 2, depth);
		if (err < 0)
			return err;
	}
	return 0;
}

static int put_unsorted(struct encoder *e, const struct aioevt_value *pairs, size_t n,
			unsigned depth)
{
	const struct aioevt_value *here[N_SORT_HERE], **keys = here;
	size_t i;
	int err;

	if (n > N_SORT_HERE)
		keys = reallocarray(NULL, n, sizeof(*keys));
	if (!keys)
		return -ENOMEM;

	for (i = 0; i < n; i++)
		keys[i] = &pairs[2 * i];
	if (keys == here)
		sort_here(keys, n);
	else
		qsort(keys, n, sizeof(*keys), compare_pairs);
	err = put_by_keys(e, keys, n, depth);

	if (keys != here)
		free(keys);
	return err;
}

/* 1: the keys are in order; 0: they are not, or one is there twice. -EINVAL: one is not text. */
static int look_at_keys(const struct aioevt_value *pairs, size_t n)
{
	int is_sorted = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		if (pairs[2 * i].type != AIOEVT_TEXT || value_is_hollow(&pairs[2 * i]))
			return -EINVAL;
		if (i && value_compare_keys(&pairs[2 * i - 2], &pairs[2 * i]) >= 0)
			is_sorted = 0;
	}
	return is_sorted;
}

static int put_pairs(struct encoder *e, const struct aioevt_value *pairs, size_t n, unsigned depth)
{
	int is_sorted;

	is_sorted = look_at_keys(pairs, n);
	if (is_sorted < 0)
		return is_sorted;
	if (is_sorted)
		return put_items(e, pairs, 2 * n, depth);
	return e->is_sorted ? -EINVAL : put_unsorted(e, pairs, n, depth);
}

/* @depth is how many lists and maps are around it, counting itself if it is one */
static int put_value(struct encoder *e, const struct aioevt_value *value, unsigned depth)
{
	if (value->type > AIOEVT_MAP || value_is_hollow(value))
		return -EINVAL;
	put_head(e, value);

	switch (value->type) {
	case AIOEVT_TEXT:
		if (!utf8_valid(value->string, value->n))
			return -EILSEQ;
		/* fall through */
	case AIOEVT_BYTES:
		put(e, value->string, value->n);
		return 0;
	case AIOEVT_LIST:
		return depth > VALUE_DEPTH_MAX ? -E2BIG :
		       put_items(e, value->items, value->n, depth);
	case AIOEVT_MAP:
		return depth > VALUE_DEPTH_MAX ? -E2BIG :
		       put_pairs(e, (const struct aioevt_value *)value->members, value->n, depth);
	default:
		return 0;
	}
}

int encode(struct encoder *e, const struct aioevt_value *args, size_t n_args,
	   const struct aioevt_value *kwargs, size_t n_kwargs)
{
	const struct aioevt_value pair = { .type = AIOEVT_LIST, .n = 2 };
	const struct aioevt_value list = { .type = AIOEVT_LIST, .n = n_args };
	const struct aioevt_value map = { .type = AIOEVT_MAP, .n = n_kwargs / 2 };
	int err;

	if (n_kwargs % 2 || (n_args && !args) || (n_kwargs && !kwargs))
		return -EINVAL;
	put_head(e, &pair);
	put_head(e, &list);
	err = put_items(e, args, n_args, 2);
	if (err < 0)
		return err;
	put_head(e, &map);
	return put_pairs(e, kwargs, n_kwargs / 2, 2);
}
