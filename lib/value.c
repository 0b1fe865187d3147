/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "utf8.h"

int value_copy(enum aioevt_type type, const void *string, size_t len,
	       struct aioevt_value *ret_value)
{
	char *copy;

	if (len == SIZE_MAX)
		return -ENOMEM;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	if (len)
		memcpy(copy, string, len);
	copy[len] = '\0';

	*ret_value = value_take(type, copy, len);
	return 0;
}

static void deinit_list(struct aioevt_value *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		value_deinit(&list->items[i]);
	free(list->items);
}

static void deinit_map(struct aioevt_value *map)
{
	size_t i;

	for (i = 0; i < map->n; i++) {
		value_deinit(&map->members[i].key);
		value_deinit(&map->members[i].value);
	}
	free(map->members);
}

void value_deinit(struct aioevt_value *value)
{
	if (value->type == AIOEVT_LIST && value->room)
		deinit_list(value);
	else if (value->type == AIOEVT_MAP && value->room)
		deinit_map(value);
	else if (value->is_owned)
		free((void *)(uintptr_t)value->string);
	*value = value_null();
}

/* Double the room at *@ptr, which holds things of @size bytes. */
static int grow(void **ptr, uint32_t *room, size_t size)
{
	uint32_t new_room = *room ? *room * 2 : 8;
	void *new_ptr;

	if (new_room <= *room)
		return -ENOMEM;
	new_ptr = reallocarray(*ptr, new_room, size);
	if (!new_ptr)
		return -ENOMEM;

	*ptr = new_ptr;
	*room = new_room;
	return 0;
}

int value_list_add(struct aioevt_value *list, struct aioevt_value *item)
{
	void *items = list->items;
	uint32_t room = list->room;
	int err;

	if (list->n == room) {
		err = grow(&items, &room, sizeof(*list->items));
		if (err < 0)
			return err;
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = *item;
	*item = value_null();
	return 0;
}

int value_map_add(struct aioevt_value *map, struct aioevt_value *key, struct aioevt_value *value)
{
	void *members = map->members;
	uint32_t room = map->room;
	int err;

	if (map->n == room) {
		err = grow(&members, &room, sizeof(*map->members));
		if (err < 0)
			return err;
		map->members = members;
		map->room = room;
	}
	map->members[map->n++] = (struct aioevt_member){ *key, *value };
	*key = value_null();
	*value = value_null();
	return 0;
}

int value_compare_keys(const struct aioevt_value *a, const struct aioevt_value *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return a->n ? memcmp(a->string, b->string, a->n) : 0;
}

static int compare_members(const void *a, const void *b)
{
	const struct aioevt_member *left = a, *right = b;

	return value_compare_keys(&left->key, &right->key);
}

/* The first member that does not sort after the one before it, or n. */
static size_t first_unsorted(const struct aioevt_value *map)
{
	size_t i;

	for (i = 1; i < map->n; i++)
		if (compare_members(&map->members[i - 1], &map->members[i]) >= 0)
			return i;
	return map->n;
}

int value_map_sort(struct aioevt_value *map, size_t *ret_duplicate)
{
	size_t i;

	if (first_unsorted(map) == map->n)
		return 0;

	qsort(map->members, map->n, sizeof(*map->members), compare_members);
	i = first_unsorted(map);
	if (i == map->n)
		return 0;

	if (ret_duplicate)
		*ret_duplicate = i;
	return -EEXIST;
}

/* Move the last member to its place among the others, which are in order. */
static void sink_last(struct aioevt_value *map)
{
	struct aioevt_member last = map->members[map->n - 1];
	size_t i;

	for (i = map->n - 1; i && compare_members(&map->members[i - 1], &last) > 0; i--)
		map->members[i] = map->members[i - 1];
	map->members[i] = last;
}

struct aioevt_value *value_map_find(const struct aioevt_value *map, const char *key, size_t len)
{
	struct aioevt_member wanted = { .key = value_borrow(AIOEVT_TEXT, key, len) };
	struct aioevt_member *found;

	if (!map->n)
		return NULL;
	found = bsearch(&wanted, map->members, map->n, sizeof(*map->members),
			compare_members);
	return found ? &found->value : NULL;
}

int value_map_set(struct aioevt_value *map, struct aioevt_value *key, struct aioevt_value *value)
{
	struct aioevt_value *found;
	int err;

	found = value_map_find(map, key->string, key->n);
	if (found) {
		value_deinit(found);
		value_deinit(key);
		*found = *value;
		*value = value_null();
		return 0;
	}
	err = value_map_add(map, key, value);
	if (err < 0)
		return err;
	sink_last(map);
	return 0;
}

bool value_map_unset(struct aioevt_value *map, const char *key, size_t len)
{
	struct aioevt_value *found = value_map_find(map, key, len);
	struct aioevt_member *m;

	if (!found)
		return false;
	m = (struct aioevt_member *)(found - 1);
	value_deinit(&m->key);
	value_deinit(&m->value);
	map->n--;
	memmove(m, m + 1, (size_t)(map->members + map->n - m) * sizeof(*m));
	return true;
}

static int clone_list(const struct aioevt_value *src, unsigned depth, struct aioevt_value *list)
{
	_cleanup_(value_deinit) struct aioevt_value item = value_null();
	size_t i;
	int err;

	for (i = 0; i < src->n; i++) {
		err = value_clone(&src->items[i], depth + 1, &item);
		if (err < 0)
			return err;
		err = value_list_add(list, &item);
		if (err < 0)
			return err;
	}
	return 0;
}

static int clone_map(const struct aioevt_value *src, unsigned depth, struct aioevt_value *map)
{
	size_t i;
	int err;

	for (i = 0; i < src->n; i++) {
		err = value_map_clone(map, &src->members[i].key, &src->members[i].value, depth);
		if (err < 0)
			return err;
	}
	return value_map_sort(map, NULL);
}

int value_map_clone(struct aioevt_value *map, const struct aioevt_value *key,
		    const struct aioevt_value *value, unsigned depth)
{
	_cleanup_(value_deinit) struct aioevt_value k = value_null(), v = value_null();
	int err;

	if (key->type != AIOEVT_TEXT)
		return -EINVAL;
	err = value_clone(key, depth + 1, &k);
	if (err < 0)
		return err;
	err = value_clone(value, depth + 1, &v);
	if (err < 0)
		return err;
	return value_map_add(map, &k, &v);
}

static int clone_container(const struct aioevt_value *src, unsigned depth,
			   struct aioevt_value *ret_value)
{
	_cleanup_(value_deinit) struct aioevt_value copy = { .type = src->type };
	int err;

	if (depth > VALUE_DEPTH_MAX)
		return -E2BIG;
	err = src->type == AIOEVT_LIST ? clone_list(src, depth, &copy) :
					 clone_map(src, depth, &copy);
	if (err < 0)
		return err;

	*ret_value = copy;
	copy = value_null();
	return 0;
}

int value_clone(const struct aioevt_value *src, unsigned depth, struct aioevt_value *ret_value)
{
	if (value_is_hollow(src))
		return -EINVAL;
	switch (src->type) {
	case AIOEVT_NULL:
		*ret_value = value_null();
		return 0;
	case AIOEVT_BOOL:
		*ret_value = value_bool(src->boolean);
		return 0;
	case AIOEVT_INT:
		*ret_value = value_int(src->integer);
		return 0;
	case AIOEVT_UINT:
		*ret_value = value_uint(src->natural);
		return 0;
	case AIOEVT_DOUBLE:
		*ret_value = value_double(src->real);
		return 0;
	case AIOEVT_TEXT:
		if (!utf8_valid(src->string, src->n))
			return -EILSEQ;
		/* fall through */
	case AIOEVT_BYTES:
		return value_copy(src->type, src->string, src->n, ret_value);
	case AIOEVT_LIST:
	case AIOEVT_MAP:
		return clone_container(src, depth, ret_value);
	}
	return -EINVAL;
}

static bool equal_doubles(double a, double b)
{
	if (a != a || b != b)
		return a != a && b != b;
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool equal_lists(const struct aioevt_value *a, const struct aioevt_value *b)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (!value_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static bool equal_maps(const struct aioevt_value *a, const struct aioevt_value *b)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		if (compare_members(&a->members[i], &b->members[i]))
			return false;
		if (!value_equal(&a->members[i].value, &b->members[i].value))
			return false;
	}
	return true;
}

bool value_equal(const struct aioevt_value *a, const struct aioevt_value *b)
{
	if (a->type != b->type)
		return false;

	switch (a->type) {
	case AIOEVT_NULL:
		return true;
	case AIOEVT_BOOL:
		return a->boolean == b->boolean;
	case AIOEVT_INT:
		return a->integer == b->integer;
	case AIOEVT_UINT:
		return a->natural == b->natural;
	case AIOEVT_DOUBLE:
		return equal_doubles(a->real, b->real);
	case AIOEVT_TEXT:
	case AIOEVT_BYTES:
		return value_compare_keys(a, b) == 0;
	case AIOEVT_LIST:
		return a->n == b->n && equal_lists(a, b);
	case AIOEVT_MAP:
		return a->n == b->n && equal_maps(a, b);
	}
	return false;
}

void data_init(struct data *data)
{
	data->args = value_list();
	data->kwargs = value_map();
	data->backing = NULL;
}

void data_deinit(struct data *data)
{
	value_deinit(&data->args);
	value_deinit(&data->kwargs);
	if (data->backing)
		arena_deinit(data->backing);
	free(data->backing);
	data_init(data);
}

bool data_equal(const struct data *a, const struct data *b)
{
	return value_equal(&a->args, &b->args) && value_equal(&a->kwargs, &b->kwargs);
}
