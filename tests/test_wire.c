/* Data to deterministic CBOR and back: one encoding each, nothing else is accepted. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <float.h>
#include <math.h>

#include "test.h"
#include "wire.h"

/* Encode, compare with @size bytes at @expected, decode, compare with @data. */
static void check_bytes(const struct data *data, const void *expected, size_t size)
{
	_cleanup_(data_deinit) struct data back;
	unsigned char buf[512];
	size_t n = 0;

	data_init(&back);
	check_eq(wire_encode(data, NULL, 0, &n), -ENOBUFS);
	check_eq(n, size);
	check_eq(wire_encode(data, buf, size - 1, &n), -ENOBUFS);
	check_eq(wire_encode(data, buf, size, &n), 0);
	check_mem(buf, n, expected, size);
	check_eq(wire_decode(buf, n, &back), 0);
	check(data_equal(data, &back));
}

/* The same for data with the one argument @value, which is taken over. */
static void check_arg(struct aioevt_value value, const void *bytes, size_t size)
{
	_cleanup_(data_deinit) struct data data;
	unsigned char expected[256] = { 0x82, 0x81 };

	data_init(&data);
	memcpy(expected + 2, bytes, size);
	expected[2 + size] = 0xa0;
	check_eq(value_list_add(&data.args, &value), 0);
	check_bytes(&data, expected, size + 3);
}

#define check_arg_is(value, bytes) check_arg((value), (bytes), sizeof(bytes) - 1)

static void test_integers(void)
{
	check_arg_is(value_int(0), "\x00");
	check_arg_is(value_int(23), "\x17");
	check_arg_is(value_int(24), "\x18\x18");
	check_arg_is(value_int(255), "\x18\xff");
	check_arg_is(value_int(256), "\x19\x01\x00");
	check_arg_is(value_int(65535), "\x19\xff\xff");
	check_arg_is(value_int(65536), "\x1a\x00\x01\x00\x00");
	check_arg_is(value_int(4294967295), "\x1a\xff\xff\xff\xff");
	check_arg_is(value_int(4294967296), "\x1b\x00\x00\x00\x01\x00\x00\x00\x00");
	check_arg_is(value_uint(UINT64_MAX), "\x1b\xff\xff\xff\xff\xff\xff\xff\xff");
	check_arg_is(value_int(-1), "\x20");
	check_arg_is(value_int(-24), "\x37");
	check_arg_is(value_int(-25), "\x38\x18");
	check_arg_is(value_int(-256), "\x38\xff");
	check_arg_is(value_int(-257), "\x39\x01\x00");
	check_arg_is(value_int(-65536), "\x39\xff\xff");
	check_arg_is(value_int(-65537), "\x3a\x00\x01\x00\x00");
	check_arg_is(value_int(-4294967297), "\x3b\x00\x00\x00\x01\x00\x00\x00\x00");
	check_arg_is(value_int(INT64_MIN), "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff");
}

static void test_scalars(void)
{
	check_arg_is(value_null(), "\xf6");
	check_arg_is(value_bool(false), "\xf4");
	check_arg_is(value_bool(true), "\xf5");
	check_arg_is(value_borrow(AIOEVT_TEXT, "", 0), "\x60");
	check_arg_is(value_borrow(AIOEVT_TEXT, "a\0\xc3\xa4", 4), "\x64" "a\0\xc3\xa4");
	check_arg_is(value_borrow(AIOEVT_BYTES, "\xff", 1), "\x41\xff");
}

static void test_doubles(void)
{
	check_arg_is(value_double(0.0), "\xf9\x00\x00");
	check_arg_is(value_double(-0.0), "\xf9\x80\x00");
	check_arg_is(value_double(1.5), "\xf9\x3e\x00");
	check_arg_is(value_double(65504.0), "\xf9\x7b\xff");
	check_arg_is(value_double(5.960464477539063e-8), "\xf9\x00\x01");
	check_arg_is(value_double(ldexp(1023.0, -24)), "\xf9\x03\xff");
	check_arg_is(value_double(0.00006103515625), "\xf9\x04\x00");
	check_arg_is(value_double(-4.0), "\xf9\xc4\x00");
	check_arg_is(value_double(INFINITY), "\xf9\x7c\x00");
	check_arg_is(value_double(-INFINITY), "\xf9\xfc\x00");
	check_arg_is(value_double(NAN), "\xf9\x7e\x00");
	check_arg_is(value_double(-NAN), "\xf9\x7e\x00");
	check_arg_is(value_double(65536.0), "\xfa\x47\x80\x00\x00");
	check_arg_is(value_double(65520.0), "\xfa\x47\x7f\xf0\x00");
	check_arg_is(value_double((double)FLT_MAX), "\xfa\x7f\x7f\xff\xff");
	check_arg_is(value_double(ldexp(1.0, -25)), "\xfa\x33\x00\x00\x00");
	check_arg_is(value_double(1.1), "\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a");
	check_arg_is(value_double(1e300), "\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c");
	check_arg_is(value_double(DBL_MAX), "\xfb\x7f\xef\xff\xff\xff\xff\xff\xff");
}

/* Every half there is decodes, and encodes to the same bytes (but one NaN only). */
static void test_halves(void)
{
	unsigned char in[] = { 0x82, 0x81, 0xf9, 0, 0, 0xa0 }, out[16];
	struct data data;
	unsigned half;
	size_t n;

	for (half = 0; half <= 0xffff; half++) {
		in[3] = (unsigned char)(half >> 8);
		in[4] = (unsigned char)half;
		if ((half & 0x7c00) == 0x7c00 && (half & 0x3ff) && half != 0x7e00) {
			check_eq(wire_decode(in, sizeof(in), &data), -EBADMSG);
			continue;
		}
		check_eq(wire_decode(in, sizeof(in), &data), 0);
		check_eq(wire_encode(&data, out, sizeof(out), &n), 0);
		check_mem(out, n, in, sizeof(in));
		data_deinit(&data);
	}
}

static void add_member(struct aioevt_value *map, const char *name, struct aioevt_value value)
{
	struct aioevt_value key = value_borrow(AIOEVT_TEXT, name, strlen(name));

	check_eq(value_map_add(map, &key, &value), 0);
}

static void test_containers(void)
{
	static const char expected[] = "\x82\x82\x01\x82\x80\xa0"
				       "\xa2\x61" "b\xa1\x60\xf6\x62" "aa\x02";
	_cleanup_(data_deinit) struct data data;
	struct aioevt_value item = value_int(1), list = value_list(), map = value_map();
	size_t n;

	data_init(&data);
	check_eq(value_list_add(&data.args, &item), 0);
	item = value_list();
	check_eq(value_list_add(&list, &item), 0);
	item = value_map();
	check_eq(value_list_add(&list, &item), 0);
	check_eq(value_list_add(&data.args, &list), 0);
	add_member(&map, "", value_null());
	add_member(&data.kwargs, "aa", value_int(2));
	add_member(&data.kwargs, "b", map);
	check_eq(wire_encode(&data, NULL, 0, &n), -EINVAL);
	check_eq(value_map_sort(&data.kwargs, NULL), 0);
	check_bytes(&data, expected, sizeof(expected) - 1);
}

/* Nest a list @depth deep into one argument. */
static int encode_depth(unsigned depth, void *buf, size_t size, size_t *ret_size)
{
	_cleanup_(data_deinit) struct data data;
	struct aioevt_value inner = value_list(), outer;

	data_init(&data);
	while (--depth) {
		outer = value_list();
		check_eq(value_list_add(&outer, &inner), 0);
		inner = outer;
	}
	check_eq(value_list_add(&data.args, &inner), 0);
	return wire_encode(&data, buf, size, ret_size);
}

static void test_depth(void)
{
	unsigned char buf[64];
	struct data data;
	size_t n, i;

	check_eq(encode_depth(VALUE_DEPTH_ARG, buf, sizeof(buf), &n), 0);
	check_eq(wire_decode(buf, n, &data), 0);
	data_deinit(&data);
	check_eq(encode_depth(VALUE_DEPTH_ARG + 1, buf, sizeof(buf), &n), -E2BIG);

	buf[0] = 0x82;
	for (i = 1; i < VALUE_DEPTH_MAX; i++)
		buf[i] = 0x81;
	buf[i++] = 0x80;
	buf[i++] = 0xa0;
	check_eq(wire_decode(buf, i, &data), -EBADMSG);
}

static void test_refusals(void)
{
	static const struct {
		const char *bytes;
		size_t size;
	} bad[] = {
#define BAD(s) { s, sizeof(s) - 1 }
		BAD(""), BAD("\x82"), BAD("\x80"), BAD("\x82\x80\x80"), BAD("\xa0"),
		BAD("\x82\xa0\x80"), BAD("\x82\x80"), BAD("\x82\x80\xa0\x00"),
		BAD("\x83\x80\xa0\x00"), BAD("\x98\x02\x80\xa0"),
		BAD("\x9f\x80\xa0\xff"), BAD("\x82\x9f\xff\xa0"),
		BAD("\x82\x80\xbf\xff"), BAD("\x82\x81\x5f\xff\xa0"),
		BAD("\x82\x81\x7f\xff\xa0"), BAD("\x82\x81\xff\xa0"),
		BAD("\x82\x81\x18\x17\xa0"), BAD("\x82\x81\x19\x00\xff\xa0"),
		BAD("\x82\x81\x38\x17\xa0"), BAD("\x82\x81\x1a\x00\x00\xff\xff\xa0"),
		BAD("\x82\x81\x3b\x80\x00\x00\x00\x00\x00\x00\x00\xa0"),
		BAD("\x82\x81\x78\x01" "a\xa0"), BAD("\x82\x81\x61\xff\xa0"),
		BAD("\x82\x81\xc0\x60\xa0"), BAD("\x82\x81\xf7\xa0"),
		BAD("\x82\x81\xe0\xa0"), BAD("\x82\x81\xf8\x20\xa0"),
		BAD("\x82\x81\xf8\x14\xa0"), BAD("\x82\x81\x1c\xa0"),
		BAD("\x82\x81\xfa\x3f\xc0\x00\x00\xa0"),
		BAD("\x82\x81\xfa\x7f\xc0\x00\x00\xa0"),
		BAD("\x82\x81\xf9\x7e\x01\xa0"),
		BAD("\x82\x81\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00\xa0"),
		BAD("\x82\x81\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00\xa0"),
		BAD("\x82\x80\xa1\x01\x01"), BAD("\x82\x80\xa1\x41" "a\x01"),
		BAD("\x82\x80\xa2\x61" "b\x01\x61" "a\x01"),
		BAD("\x82\x80\xa2\x61" "a\x01\x61" "a\x01"),
		BAD("\x82\x80\xa2\x62" "aa\x01\x61" "b\x01"),
		BAD("\x82\x80\xa1\x61" "a"),
		BAD("\x82\x9b\xff\xff\xff\xff\xff\xff\xff\xff\xa0"),
		BAD("\x82\x80\xbb\x80\x00\x00\x00\x00\x00\x00\x01"),
		BAD("\x82\x81\x7b\xff\xff\xff\xff\xff\xff\xff\xff\xa0"),
		BAD("\x82\x81\x5b\xff\xff\xff\xff\xff\xff\xff\xf7\xa0"),
		BAD("\x82\x9a\x00\x01\x00\x00\x00\xa0"), BAD("\x82\x85\x01\x02\xa0"),
#undef BAD
	};
	struct data data;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (wire_decode(bad[i].bytes, bad[i].size, &data) == -EBADMSG)
			continue;
		fprintf(stderr, "accepted:\n");
		test_print_hex("input", bad[i].bytes, bad[i].size);
		exit(1);
	}
}

/* Whatever is accepted is what the encoder writes; a sanitizer sees what is read. */
static void check_any(const unsigned char *bytes, size_t size)
{
	unsigned char *exact = malloc(size ? size : 1), out[128];
	struct data data;
	size_t n;

	check(exact);
	memcpy(exact, bytes, size);
	if (wire_decode(exact, size, &data) == 0) {
		check_eq(wire_encode(&data, out, sizeof(out), &n), 0);
		check_mem(out, n, bytes, size);
		data_deinit(&data);
	}
	free(exact);
}

/* Change single bytes of a good message, cut it off, and feed plain noise. */
static void test_noise(void)
{
	static const unsigned char good[] =
		"\x82\x85\x01\x64" "abcd\x42\x00\xff\xf9\x3c\x00\x82\xf6\x80"
		"\xa2\x61" "b\xa1\x60\xf6\x62" "aa\x18\x64";
	unsigned char bytes[64];
	uint64_t seed = 42;
	size_t i, j, n;
	unsigned c;

	for (i = 0; i < sizeof(good) - 1; i++) {
		check_any(good, i);
		for (c = 0; c < 256; c++) {
			memcpy(bytes, good, sizeof(good));
			bytes[i] = (unsigned char)c;
			check_any(bytes, sizeof(good) - 1);
		}
	}
	for (i = 0; i < 200000; i++) {
		bytes[0] = 0x82;
		for (j = 1; j < sizeof(bytes); j++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			bytes[j] = (unsigned char)(seed >> 56);
			if (seed >> 40 & 1)
				bytes[j] &= 0xe3;
		}
		n = seed >> 33 & 63;
		check_any(bytes, n);
	}
}

static void test_bad_text(void)
{
	_cleanup_(data_deinit) struct data data;
	struct aioevt_value value = value_borrow(AIOEVT_TEXT, "\xc3", 1);
	size_t n;

	data_init(&data);
	check_eq(value_list_add(&data.args, &value), 0);
	check_eq(wire_encode(&data, NULL, 0, &n), -EILSEQ);
}

int main(void)
{
	test_integers();
	test_scalars();
	test_doubles();
	test_halves();
	test_containers();
	test_depth();
	test_refusals();
	test_noise();
	test_bad_text();
	return 0;
}
