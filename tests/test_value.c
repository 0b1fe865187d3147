/* Values keep type and number, lists and maps own their items, maps sort by wire order. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>

#include "test.h"
#include "utf8.h"
#include "value.h"

static struct aioevt_value text(const char *string)
{
	return value_borrow(AIOEVT_TEXT, string, strlen(string));
}

static void test_integers(void)
{
	struct aioevt_value a = value_uint(5), b = value_int(5);
	struct aioevt_value big = value_uint(UINT64_MAX), minus = value_int(-1);

	check_eq(value_uint(INT64_MAX).type, AIOEVT_INT);
	check_eq(value_uint((uint64_t)INT64_MAX + 1).type, AIOEVT_UINT);
	check(value_equal(&a, &b));
	check(!value_equal(&big, &minus));
}

static void test_doubles(void)
{
	struct aioevt_value zero = value_double(0.0), minus_zero = value_double(-0.0);
	struct aioevt_value nan1 = value_double(NAN), nan2 = value_double(-NAN);
	struct aioevt_value one = value_double(1.0), integer = value_int(1);

	check(!value_equal(&zero, &minus_zero));
	check(value_equal(&nan1, &nan2));
	check(!value_equal(&nan1, &zero));
	check(!value_equal(&one, &integer));
}

static void test_list(void)
{
	_cleanup_(value_deinit) struct aioevt_value a = value_list(), b = value_list();
	struct aioevt_value item;
	int i;

	for (i = 0; i < 1000; i++) {
		check_eq(value_copy(AIOEVT_BYTES, &i, sizeof(i), &item), 0);
		check_eq(value_list_add(&a, &item), 0);
		check_eq(item.type, AIOEVT_NULL);
		item = value_borrow(AIOEVT_BYTES, a.items[i].string, sizeof(i));
		check_eq(value_list_add(&b, &item), 0);
	}
	check_eq(a.n, 1000);
	check(value_equal(&a, &b));
	b.items[999].n--;
	check(!value_equal(&a, &b));
	value_deinit(&b);
}

static void add(struct aioevt_value *map, const char *name, int64_t number)
{
	struct aioevt_value key = text(name), value = value_int(number);

	check_eq(value_map_add(map, &key, &value), 0);
}

static void test_map(void)
{
	_cleanup_(value_deinit) struct aioevt_value map = value_map();
	size_t i = 0;

	check_eq(value_map_sort(&map, &i), 0);
	check(!value_map_find(&map, "b", 1));
	add(&map, "bb", 1);
	add(&map, "c", 2);
	add(&map, "a", 3);
	add(&map, "", 4);
	add(&map, "\xc3\xa4", 5);
	check_eq(value_map_sort(&map, &i), 0);
	check_eq(map.members[0].value.integer, 4);
	check_eq(map.members[1].value.integer, 3);
	check_eq(map.members[2].value.integer, 2);
	check_eq(map.members[3].value.integer, 1);
	check_eq(map.members[4].value.integer, 5);
	check_eq(value_map_find(&map, "bb", 2)->integer, 1);
	check(!value_map_find(&map, "b", 1));

	add(&map, "c", 6);
	check_eq(value_map_sort(&map, &i), -EEXIST);
	check_mem(map.members[i].key.string, map.members[i].key.n, "c", 1);
}

static void test_utf8(void)
{
	static const char *const good[] = {
		"", "a", "12345678", "1234567\xc3\xa4", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xe0\xa0\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xef\xbf\xbf",
	};
	static const char *const bad[] = {
		"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xff", "12345678\xe2\x82", "\xf0\x90\x80", "a\xc3(", "\xe2\x82(",
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		check(utf8_valid(good[i], strlen(good[i])));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		check(!utf8_valid(bad[i], strlen(bad[i])));
	check(utf8_valid("a\0b", 3));
	check_eq(utf8_count("a\xc3\xa4\xf0\x90\x80\x80", 7), 3);
}

int main(void)
{
	test_integers();
	test_doubles();
	test_list();
	test_map();
	test_utf8();
	return 0;
}
