/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_H
#define AIOEVT_TEST_H

/*
 * Assertions for the test programs: they print where, what was expected and what there
 * was, and end the program with status 1. Arguments are evaluated once.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define check(cond) \
	test_check((cond), #cond, __FILE__, __LINE__)

/* Integers of any kind. */
#define check_eq(actual, expected) \
	test_eq((intmax_t)(actual), (intmax_t)(expected), #actual, #expected, \
		__FILE__, __LINE__)

/* Strings; either may be NULL. */
#define check_str(actual, expected) \
	test_str((actual), (expected), #actual, #expected, __FILE__, __LINE__)

#define check_mem(actual, actual_size, expected, expected_size) \
	test_mem((actual), (actual_size), (expected), (expected_size), #actual, \
		 #expected, __FILE__, __LINE__)

static inline void test_check(bool ok, const char *cond, const char *file, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: failed: %s\n", file, line, cond);
	exit(1);
}

static inline void test_eq(intmax_t actual, intmax_t expected, const char *what,
			   const char *expectation, const char *file, int line)
{
	if (actual == expected)
		return;
	fprintf(stderr, "%s:%d: %s\n  expected %" PRIdMAX " (%s)\n  actual   %" PRIdMAX
		"\n", file, line, what, expected, expectation, actual);
	exit(1);
}

static inline void test_str(const char *actual, const char *expected, const char *what,
			    const char *expectation, const char *file, int line)
{
	if (actual == expected || (actual && expected && !strcmp(actual, expected)))
		return;
	fprintf(stderr, "%s:%d: %s\n  expected \"%s\" (%s)\n  actual   \"%s\"\n", file,
		line, what, expected ? expected : "(null)", expectation,
		actual ? actual : "(null)");
	exit(1);
}

static inline void test_print_hex(const char *name, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	size_t i;

	fprintf(stderr, "  %s %zu bytes:", name, size);
	for (i = 0; i < size && i < 256; i++)
		fprintf(stderr, "%s%02x", i % 32 ? " " : "\n    ", bytes[i]);
	fprintf(stderr, "%s\n", i < size ? " ..." : "");
}

static inline void test_mem(const void *actual, size_t actual_size, const void *expected,
			    size_t expected_size, const char *what,
			    const char *expectation, const char *file, int line)
{
	if (actual_size == expected_size &&
	    (!actual_size || !memcmp(actual, expected, actual_size)))
		return;
	fprintf(stderr, "%s:%d: %s, expected %s\n", file, line, what, expectation);
	test_print_hex("expected", expected, expected_size);
	test_print_hex("actual  ", actual, actual_size);
	exit(1);
}

#endif
