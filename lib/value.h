/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LIB_VALUE_H
#define AIOEVT_LIB_VALUE_H

/*
 * What is done with struct aioevt_value inside, and data: what an event carries. Nothing here
 * is shared between threads. A string either belongs to its value (is_owned) or is borrowed
 * from memory that outlives it (an argument vector, a decoded message).
 *
 * An integer has one form only: AIOEVT_INT if it fits into 64 bits with a sign, AIOEVT_UINT
 * if it is larger. So equal numbers are equal values.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aioevt.h"
#include "cleanup.h"

/*
 * Lists and maps inside one another, the data itself (1) and its list of arguments (2)
 * counted; so one argument may be nested VALUE_DEPTH_ARG deep.
 */
#define VALUE_DEPTH_MAX		16u
#define VALUE_DEPTH_ARG		(VALUE_DEPTH_MAX - 2u)

struct arena;

/* What an event carries. */
struct data {
	struct aioevt_value args;	/* AIOEVT_LIST */
	struct aioevt_value kwargs;	/* AIOEVT_MAP, sorted */
	struct arena *backing;		/* what was decoded lies there; see wire.c */
};

static inline struct aioevt_value value_null(void)
{
	return (struct aioevt_value){ .type = AIOEVT_NULL };
}

static inline struct aioevt_value value_bool(bool boolean)
{
	return (struct aioevt_value){ .type = AIOEVT_BOOL, .boolean = boolean };
}

static inline struct aioevt_value value_int(int64_t integer)
{
	return (struct aioevt_value){ .type = AIOEVT_INT, .integer = integer };
}

static inline struct aioevt_value value_uint(uint64_t natural)
{
	if (natural <= INT64_MAX)
		return value_int((int64_t)natural);
	return (struct aioevt_value){ .type = AIOEVT_UINT, .natural = natural };
}

static inline struct aioevt_value value_double(double real)
{
	return (struct aioevt_value){ .type = AIOEVT_DOUBLE, .real = real };
}

static inline struct aioevt_value value_list(void)
{
	return (struct aioevt_value){ .type = AIOEVT_LIST };
}

static inline struct aioevt_value value_map(void)
{
	return (struct aioevt_value){ .type = AIOEVT_MAP };
}

/* Is there nothing at what says that it has bytes, items or members? A caller gave NULL. */
static inline bool value_is_hollow(const struct aioevt_value *value)
{
	return value->type >= AIOEVT_TEXT && value->n && !value->string;
}

/*
 * Text or bytes whose memory the caller keeps. @type is AIOEVT_TEXT or AIOEVT_BYTES; it is
 * the caller who knows that text is UTF-8 (wire_encode() refuses it otherwise).
 */
static inline struct aioevt_value value_borrow(enum aioevt_type type, const void *string,
					size_t len)
{
	return (struct aioevt_value){ .type = type, .n = len, .string = string };
}

/* The same, but the memory, from malloc(), now belongs to the value. */
static inline struct aioevt_value value_take(enum aioevt_type type, void *string, size_t len)
{
	return (struct aioevt_value){ .type = type, .is_owned = true, .n = len, .string = string };
}

/* The same with a copy, and a NUL behind it. Returns 0 or -ENOMEM. */
int value_copy(enum aioevt_type type, const void *string, size_t len,
	       struct aioevt_value *ret_value);

/*
 * A copy of all of it. @depth is how many lists and maps are around @src, counting itself if it
 * is one. Returns 0, -ENOMEM, -E2BIG (deeper than VALUE_DEPTH_MAX), -EILSEQ (text that is
 * not UTF-8), -EINVAL (no type, a key that is not text), -EEXIST (a key twice).
 */
int value_clone(const struct aioevt_value *src, unsigned depth, struct aioevt_value *ret_value);

/*
 * Free what it holds; it becomes null. A list or map without room holds nothing: its contents
 * are borrowed.
 */
void value_deinit(struct aioevt_value *value);

/* Move @item to the end of @list; it becomes null. Returns 0 or -ENOMEM. */
int value_list_add(struct aioevt_value *list, struct aioevt_value *item);

/*
 * Move a key, which is text, and a value into @map; both become null. The map must be
 * sorted before it is searched, compared or encoded. Returns 0 or -ENOMEM.
 */
int value_map_add(struct aioevt_value *map, struct aioevt_value *key, struct aioevt_value *value);

/*
 * Put the members in the order of the wire: shorter keys first, then bytewise. Returns 0,
 * or -EEXIST with the index of a member whose key occurs twice in *ret_duplicate, which
 * may be NULL.
 */
int value_map_sort(struct aioevt_value *map, size_t *ret_duplicate);

/* The value at @key in a sorted map, or NULL. */
struct aioevt_value *value_map_find(const struct aioevt_value *map, const char *key, size_t len);

/*
 * In a sorted map that stays so: move @value to @key, in place of what is there; both become
 * null. Returns 0 or -ENOMEM. Take @key away. Returns whether it was there.
 */
int value_map_set(struct aioevt_value *map, struct aioevt_value *key, struct aioevt_value *value);
bool value_map_unset(struct aioevt_value *map, const char *key, size_t len);

/* Add copies; @depth is the map's. Errors as value_clone(), but for a key twice. */
int value_map_clone(struct aioevt_value *map, const struct aioevt_value *key,
		    const struct aioevt_value *value, unsigned depth);

/* Negative, 0 or positive, in the order of the wire. */
int value_compare_keys(const struct aioevt_value *a, const struct aioevt_value *b);

/* Whether two values are the same to the bit; a NaN equals a NaN, -0.0 is not 0.0. */
bool value_equal(const struct aioevt_value *a, const struct aioevt_value *b);

/* Data without arguments. */
void data_init(struct data *data);

/* Free what it holds; it becomes data without arguments. */
void data_deinit(struct data *data);

bool data_equal(const struct data *a, const struct data *b);

#endif
