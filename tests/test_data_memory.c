/* Data takes no memory in the long run, no more than it should of a payload, and none that fails. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "data.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int main(void)
{
	fprintf(stderr, "skipped: the sanitizer has a malloc() of its own\n");
	return 77;
}
#else

/* malloc() and the like, counted, and failing when it is their turn. */
static size_t n_calls, n_live, n_bytes;
static size_t fail_at;		/* this call returns NULL; 0: none */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *memory);

static bool fails(size_t size)
{
	n_bytes += size;
	return ++n_calls == fail_at;
}

static void *count(void *memory)
{
	n_live += !!memory;
	return memory;
}

void *malloc(size_t size)
{
	return fails(size) ? NULL : count(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return fails(n * size) ? NULL : count(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
	void *memory = fails(size) ? NULL : __libc_realloc(old, size);

	return old ? memory : count(memory);
}

/* glibc's calls its own realloc(). */
void *reallocarray(void *old, size_t n, size_t size)
{
	return realloc(old, n * size);
}

void free(void *memory)
{
	n_live -= !!memory;
	__libc_free(memory);
}

static void begin(void)
{
	n_calls = n_live = n_bytes = fail_at = 0;
}

/* ---- the same again and again ----------------------------------------------------------- */

static int receive(struct aioevt_data **slot, const void *bytes, size_t size)
{
	struct aioevt_shm_record record = { .seq = 1, .data = bytes, .size = size };

	return data_receive(slot, "e", &record);
}

/* A map of a list of lists: more than one chunk at first. */
static size_t encode_large(void *buf, size_t size)
{
	struct aioevt_value items[1000], lists[20];
	size_t i, n;

	for (i = 0; i < 1000; i++)
		items[i] = aioevt_int((int64_t)i);
	for (i = 0; i < 20; i++)
		lists[i] = aioevt_list(items, 20 * i);
	check_eq(data_encode_args(AIOEVT_ARGS("x", aioevt_list(lists, 20)), AIOEVT_NO_KWARGS, buf, size,
				  &n), 0);
	return n;
}

static void check_free_of_charge(struct aioevt_data **slot, const void *bytes, size_t size)
{
	size_t before;
	int i;

	/* it settles */
	for (i = 0; i < 20; i++)
		check_eq(receive(slot, bytes, size), 0);
	before = n_calls;
	for (i = 0; i < 1000; i++)
		check_eq(receive(slot, bytes, size), 0);
	check_eq(n_calls, before);
}

static void test_steady(void)
{
	static char large[65536];
	struct aioevt_data *data = NULL;
	char small[64];
	size_t n, n_large = encode_large(large, sizeof(large));

	begin();
	check_eq(data_encode_args(AIOEVT_ARGS(1, 2, 3), AIOEVT_KWARGS("b", 1, "a", 2), small,
				  sizeof(small), &n), 0);
	check_eq(n_calls, 0);
	check_eq(receive(&data, small, n), 0);
	check_eq(n_calls, 1);
	check_free_of_charge(&data, small, n);
	check_eq(n_calls, 1);
	check_free_of_charge(&data, large, n_large);
	check_free_of_charge(&data, small, n);
	check_free_of_charge(&data, large, n_large);
	check_free_of_charge(&data, "foreign", 7);
	aioevt_data_unref(data);
	check_eq(n_live, 0);
}

/* ---- bounds ----------------------------------------------------------------------------- */

#define SIZE (1u << 20)

/* Receive it; it takes at most @n_values values of memory, with the bytes. */
static void check_bound(const unsigned char *bytes, size_t n_values, int err)
{
	struct aioevt_data *data = NULL;
	const void *payload;
	size_t size, taken;

	begin();
	check_eq(receive(&data, bytes, SIZE), 0);
	taken = n_bytes;
	check_eq(aioevt_data_payload(data, &payload, &size), err);
	check_eq(size, SIZE);
	check(taken <= 24 * n_values + SIZE + 8192);

	/* and does not keep it */
	check_eq(receive(&data, "\x82\x80\xa0", 3), 0);
	check_eq(n_live, 1);
	aioevt_data_unref(data);
	check_eq(n_live, 0);
}

/* The head of a list of @n at @bytes[5 * i]. */
static void put_list(unsigned char *bytes, size_t i, uint32_t n)
{
	bytes += 5 * i;
	bytes[0] = 0x9a;
	bytes[1] = (unsigned char)(n >> 24);
	bytes[2] = (unsigned char)(n >> 16);
	bytes[3] = (unsigned char)(n >> 8);
	bytes[4] = (unsigned char)n;
}

static void test_bounds(void)
{
	unsigned char *bytes = malloc(SIZE);
	size_t i;

	check(bytes);
	/* values of one byte each */
	memset(bytes, 1, SIZE);
	bytes[0] = 0x82;
	put_list(bytes + 1, 0, SIZE - 7);
	bytes[SIZE - 1] = 0xa0;
	check_bound(bytes, SIZE, 0);

	/* lists of one, half as many */
	for (i = 6; i < SIZE - 1; i += 2) {
		bytes[i] = 0x81;
		bytes[i + 1] = 1;
	}
	bytes[SIZE - 2] = 0x80;
	put_list(bytes + 1, 0, (SIZE - 8) / 2 + 1);
	bytes[SIZE - 1] = 0xa0;
	check_bound(bytes, SIZE, 0);

	/* lists in one another, each promising all that is left */
	memset(bytes, 1, SIZE);
	bytes[0] = 0x82;
	for (i = 0; i < 14; i++)
		put_list(bytes + 1, i, (uint32_t)(SIZE - 1 - 5 * (i + 1) - 1));
	check_bound(bytes, SIZE, -EBADMSG);

	/* far more than there is */
	put_list(bytes + 1, 0, UINT32_MAX);
	check_bound(bytes, 0, -EBADMSG);
	free(bytes);
}

/* ---- no memory -------------------------------------------------------------------------- */

/* What takes memory, on nothing; whatever fails, all is given back. */
static int build_all(void)
{
	struct aioevt_data *data = NULL, *copy = NULL;
	const void *payload;
	size_t size, i;
	int err;

	err = aioevt_data_new(AIOEVT_ARGS("x", AIOEVT_LIST(1, "y"), AIOEVT_MAP("k", "v", "j", "w")),
			      AIOEVT_KWARGS("b", "1", "a", "2"), &data);
	for (i = 0; i < 20 && !err; i++)
		err = aioevt_data_add(data, aioevt_text("z"));
	if (!err)
		err = aioevt_data_set(data, "c", aioevt_text("3"));
	if (!err)
		err = aioevt_data_set(data, "a", AIOEVT_LIST("4"));
	if (!err)
		err = aioevt_data_payload(data, &payload, &size);
	if (!err)
		err = aioevt_data_copy(data, &copy);
	if (!err)
		check(aioevt_data_equal(data, copy));
	aioevt_data_unref(data);
	aioevt_data_unref(copy);
	return err;
}

static char large[65536];
static size_t n_large;

static int receive_all(void)
{
	struct aioevt_data *data = NULL;
	int err;

	err = receive(&data, "\x82\x80\xa0", 3);
	if (!err)
		err = receive(&data, large, n_large);
	check(!err == !!data);
	aioevt_data_unref(data);
	return err;
}

/* An add that fails leaves the data as it was. */
static int add_to_full(void)
{
	struct aioevt_data *data = NULL;
	size_t n = 0;
	int err;

	err = aioevt_data_new(AIOEVT_ARGS(1, 2, 3, 4, 5, 6, 7, 8), AIOEVT_KWARGS("a", 1), &data);
	if (!err) {
		err = aioevt_data_add(data, AIOEVT_LIST("nine"));
		n = aioevt_data_n_args(data);
		check_eq(n, err ? 8 : 9);
	}
	if (!err) {
		err = aioevt_data_set(data, "a", AIOEVT_LIST("b"));
		check_eq(aioevt_data_kwarg(data, "a")->type, err ? AIOEVT_INT : AIOEVT_LIST);
	}
	aioevt_data_unref(data);
	return err;
}

static void fail_each(int (*fn)(void), size_t at_least)
{
	size_t i;
	int err = -ENOMEM;

	for (i = 1; err; i++) {
		begin();
		fail_at = i;
		err = fn();
		fail_at = 0;
		check_eq(n_live, 0);
		check(!err || err == -ENOMEM);
		check(i < 1000);
	}
	check(i > at_least);
}

int main(void)
{
	alarm(60);
	test_steady();
	test_bounds();
	n_large = encode_large(large, sizeof(large));
	fail_each(build_all, 20);
	fail_each(receive_all, 3);
	fail_each(add_to_full, 5);
	return 0;
}
#endif
