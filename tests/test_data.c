/* Data is built, compared, copied and counted as aioevt.h says. */
/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "build-data.h"

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

int main(void)
{
	alarm(60);
	test_build();
	test_kwargs();
	test_refusals();
	test_many_kwargs();
	test_busy();
	test_threads();
	test_equal();
	return 0;
}
