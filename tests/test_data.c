/* Data is built, read, compared, copied and counted as aioevt.h says, and received from any bytes. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "data.h"
#include "test.h"

static struct aioevt_data *new_data(struct aioevt_args args, struct aioevt_kwargs kwargs)
{
	struct aioevt_data *data = NULL;

	check_eq(aioevt_data_new(args, kwargs, &data), 0);
	check(data);
	return data;
}

/* Receive @size bytes into *@slot. */
static void receive(struct aioevt_data **slot, const void *bytes, size_t size)
{
	struct aioevt_shm_record record = {
		.seq = 7, .time = 8, .missed = 9, .data = bytes, .size = size,
	};

	check_eq(data_receive(slot, "job.done", &record), 0);
	check(*slot);
}

/* The same data as it is built and as it arrives. */
static struct aioevt_data *by_wire(struct aioevt_args args, struct aioevt_kwargs kwargs)
{
	struct aioevt_data *data = NULL;
	char buf[1024];
	size_t size;

	check_eq(data_encode_args(args, kwargs, buf, sizeof(buf), &size), 0);
	receive(&data, buf, size);
	return data;
}

static void check_int(const struct aioevt_data *data, size_t i, const char *key, int64_t expected)
{
	int64_t integer = -99;

	check_eq(aioevt_get_int(data, i, key, &integer), 0);
	check_eq(integer, expected);
}

/* ---- building --------------------------------------------------------------------------- */

static void test_build(void)
{
	struct aioevt_data *data = new_data(AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS);
	char text[] = "text", key[] = "key";
	const char *found;
	int64_t i;

	check_eq(aioevt_data_n_args(data), 0);
	check(!aioevt_data_arg(data, 0));
	for (i = 0; i < 100; i++)
		check_eq(aioevt_data_add(data, aioevt_int(i)), 0);
	check_eq(aioevt_data_n_args(data), 100);
	check_int(data, 99, NULL, 99);
	check(!aioevt_data_arg(data, 100));

	/* what is given is copied */
	check_eq(aioevt_data_add(data, aioevt_text(text)), 0);
	check_eq(aioevt_data_set(data, key, aioevt_text(text)), 0);
	memset(text, 'x', 4);
	memset(key, 'x', 3);
	check_eq(aioevt_get_text(data, 100, NULL, &found, NULL), 0);
	check_str(found, "text");
	check_eq(aioevt_get_text(data, 0, "key", &found, NULL), 0);
	check_str(found, "text");
	check(!aioevt_data_unref(data));
}

/* The i-th member has @key and is the integer @expected. */
static void check_member(const struct aioevt_data *data, size_t i, const char *key, int64_t expected)
{
	const struct aioevt_member *member = aioevt_data_member(data, i);

	check(member);
	check_mem(member->key.string, member->key.n, key, strlen(key));
	check_eq(member->value.integer, expected);
}

static void test_kwargs(void)
{
	struct aioevt_data *data = new_data(AIOEVT_NO_ARGS, AIOEVT_KWARGS("bb", 1, "c", 2));

	check_eq(aioevt_data_set(data, "a", aioevt_int(3)), 0);
	check_eq(aioevt_data_set(data, "", aioevt_int(4)), 0);
	check_eq(aioevt_data_set(data, "bb", aioevt_int(5)), 0);
	check_eq(aioevt_data_n_kwargs(data), 4);
	check_member(data, 0, "", 4);
	check_member(data, 1, "a", 3);
	check_member(data, 2, "c", 2);
	check_member(data, 3, "bb", 5);
	check(!aioevt_data_member(data, 4));

	check_eq(aioevt_data_unset(data, "a"), 0);
	check_eq(aioevt_data_unset(data, "a"), -ENOENT);
	check_eq(aioevt_data_unset(data, "bb"), 0);
	check_eq(aioevt_data_n_kwargs(data), 2);
	check_member(data, 0, "", 4);
	check_member(data, 1, "c", 2);
	check(!aioevt_data_kwarg(data, "bb"));
	check(!aioevt_data_kwarg(data, NULL));
	aioevt_data_unref(data);
}

static struct aioevt_value nest(struct aioevt_value *levels, size_t depth)
{
	size_t i;

	levels[0] = AIOEVT_LIST();
	for (i = 1; i < depth; i++)
		levels[i] = aioevt_list(&levels[i - 1], 1);
	return levels[depth - 1];
}

/* @values alone, by aioevt_data_new() and by data_encode_args(), give @err. */
static void check_refused(struct aioevt_args args, struct aioevt_kwargs kwargs, int err)
{
	struct aioevt_data *data = NULL;
	char buf[256];
	size_t size = 99;

	check_eq(aioevt_data_new(args, kwargs, &data), err);
	check(!data);
	check_eq(data_encode_args(args, kwargs, buf, sizeof(buf), &size), err);
	check_eq(size, 99);
}

static void test_refusals(void)
{
	struct aioevt_data *data = new_data(AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS);
	struct aioevt_value levels[15], not_text[] = { aioevt_int(1), aioevt_int(2) };
	struct aioevt_value no_type = aioevt_null(), alone = aioevt_text("alone");
	struct aioevt_member by_number = { aioevt_int(1), aioevt_int(2) };

	no_type.type = AIOEVT_MAP + 1;
	check_refused(AIOEVT_NO_ARGS, (struct aioevt_kwargs){ not_text, 2 }, -EINVAL);
	check_refused(AIOEVT_NO_ARGS, (struct aioevt_kwargs){ &alone, 1 }, -EINVAL);
	check_refused(AIOEVT_NO_ARGS, AIOEVT_KWARGS((char *)NULL, 1), -EINVAL);
	check_refused(AIOEVT_ARGS(no_type), AIOEVT_NO_KWARGS, -EINVAL);
	check_refused(AIOEVT_ARGS(aioevt_map(&by_number, 1)), AIOEVT_NO_KWARGS, -EINVAL);
	check_refused(AIOEVT_NO_ARGS, AIOEVT_KWARGS("a", 1, "a", 1), -EEXIST);
	check_refused(AIOEVT_NO_ARGS, AIOEVT_KWARGS("a", 1, "b", 1, "a", 1), -EEXIST);
	check_refused(AIOEVT_ARGS(AIOEVT_MAP("a", 1, "b", 1, "a", 1)), AIOEVT_NO_KWARGS, -EEXIST);
	check_refused(AIOEVT_ARGS("\xff"), AIOEVT_NO_KWARGS, -EILSEQ);
	check_refused(AIOEVT_NO_ARGS, AIOEVT_KWARGS("\xff", 1), -EILSEQ);
	check_refused(AIOEVT_ARGS(nest(levels, 15)), AIOEVT_NO_KWARGS, -E2BIG);

	check_eq(aioevt_data_add(data, nest(levels, 15)), -E2BIG);
	check_eq(aioevt_data_set(data, "a", nest(levels, 15)), -E2BIG);
	check_eq(aioevt_data_add(data, nest(levels, 14)), 0);
	check_eq(aioevt_data_set(data, "a", nest(levels, 14)), 0);
	check_eq(aioevt_data_add(data, aioevt_text("\xff")), -EILSEQ);
	check_eq(aioevt_data_set(data, "\xff", aioevt_int(1)), -EILSEQ);
	check_eq(aioevt_data_set(data, NULL, aioevt_int(1)), -EINVAL);
	check_eq(aioevt_data_unset(data, NULL), -EINVAL);
	check_eq(aioevt_data_set(data, "b", no_type), -EINVAL);
	check_eq(aioevt_data_n_args(data), 1);
	check_eq(aioevt_data_n_kwargs(data), 1);
	aioevt_data_unref(data);
}

/* More kwargs than are put in order on the stack. */
static void test_many_kwargs(void)
{
	struct aioevt_value values[200];
	struct aioevt_data *data, *back;
	char keys[100][4];
	size_t i;

	for (i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%zu", (i * 37) % 100);
		values[2 * i] = aioevt_text(keys[i]);
		values[2 * i + 1] = aioevt_int((int64_t)(i * 37) % 100);
	}
	data = new_data(AIOEVT_NO_ARGS, (struct aioevt_kwargs){ values, 200 });
	back = by_wire(AIOEVT_NO_ARGS, (struct aioevt_kwargs){ values, 200 });
	check(aioevt_data_equal(data, back));
	check_eq(aioevt_data_n_kwargs(back), 100);
	check_int(back, 0, "99", 99);
	check_member(back, 0, "0", 0);
	check_member(back, 10, "10", 10);

	values[0] = values[198];
	check_refused(AIOEVT_NO_ARGS, (struct aioevt_kwargs){ values, 200 }, -EEXIST);
	aioevt_data_unref(data);
	aioevt_data_unref(back);
}

/* ---- references ------------------------------------------------------------------------- */

static void test_busy(void)
{
	struct aioevt_data *data = new_data(AIOEVT_ARGS(1), AIOEVT_KWARGS("a", 1)), *copy = NULL;
	char buf[64];
	size_t size;

	check(aioevt_data_ref(data) == data);
	check_eq(aioevt_data_add(data, aioevt_int(2)), -EBUSY);
	check_eq(aioevt_data_set(data, "a", aioevt_int(2)), -EBUSY);
	check_eq(aioevt_data_unset(data, "a"), -EBUSY);
	check(!aioevt_data_unref(data));
	check_eq(aioevt_data_add(data, aioevt_int(2)), 0);

	check_eq(data_encode(data, buf, sizeof(buf), &size), 0);
	check_eq(aioevt_data_add(data, aioevt_int(3)), -EBUSY);
	check_eq(aioevt_data_copy(data, &copy), 0);
	check(aioevt_data_equal(data, copy));
	check_eq(aioevt_data_add(copy, aioevt_int(3)), 0);
	check(!aioevt_data_equal(data, copy));
	check_eq(aioevt_data_n_args(data), 2);
	aioevt_data_unref(data);
	aioevt_data_unref(copy);

	data = by_wire(AIOEVT_ARGS(1), AIOEVT_KWARGS("a", 1));
	check_eq(aioevt_data_add(data, aioevt_int(2)), -EBUSY);
	check_eq(aioevt_data_unset(data, "a"), -EBUSY);
	check_eq(aioevt_data_copy(data, &copy), 0);
	check_eq(aioevt_data_unset(copy, "a"), 0);
	check_str(aioevt_data_event(copy), "");
	aioevt_data_unref(data);
	aioevt_data_unref(copy);
	check(!aioevt_data_ref(NULL));
	check(!aioevt_data_unref(NULL));
}

#define N_THREADS 4

static pthread_barrier_t all_here;

/*
 * Threads that drop their references at random, and that encode the payload at once, see it whole. The
 * sanitizers look on; between the barriers nothing but the payload's own order is there.
 */
static void *hold(void *arg)
{
	struct aioevt_data *data = arg;
	const void *payload;
	size_t size = 0;
	int i;

	for (i = 0; i < 5000; i++) {
		aioevt_data_ref(data);
		aioevt_data_unref(data);
	}
	pthread_barrier_wait(&all_here);
	check_eq(aioevt_data_payload(data, &payload, &size), 0);
	check_mem(payload, size, "\x82\x81\x61" "x\xa0", 5);
	pthread_barrier_wait(&all_here);
	aioevt_data_unref(data);
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[N_THREADS];
	struct aioevt_data *data;
	int round, i;

	check_eq(pthread_barrier_init(&all_here, NULL, N_THREADS), 0);
	for (round = 0; round < 40; round++) {
		data = round % 2 ? by_wire(AIOEVT_ARGS("x"), AIOEVT_NO_KWARGS) :
				   new_data(AIOEVT_ARGS("x"), AIOEVT_NO_KWARGS);
		for (i = 0; i < N_THREADS; i++)
			check_eq(pthread_create(&threads[i], NULL, hold, aioevt_data_ref(data)), 0);
		aioevt_data_unref(data);
		for (i = 0; i < N_THREADS; i++)
			check_eq(pthread_join(threads[i], NULL), 0);
	}
	pthread_barrier_destroy(&all_here);
}

static void test_equal(void)
{
	struct aioevt_data *a = new_data(AIOEVT_ARGS(1, -0.0, (double)NAN), AIOEVT_KWARGS("k", "v"));
	struct aioevt_data *b = by_wire(AIOEVT_ARGS(1, -0.0, (double)-NAN), AIOEVT_KWARGS("k", "v"));
	struct aioevt_data *c = new_data(AIOEVT_ARGS(1, 0.0, (double)NAN), AIOEVT_KWARGS("k", "v"));
	struct aioevt_data *d = new_data(AIOEVT_ARGS(1, -0.0, (double)NAN), AIOEVT_KWARGS("k", "w"));

	check_eq(aioevt_data_equal(a, a), 1);
	check_eq(aioevt_data_equal(a, b), 1);
	check_eq(aioevt_data_equal(a, c), 0);
	check_eq(aioevt_data_equal(a, d), 0);
	aioevt_data_unref(a);
	aioevt_data_unref(b);
	aioevt_data_unref(c);
	aioevt_data_unref(d);
}

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
#define TEXTS AIOEVT_ARGS(aioevt_text_n("a\0b", 3), "", "a text of more than 23 bytes, \xc3\xa4", \
	aioevt_bytes("\xff", 2), aioevt_bytes("", 0), AIOEVT_LIST("inner")), \
	AIOEVT_KWARGS("key", "last")

	alarm(60);
	test_values();
	test_build();
	test_kwargs();
	test_refusals();
	test_many_kwargs();
	test_busy();
	test_threads();
	test_equal();
	test_mismatches(new_data(ONE_OF_EACH, AIOEVT_NO_KWARGS));
	test_mismatches(by_wire(ONE_OF_EACH, AIOEVT_NO_KWARGS));
	test_numbers();
	test_text(new_data(TEXTS));
	test_text(by_wire(TEXTS));
	test_record();
	test_payload();
	test_foreign();
	test_again();
	test_sizes();
	test_deadlines();
	return 0;
}
