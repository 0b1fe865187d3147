/* Data is read by type, or a mismatch is told, whether it was built here or arrived. */
/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <unistd.h>

#include "build-data.h"

/* ---- typed ------------------------------------------------------------------------------ */

/* One of each type, by enum aioevt_type. */
#define ONE_OF_EACH AIOEVT_ARGS(aioevt_null(), aioevt_bool(1), -1, aioevt_uint(UINT64_MAX), 0.5, \
	"text", aioevt_bytes("\0b", 2), AIOEVT_LIST(1), AIOEVT_MAP("k", 1))
#define N_TYPES 9

/* The error that accessor @asked gives for what is of type @found. */
static int get_any(const struct aioevt_data *data, size_t found, int asked)
{
	const void *pointer;
	const char *text;
	uint64_t natural;
	int64_t integer;
	double real;
	int boolean;
	size_t size;

	switch (asked) {
	case AIOEVT_BOOL:
		return aioevt_get_bool(data, found, NULL, &boolean);
	case AIOEVT_INT:
		return aioevt_get_int(data, found, NULL, &integer);
	case AIOEVT_UINT:
		return aioevt_get_uint(data, found, NULL, &natural);
	case AIOEVT_DOUBLE:
		return aioevt_get_double(data, found, NULL, &real);
	case AIOEVT_TEXT:
		return aioevt_get_text(data, found, NULL, &text, &size);
	case AIOEVT_BYTES:
		return aioevt_get_bytes(data, found, NULL, &pointer, &size);
	}
	return 1;
}

static int expected_error(int found, int asked)
{
	if (found == asked || (found == AIOEVT_INT && asked == AIOEVT_DOUBLE))
		return 0;
	if ((found == AIOEVT_INT && asked == AIOEVT_UINT) ||
	    (found == AIOEVT_UINT && (asked == AIOEVT_INT || asked == AIOEVT_DOUBLE)))
		return -ERANGE;
	return -AIOEVT_EMISMATCH(found, asked);
}

static void test_mismatches(struct aioevt_data *data)
{
	int found, asked, err;

	for (found = 0; found < N_TYPES; found++)
		for (asked = AIOEVT_BOOL; asked <= AIOEVT_BYTES; asked++) {
			err = get_any(data, (size_t)found, asked);
			check_eq(err, expected_error(found, asked));
			check_eq(AIOEVT_IS_MISMATCH(err), err && err != -ERANGE);
		}
	for (asked = AIOEVT_BOOL; asked <= AIOEVT_BYTES; asked++)
		check_eq(get_any(data, N_TYPES, asked), -ENOENT);
	check_str(aioevt_strerror(get_any(data, AIOEVT_TEXT, AIOEVT_INT)),
		  "text found where an integer was asked for");
	check_str(aioevt_strerror(get_any(data, AIOEVT_MAP, AIOEVT_BYTES)),
		  "a map found where bytes were asked for");
	aioevt_data_unref(data);
}

static void test_numbers(void)
{
	const int64_t big = INT64_C(1) << 53;
	struct aioevt_data *data = by_wire(AIOEVT_ARGS(INT64_MIN, INT64_MAX, UINT64_MAX, big, big + 1,
			UINT64_C(1) << 63, -5, 3.0, false, (bool)true), AIOEVT_NO_KWARGS);
	uint64_t natural = 1;
	double real = 1.5;
	int boolean = 5;

	check_int(data, 0, NULL, INT64_MIN);
	check_int(data, 1, NULL, INT64_MAX);
	check_eq(aioevt_get_uint(data, 1, NULL, &natural), 0);
	check(natural == INT64_MAX);
	check_eq(aioevt_get_uint(data, 2, NULL, &natural), 0);
	check(natural == UINT64_MAX);
	check_eq(aioevt_get_uint(data, 6, NULL, &natural), -ERANGE);
	check(natural == UINT64_MAX);

	check_eq(aioevt_get_double(data, 0, NULL, &real), 0);
	check(real == -9223372036854775808.0);
	check_eq(aioevt_get_double(data, 3, NULL, &real), 0);
	check(real == 9007199254740992.0);
	check_eq(aioevt_get_double(data, 4, NULL, &real), -ERANGE);
	check_eq(aioevt_get_double(data, 1, NULL, &real), -ERANGE);
	check_eq(aioevt_get_double(data, 2, NULL, &real), -ERANGE);
	check(real == 9007199254740992.0);
	check_eq(aioevt_get_double(data, 5, NULL, &real), 0);
	check(real == 9223372036854775808.0);
	check_eq(aioevt_get_int(data, 7, NULL, &(int64_t){ 0 }),
		 -AIOEVT_EMISMATCH(AIOEVT_DOUBLE, AIOEVT_INT));
	check_eq(aioevt_get_bool(data, 9, NULL, &boolean), 0);
	check_eq(boolean, 1);
	aioevt_data_unref(data);
}

/* Text ends with a NUL, wherever it lies. */
static void test_text(struct aioevt_data *data)
{
	const char *text = "untouched", *s;
	const void *bytes;
	size_t size = 99;

	check_eq(aioevt_get_text(data, 0, NULL, &text, NULL), -EILSEQ);
	check_str(text, "untouched");
	check_eq(aioevt_get_text(data, 0, NULL, &text, &size), 0);
	check_mem(text, size, "a\0b", 3);
	check_eq(text[3], 0);
	check_eq(aioevt_get_text(data, 1, NULL, &s, NULL), 0);
	check_str(s, "");
	check_eq(aioevt_get_text(data, 2, NULL, &s, NULL), 0);
	check_str(s, "a text of more than 23 bytes, \xc3\xa4");
	check_eq(aioevt_get_bytes(data, 3, NULL, &bytes, &size), 0);
	check_mem(bytes, size, "\xff\0", 2);
	check_eq(aioevt_get_bytes(data, 4, NULL, &bytes, &size), 0);
	check_eq(size, 0);
	check_str(aioevt_data_arg(data, 5)->items[0].string, "inner");
	check_eq(aioevt_get_text(data, 99, "key", &s, &size), 0);
	check_mem(s, size, "last", 4);
	check_str(s, "last");
	check_str(aioevt_data_member(data, 0)->key.string, "key");
	check_eq(aioevt_get_text(data, 0, "kez", &s, &size), -ENOENT);
	aioevt_data_unref(data);
}

int main(void)
{
#define TEXTS AIOEVT_ARGS(aioevt_text_n("a\0b", 3), "", "a text of more than 23 bytes, \xc3\xa4", \
	aioevt_bytes("\xff", 2), aioevt_bytes("", 0), AIOEVT_LIST("inner")), \
	AIOEVT_KWARGS("key", "last")

	alarm(60);
	test_mismatches(new_data(ONE_OF_EACH, AIOEVT_NO_KWARGS));
	test_mismatches(by_wire(ONE_OF_EACH, AIOEVT_NO_KWARGS));
	test_numbers();
	test_text(new_data(TEXTS));
	test_text(by_wire(TEXTS));
	return 0;
}
