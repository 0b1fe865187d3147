/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_VALUE_H
#define AIOEVT_VALUE_H

/*
 * Typed values in memory, and data: what an event carries. Nothing here is shared between
 * threads. A value is 24 bytes and is passed around whole; a string either belongs to it or
 * is borrowed from memory that outlives it (an argument vector, a decoded message).
 *
 * An integer has one form only: VALUE_INT if it fits into 64 bits with a sign, VALUE_UINT
 * if it is larger. So equal numbers are equal values.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

/*
 * Lists and maps inside one another, the data itself (1) and its list of arguments (2)
 * counted; so one argument may be nested VALUE_DEPTH_ARG deep.
 */
#define VALUE_DEPTH_MAX		16u
#define VALUE_DEPTH_ARG		(VALUE_DEPTH_MAX - 2u)

enum value_type {
	VALUE_NULL = 0,
	VALUE_BOOL,
	VALUE_INT,		/* -2^63 to 2^63-1 */
	VALUE_UINT,		/* 2^63 to 2^64-1 */
	VALUE_DOUBLE,
	VALUE_TEXT,		/* UTF-8, may hold NUL; not terminated */
	VALUE_BYTES,
	VALUE_LIST,
	VALUE_MAP,		/* text keys */
};

struct value_member;

struct value {
	enum value_type type : 8;
	bool owned;			/* text, bytes: free the string */
	uint32_t cap;			/* list, map: room for items */
	union {
		bool boolean;
		int64_t integer;
		uint64_t natural;
		double real;
		size_t n;		/* bytes, items or members */
	};
	union {
		const char *string;
		struct value *items;
		struct value_member *members;
	};
};

struct value_member {
	struct value key;		/* VALUE_TEXT */
	struct value value;
};

/* What an event carries. */
struct data {
	struct value args;		/* VALUE_LIST */
	struct value kwargs;		/* VALUE_MAP, sorted */
	void *backing;			/* memory that strings were borrowed from */
};

static inline struct value value_null(void)
{
	return (struct value){ .type = VALUE_NULL };
}

static inline struct value value_bool(bool boolean)
{
	return (struct value){ .type = VALUE_BOOL, .boolean = boolean };
}

static inline struct value value_int(int64_t integer)
{
	return (struct value){ .type = VALUE_INT, .integer = integer };
}

static inline struct value value_uint(uint64_t natural)
{
	if (natural <= INT64_MAX)
		return value_int((int64_t)natural);
	return (struct value){ .type = VALUE_UINT, .natural = natural };
}

static inline struct value value_double(double real)
{
	return (struct value){ .type = VALUE_DOUBLE, .real = real };
}

static inline struct value value_list(void)
{
	return (struct value){ .type = VALUE_LIST };
}

static inline struct value value_map(void)
{
	return (struct value){ .type = VALUE_MAP };
}

/*
 * Text or bytes whose memory the caller keeps. @type is VALUE_TEXT or VALUE_BYTES; it is
 * the caller who knows that text is UTF-8 (wire_encode() refuses it otherwise).
 */
static inline struct value value_borrow(enum value_type type, const void *string,
					size_t len)
{
	return (struct value){ .type = type, .n = len, .string = string };
}

/* The same, but the memory, from malloc(), now belongs to the value. */
static inline struct value value_take(enum value_type type, void *string, size_t len)
{
	return (struct value){ .type = type, .owned = true, .n = len, .string = string };
}

/* The same with a copy. Returns 0 or -ENOMEM. */
int value_copy(enum value_type type, const void *string, size_t len,
	       struct value *ret_value);

/* Free what it holds; it becomes null. */
void value_deinit(struct value *value);

/* Move @item to the end of @list; it becomes null. Returns 0 or -ENOMEM. */
int value_list_add(struct value *list, struct value *item);

/*
 * Move a key, which is text, and a value into @map; both become null. The map must be
 * sorted before it is searched, compared or encoded. Returns 0 or -ENOMEM.
 */
int value_map_add(struct value *map, struct value *key, struct value *value);

/*
 * Put the members in the order of the wire: shorter keys first, then bytewise. Returns 0,
 * or -EEXIST with the index of a member whose key occurs twice in *ret_duplicate, which
 * may be NULL.
 */
int value_map_sort(struct value *map, size_t *ret_duplicate);

/* The value at @key in a sorted map, or NULL. */
struct value *value_map_find(const struct value *map, const char *key, size_t len);

/* Negative, 0 or positive, in the order of the wire. */
int value_compare_keys(const struct value *a, const struct value *b);

/* Whether two values are the same to the bit; a NaN equals a NaN, -0.0 is not 0.0. */
bool value_equal(const struct value *a, const struct value *b);

/* Data without arguments. */
void data_init(struct data *data);

/* Free what it holds; it becomes data without arguments. */
void data_deinit(struct data *data);

bool data_equal(const struct data *a, const struct data *b);

#endif
