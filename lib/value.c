/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int value_copy(enum value_type type, const void *string, size_t len,
	       struct value *ret_value)
{
	char *copy;

	copy = malloc(len ? len : 1);
	if (!copy)
		return -ENOMEM;
	if (len)
		memcpy(copy, string, len);

	*ret_value = value_take(type, copy, len);
	return 0;
}

static void deinit_list(struct value *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		value_deinit(&list->items[i]);
	free(list->items);
}

static void deinit_map(struct value *map)
{
	size_t i;

	for (i = 0; i < map->n; i++) {
		value_deinit(&map->members[i].key);
		value_deinit(&map->members[i].value);
	}
	free(map->members);
}

void value_deinit(struct value *value)
{
	if (value->type == VALUE_LIST)
		deinit_list(value);
	else if (value->type == VALUE_MAP)
		deinit_map(value);
	else if (value->owned)
		free((void *)(uintptr_t)value->string);
	*value = value_null();
}

/* Double the room at *@ptr, which holds things of @size bytes. */
static int grow(void **ptr, uint32_t *cap, size_t size)
{
	uint32_t new_cap = *cap ? *cap * 2 : 8;
	void *new_ptr;

	if (new_cap <= *cap)
		return -ENOMEM;
	new_ptr = reallocarray(*ptr, new_cap, size);
	if (!new_ptr)
		return -ENOMEM;

	*ptr = new_ptr;
	*cap = new_cap;
	return 0;
}

int value_list_add(struct value *list, struct value *item)
{
	void *items = list->items;
	uint32_t cap = list->cap;
	int err;

	if (list->n == cap) {
		err = grow(&items, &cap, sizeof(*list->items));
		if (err < 0)
			return err;
		list->items = items;
		list->cap = cap;
	}
	list->items[list->n++] = *item;
	*item = value_null();
	return 0;
}

int value_map_add(struct value *map, struct value *key, struct value *value)
{
	void *members = map->members;
	uint32_t cap = map->cap;
	int err;

	if (map->n == cap) {
		err = grow(&members, &cap, sizeof(*map->members));
		if (err < 0)
			return err;
		map->members = members;
		map->cap = cap;
	}
	map->members[map->n++] = (struct value_member){ *key, *value };
	*key = value_null();
	*value = value_null();
	return 0;
}

int value_compare_keys(const struct value *a, const struct value *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return a->n ? memcmp(a->string, b->string, a->n) : 0;
}

static int compare_members(const void *a, const void *b)
{
	const struct value_member *left = a, *right = b;

	return value_compare_keys(&left->key, &right->key);
}

/* The first member that does not sort after the one before it, or n. */
static size_t first_unsorted(const struct value *map)
{
	size_t i;

	for (i = 1; i < map->n; i++)
		if (compare_members(&map->members[i - 1], &map->members[i]) >= 0)
			return i;
	return map->n;
}

int value_map_sort(struct value *map, size_t *ret_duplicate)
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

struct value *value_map_find(const struct value *map, const char *key, size_t len)
{
	struct value_member wanted = { .key = value_borrow(VALUE_TEXT, key, len) };
	struct value_member *found;

	if (!map->n)
		return NULL;
	found = bsearch(&wanted, map->members, map->n, sizeof(*map->members),
			compare_members);
	return found ? &found->value : NULL;
}

static bool equal_doubles(double a, double b)
{
	if (a != a || b != b)
		return a != a && b != b;
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool equal_lists(const struct value *a, const struct value *b)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (!value_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static bool equal_maps(const struct value *a, const struct value *b)
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

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return false;

	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_INT:
		return a->integer == b->integer;
	case VALUE_UINT:
		return a->natural == b->natural;
	case VALUE_DOUBLE:
		return equal_doubles(a->real, b->real);
	case VALUE_TEXT:
	case VALUE_BYTES:
		return value_compare_keys(a, b) == 0;
	case VALUE_LIST:
		return a->n == b->n && equal_lists(a, b);
	case VALUE_MAP:
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
	free(data->backing);
	data_init(data);
}

bool data_equal(const struct data *a, const struct data *b)
{
	return value_equal(&a->args, &b->args) && value_equal(&a->kwargs, &b->kwargs);
}
