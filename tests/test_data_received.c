/* Data is received from any bytes, good or bad, and values and deadlines are made in one line. */
/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "build-data.h"

/* ---- received --------------------------------------------------------------------------- */

static void test_record(void)
{
	struct aioevt_data *data = by_wire(AIOEVT_ARGS(1), AIOEVT_NO_KWARGS);
	struct aioevt_data *built = new_data(AIOEVT_ARGS(1), AIOEVT_NO_KWARGS);

	check_str(aioevt_data_event(data), "job.done");
	check_eq(aioevt_data_seq(data), 7);
	check_eq(aioevt_data_time(data), 8);
	check_eq(aioevt_data_missed(data), 9);
	check_str(aioevt_data_event(built), "");
	check_eq(aioevt_data_seq(built), 0);
	check_eq(aioevt_data_time(built), 0);
	check_eq(aioevt_data_missed(built), 0);
	aioevt_data_unref(data);
	aioevt_data_unref(built);
}

static void test_payload(void)
{
	static const char expected[] = "\x82\x82\x01\x61" "x\xa1\x61" "a\x62" "yz";
	struct aioevt_data *built = new_data(AIOEVT_ARGS(1, "x"), AIOEVT_KWARGS("a", "yz"));
	struct aioevt_data *data = NULL;
	const void *payload, *again;
	const char *text;
	size_t size;

	receive(&data, expected, sizeof(expected) - 1);
	check_eq(aioevt_data_payload(data, &payload, &size), 0);
	check_mem(payload, size, expected, sizeof(expected) - 1);
	check_eq(aioevt_data_payload(data, &again, &size), 0);
	check(payload == again);
	check_eq(aioevt_get_text(data, 0, "a", &text, NULL), 0);
	check_str(text, "yz");

	check_eq(aioevt_data_payload(built, &payload, &size), 0);
	check_mem(payload, size, expected, sizeof(expected) - 1);
	check_eq(aioevt_data_unset(built, "a"), 0);
	check_eq(aioevt_data_payload(built, &again, &size), 0);
	check_mem(again, size, "\x82\x82\x01\x61" "x\xa0", 6);
	/* as long as the data */
	check_mem(payload, sizeof(expected) - 1, expected, sizeof(expected) - 1);
	aioevt_data_unref(data);
	aioevt_data_unref(built);
}

static void test_foreign(void)
{
	static const char *const bad[] = {
		"", "hello", "\x82\x81\x65" "hello", "\x82\x82\x61" "a\x61" "b\xa1", "\x82\x85\x61" "a",
	};
	struct aioevt_data *data = NULL;
	const void *payload;
	char buf[64];
	size_t i, size;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		receive(&data, bad[i], strlen(bad[i]));
		check_eq(aioevt_data_n_args(data), 0);
		check_eq(aioevt_data_n_kwargs(data), 0);
		check_eq(aioevt_data_payload(data, &payload, &size), -EBADMSG);
		check_mem(payload, size, bad[i], strlen(bad[i]));
		if (size)
			check_eq(data_encode(data, buf, size - 1, &size), -ENOBUFS);
		check_eq(data_encode(data, buf, sizeof(buf), &size), 0);
		check_mem(buf, size, bad[i], strlen(bad[i]));
	}
	receive(&data, "\x82\x80\xa0", 3);
	check_eq(aioevt_data_payload(data, &payload, &size), 0);
	aioevt_data_unref(data);
}

/* An object is used again only if nobody else has it. */
static void test_again(void)
{
	struct aioevt_data *data = NULL, *kept, *first;
	const char *text;

	receive(&data, "\x82\x81\x63" "one\xa0", 7);
	first = data;
	receive(&data, "\x82\x81\x63" "two\xa0", 7);
	check(data == first);
	kept = aioevt_data_ref(data);
	receive(&data, "\x82\x81\x65" "three\xa0", 9);
	check(data != kept);
	check_eq(aioevt_get_text(kept, 0, NULL, &text, NULL), 0);
	check_str(text, "two");
	check_eq(aioevt_get_text(data, 0, NULL, &text, NULL), 0);
	check_str(text, "three");
	aioevt_data_unref(kept);
	aioevt_data_unref(data);

	data = new_data(AIOEVT_ARGS(1), AIOEVT_NO_KWARGS);
	receive(&data, "\x82\x80\xa0", 3);
	check_str(aioevt_data_event(data), "job.done");
	aioevt_data_unref(data);
}

/* From one value to very many and back: each is whole. */
static void test_sizes(void)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 3, 1000, 1000, 5, 300000, 2, 20000 };
	struct aioevt_data *data = NULL;
	struct aioevt_value *values = calloc(300000, sizeof(*values));
	unsigned char *buf = malloc(3000000);
	size_t i, k, size;

	check(values && buf);
	for (i = 0; i < 300000; i++)
		values[i] = i % 3 ? aioevt_int((int64_t)i) : aioevt_text("text");
	for (k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		check_eq(data_encode_args((struct aioevt_args){ values, sizes[k] }, AIOEVT_NO_KWARGS,
					  buf, 3000000, &size), 0);
		receive(&data, buf, size);
		check_eq(aioevt_data_n_args(data), sizes[k]);
		for (i = 0; i < sizes[k]; i++)
			if (i % 3)
				check_eq(aioevt_data_arg(data, i)->integer, i);
			else
				check_str(aioevt_data_arg(data, i)->string, "text");
	}
	aioevt_data_unref(data);
	free(values);
	free(buf);
}

static void test_deadlines(void)
{
	uint64_t now = aioevt_in_ns(0), then = aioevt_in_ms(1000);

	check(now > 0);
	check(then >= now + AIOEVT_S);
	check(then < now + 100 * AIOEVT_S);
	check(aioevt_in_ms(UINT64_MAX) == AIOEVT_FOREVER);
	check(aioevt_in_ms(UINT64_MAX / 1000000) == AIOEVT_FOREVER);
	check(aioevt_in_ns(UINT64_MAX - 1) == AIOEVT_FOREVER);
}

/* The functions that make values agree with the macros. */
static void test_values(void)
{
	struct aioevt_data *a, *b;

	check_eq(aioevt_uint(INT64_MAX).type, AIOEVT_INT);
	check_eq(aioevt_uint((uint64_t)INT64_MAX + 1).type, AIOEVT_UINT);
	check_eq(aioevt_text(NULL).type, AIOEVT_NULL);
	check_eq(aioevt_bool(7).boolean, 1);
	a = new_data(AIOEVT_ARGS((bool)true, 1, UINT64_MAX, 2.5, "x"), AIOEVT_NO_KWARGS);
	b = new_data(AIOEVT_ARGS(aioevt_bool(1), aioevt_int(1), aioevt_uint(UINT64_MAX),
				 aioevt_double(2.5), aioevt_text_n("xy", 1)), AIOEVT_NO_KWARGS);
	check(aioevt_data_equal(a, b));
	aioevt_data_unref(a);
	aioevt_data_unref(b);
}

int main(void)
{
	alarm(60);
	test_record();
	test_payload();
	test_foreign();
	test_again();
	test_sizes();
	test_deadlines();
	test_values();
	return 0;
}
