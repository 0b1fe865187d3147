/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_ARGS_H
#define AIOEVT_TEST_ARGS_H

/*
 * What aioevt-args.h makes, written as a user would: the same text is compiled as C by
 * test_args.c and as C++ by cxx/args.cc.
 */

#include <aioevt.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
		exit(1); \
	} \
} while (0)

/* The call of aioevt_emit() that was made last, which these programs have in place of the real. */
static struct {
	char name[128];
	struct aioevt_data *data;
	int n_calls;
} emitted;

static struct aioevt *const mgr = NULL;

int aioevt_emit(struct aioevt *m, const char *name, struct aioevt_args args,
		struct aioevt_kwargs kwargs)
{
	CHECK(m == mgr);
	CHECK(strlen(name) < sizeof(emitted.name));
	strcpy(emitted.name, name);
	aioevt_data_unref(emitted.data);
	CHECK(aioevt_data_new(args, kwargs, &emitted.data) == 0);
	emitted.n_calls++;
	return 0;
}

static void check_value(struct aioevt_value value, int type, uint64_t natural)
{
	CHECK(value.type == type);
	CHECK(value.natural == natural);
	CHECK(!value.is_owned && !value.reserved && !value.room);
}

static void test_types(void)
{
	char letter = 'a', array[] = "array", *pointer = array;
	const char *constant = "constant";
	const short negative = -1;
	enum { GREEN = 3 } color = GREEN;
	struct aioevt_value value = aioevt_null();

	check_value(AIOEVT_VALUE((bool)1), AIOEVT_BOOL, 1);
	check_value(AIOEVT_VALUE(letter), AIOEVT_INT, 'a');
	check_value(AIOEVT_VALUE((signed char)-1), AIOEVT_INT, UINT64_MAX);
	check_value(AIOEVT_VALUE((unsigned char)255), AIOEVT_INT, 255);
	check_value(AIOEVT_VALUE(negative), AIOEVT_INT, UINT64_MAX);
	check_value(AIOEVT_VALUE((unsigned short)65535), AIOEVT_INT, 65535);
	check_value(AIOEVT_VALUE(-7), AIOEVT_INT, (uint64_t)-7);
	check_value(AIOEVT_VALUE(7u), AIOEVT_INT, 7);
	check_value(AIOEVT_VALUE(UINT32_MAX), AIOEVT_INT, UINT32_MAX);
	check_value(AIOEVT_VALUE(-7l), AIOEVT_INT, (uint64_t)-7);
	check_value(AIOEVT_VALUE(7ul), AIOEVT_INT, 7);
	check_value(AIOEVT_VALUE(INT64_MIN), AIOEVT_INT, UINT64_C(1) << 63);
	check_value(AIOEVT_VALUE(-7ll), AIOEVT_INT, (uint64_t)-7);
	check_value(AIOEVT_VALUE(INT64_MAX + 0ull), AIOEVT_INT, INT64_MAX);
	check_value(AIOEVT_VALUE(INT64_MAX + 1ull), AIOEVT_UINT, UINT64_C(1) << 63);
	check_value(AIOEVT_VALUE(UINT64_MAX), AIOEVT_UINT, UINT64_MAX);
	check_value(AIOEVT_VALUE(GREEN), AIOEVT_INT, 3);
	check_value(AIOEVT_VALUE(color), AIOEVT_INT, 3);
	CHECK(AIOEVT_VALUE(0.5f).type == AIOEVT_DOUBLE && AIOEVT_VALUE(0.5f).real == 0.5);
	CHECK(AIOEVT_VALUE(0.25).type == AIOEVT_DOUBLE && AIOEVT_VALUE(0.25).real == 0.25);
	check_value(AIOEVT_VALUE("literal"), AIOEVT_TEXT, 7);
	check_value(AIOEVT_VALUE(array), AIOEVT_TEXT, 5);
	check_value(AIOEVT_VALUE(pointer), AIOEVT_TEXT, 5);
	CHECK(AIOEVT_VALUE(pointer).string == array);
	check_value(AIOEVT_VALUE(constant), AIOEVT_TEXT, 8);
	constant = NULL;
	check_value(AIOEVT_VALUE(constant), AIOEVT_NULL, 0);
	check_value(AIOEVT_VALUE(value), AIOEVT_NULL, 0);
	check_value(AIOEVT_VALUE(aioevt_int(5)), AIOEVT_INT, 5);
}

/* The numbers from 1 to @n. */
static void check_count(struct aioevt_args args, size_t n)
{
	size_t i;

	CHECK(args.n == n);
	for (i = 0; i < n; i++)
		check_value(args.values[i], AIOEVT_INT, i + 1);
}

static void test_counts(void)
{
	int i = 0;

	check_count(AIOEVT_ARGS(), 0);
	check_count(AIOEVT_NO_ARGS, 0);
	check_count(AIOEVT_ARGS(1), 1);
	check_count(AIOEVT_ARGS((1)), 1);
	check_count(AIOEVT_ARGS(1, 2, 3), 3);
	check_count(AIOEVT_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
				20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31), 31);
	check_count(AIOEVT_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
				20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32), 32);
	/* each is evaluated once */
	check_count(AIOEVT_ARGS(++i), 1);
	CHECK(i == 1);
}

/* Pairs of "1" and 1 to "n" and n. */
static void check_pairs(struct aioevt_kwargs kwargs, size_t n)
{
	char key[24];
	size_t i;

	CHECK(kwargs.n == 2 * n);
	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%zu", i + 1);
		CHECK(kwargs.values[2 * i].type == AIOEVT_TEXT);
		CHECK(!strcmp(kwargs.values[2 * i].string, key));
		CHECK(kwargs.values[2 * i].n == strlen(key));
		check_value(kwargs.values[2 * i + 1], AIOEVT_INT, i + 1);
	}
}

static void test_kwargs(void)
{
	const char *key = "1";
	char array[] = "2";

	check_pairs(AIOEVT_KWARGS(), 0);
	check_pairs(AIOEVT_NO_KWARGS, 0);
	check_pairs(AIOEVT_KWARGS(key, 1), 1);
	check_pairs(AIOEVT_KWARGS("1", 1, array, 2, "3", 3), 3);
	check_pairs(AIOEVT_KWARGS("1", 1, "2", 2, "3", 3, "4", 4, "5", 5, "6", 6, "7", 7, "8", 8,
				  "9", 9, "10", 10, "11", 11, "12", 12, "13", 13, "14", 14,
				  "15", 15, "16", 16), 16);
}

static int64_t number(const struct aioevt_value *value)
{
	CHECK(value->type == AIOEVT_INT);
	return value->integer;
}

/* Lists and maps, in one another. */
static void test_nested(void)
{
	const struct aioevt_value *arg;

	aioevt_emit(mgr, "x", AIOEVT_ARGS(AIOEVT_LIST(), AIOEVT_MAP(),
		AIOEVT_LIST(1, AIOEVT_LIST(2, 3), AIOEVT_MAP("k", AIOEVT_LIST(4))),
		AIOEVT_MAP("z", 5, "y", AIOEVT_MAP("x", 6))), AIOEVT_KWARGS("list", AIOEVT_LIST(7)));
	CHECK(aioevt_data_n_args(emitted.data) == 4);
	arg = aioevt_data_arg(emitted.data, 0);
	CHECK(arg->type == AIOEVT_LIST && !arg->n);
	arg = aioevt_data_arg(emitted.data, 1);
	CHECK(arg->type == AIOEVT_MAP && !arg->n);
	arg = aioevt_data_arg(emitted.data, 2);
	CHECK(arg->type == AIOEVT_LIST && arg->n == 3);
	CHECK(number(&arg->items[0]) == 1);
	CHECK(number(&arg->items[1].items[1]) == 3);
	CHECK(number(&arg->items[2].members[0].value.items[0]) == 4);
	arg = aioevt_data_arg(emitted.data, 3);
	CHECK(arg->type == AIOEVT_MAP && arg->n == 2);
	CHECK(!strcmp(arg->members[0].key.string, "y"));
	CHECK(number(&arg->members[0].value.members[0].value) == 6);
	CHECK(number(&arg->members[1].value) == 5);
	arg = aioevt_data_kwarg(emitted.data, "list");
	CHECK(arg && number(&arg->items[0]) == 7);
}

/* Not for the name of an event that is called like a macro. */
#define Clear no such thing

static void test_emit(void)
{
	int i = 0;

	AIOEVT_EMIT(mgr, Add, 1, 2.5, "three");
	CHECK(!strcmp(emitted.name, "Add"));
	CHECK(aioevt_data_n_args(emitted.data) == 3);
	CHECK(aioevt_data_n_kwargs(emitted.data) == 0);
	CHECK(number(aioevt_data_arg(emitted.data, 0)) == 1);
	CHECK(!strcmp(aioevt_data_arg(emitted.data, 2)->string, "three"));

	AIOEVT_EMIT(mgr, Clear);
	CHECK(!strcmp(emitted.name, "Clear"));
	CHECK(aioevt_data_n_args(emitted.data) == 0);

	AIOEVT_EMIT(mgr, job.done, ++i);
	CHECK(!strcmp(emitted.name, "job.done"));
	CHECK(aioevt_data_n_args(emitted.data) == 1);
	CHECK(i == 1);

	AIOEVT_EMIT(mgr, LIST, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
		    21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32);
	CHECK(!strcmp(emitted.name, "LIST"));
	CHECK(aioevt_data_n_args(emitted.data) == 32);
	CHECK(number(aioevt_data_arg(emitted.data, 31)) == 32);
}

static void test_all(void)
{
	test_types();
	test_counts();
	test_kwargs();
	test_nested();
	test_emit();
	CHECK(emitted.n_calls == 5);
	emitted.data = aioevt_data_unref(emitted.data);
}

#endif
