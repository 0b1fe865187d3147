/* Values survive JSON and back, type included; numbers and durations have their forms. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <float.h>
#include <math.h>

#include "../cli/duration.h"
#include "../cli/json.h"
#include "../cli/number.h"
#include "test.h"

#define DEPTH VALUE_DEPTH_ARG

static char *write_json(const struct aioevt_value *value)
{
	char *text = NULL;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	check(out != NULL);
	check_eq(json_write(out, value), 0);
	check_eq(fclose(out), 0);
	check_eq(strlen(text), len);
	return text;
}

/* @json reads, is written as @expected, and that reads as the same value. */
static void check_json(const char *json, const char *expected, enum aioevt_type type)
{
	_cleanup_(value_deinit) struct aioevt_value value = value_null(), back = value_null();
	struct json_error error = { "" };
	char *text;

	if (json_read(json, strlen(json), DEPTH, &value, &error) < 0)
		check_str(error.why, "");
	check_eq(value.type, type);
	text = write_json(&value);
	check_str(text, expected);
	check_eq(json_read(text, strlen(text), DEPTH, &back, &error), 0);
	check(value_equal(&value, &back));
	free(text);
}

static void check_refused(const char *json)
{
	struct json_error error = { "" };
	struct aioevt_value value;
	int err;

	err = json_read(json, strlen(json), DEPTH, &value, &error);
	if (err != -EINVAL)
		fprintf(stderr, "accepted: %s\n", json);
	check_eq(err, -EINVAL);
	check(error.why[0]);
}

static void test_scalars(void)
{
	check_json("null", "null", AIOEVT_NULL);
	check_json(" true ", "true", AIOEVT_BOOL);
	check_json("0", "0", AIOEVT_INT);
	check_json("-9223372036854775808", "-9223372036854775808", AIOEVT_INT);
	check_json("9223372036854775807", "9223372036854775807", AIOEVT_INT);
	check_json("9223372036854775808", "9223372036854775808", AIOEVT_UINT);
	check_json("18446744073709551615", "18446744073709551615", AIOEVT_UINT);
	check_json("{\"$int\":\"18446744073709551615\"}", "18446744073709551615",
		   AIOEVT_UINT);
	check_json("{\"$int\":\"-1\"}", "-1", AIOEVT_INT);
	check_json("1.0", "1.0", AIOEVT_DOUBLE);
	check_json("-0.0", "-0.0", AIOEVT_DOUBLE);
	check_json("-0", "-0.0", AIOEVT_DOUBLE);
	check_json("[1,-0,\"-0\",\"1e-400\"]", "[1,-0.0,\"-0\",\"1e-400\"]", AIOEVT_LIST);
	check_json("0e-500", "0.0", AIOEVT_DOUBLE);
	check_json("-0.0E-500", "-0.0", AIOEVT_DOUBLE);
	check_json("4e-324", "5e-324", AIOEVT_DOUBLE);
	check_json("1e-310", "1e-310", AIOEVT_DOUBLE);
	check_json("1e2", "100.0", AIOEVT_DOUBLE);
	check_json("1E300", "1e300", AIOEVT_DOUBLE);
	check_json("5e-324", "5e-324", AIOEVT_DOUBLE);
	check_json("12345678901234567890.0", "1.2345678901234567e19", AIOEVT_DOUBLE);
	check_json("{\"$float\":\"NaN\"}", "{\"$float\":\"NaN\"}", AIOEVT_DOUBLE);
	check_json("{\"$float\":\"-Infinity\"}", "{\"$float\":\"-Infinity\"}",
		   AIOEVT_DOUBLE);
	check_json("{\"$float\":\"Infinity\"}", "{\"$float\":\"Infinity\"}", AIOEVT_DOUBLE);
}

static void test_strings(void)
{
	check_json("\"\"", "\"\"", AIOEVT_TEXT);
	check_json("\"a\\u0000b\\n\\\"\\\\/\xc3\xa4\"",
		   "\"a\\u0000b\\n\\\"\\\\/\xc3\xa4\"", AIOEVT_TEXT);
	check_json("\"18446744073709551616\"", "\"18446744073709551616\"", AIOEVT_TEXT);
	check_json("\"\\\"18446744073709551616\"", "\"\\\"18446744073709551616\"",
		   AIOEVT_TEXT);
	check_json("{\"$bytes\":\"\"}", "{\"$bytes\":\"\"}", AIOEVT_BYTES);
	check_json("{\"$bytes\":\"/w==\"}", "{\"$bytes\":\"/w==\"}", AIOEVT_BYTES);
	check_json("{\"$bytes\":\"AP8=\"}", "{\"$bytes\":\"AP8=\"}", AIOEVT_BYTES);
	check_json("{\"$bytes\":\"AP8A\"}", "{\"$bytes\":\"AP8A\"}", AIOEVT_BYTES);
}

static void test_containers(void)
{
	check_json("[]", "[]", AIOEVT_LIST);
	check_json("{}", "{}", AIOEVT_MAP);
	check_json("[1,[18446744073709551615,{\"b\":1,\"a\":9223372036854775808}]]",
		   "[1,[18446744073709551615,{\"a\":9223372036854775808,\"b\":1}]]",
		   AIOEVT_LIST);
	check_json("{\"$$bytes\":\"\"}", "{\"$$bytes\":\"\"}", AIOEVT_MAP);
	check_json("{\"$$$x\":1}", "{\"$$$x\":1}", AIOEVT_MAP);
	check_json("{\"$$\":{\"$$\":null}}", "{\"$$\":{\"$$\":null}}", AIOEVT_MAP);
	check_json("{\"$bytes\":1,\"x\":2}", "{\"x\":2,\"$bytes\":1}", AIOEVT_MAP);
	check_json("[[[[[[[[[[[[[[]]]]]]]]]]]]]]", "[[[[[[[[[[[[[[]]]]]]]]]]]]]]",
		   AIOEVT_LIST);
}

static void test_long_key(void)
{
	_cleanup_(value_deinit) struct aioevt_value map = value_map(), back = value_null();
	struct aioevt_value key, item = value_null();
	struct json_error error;
	char name[1000], *text;

	memset(name, '$', sizeof(name));
	key = value_borrow(AIOEVT_TEXT, name, sizeof(name));
	check_eq(value_map_add(&map, &key, &item), 0);
	text = write_json(&map);
	check_eq(json_read(text, strlen(text), DEPTH, &back, &error), 0);
	check(value_equal(&map, &back));
	free(text);
}

static void test_refusals(void)
{
	check_refused("");
	check_refused("nul");
	check_refused("1 2");
	check_refused("'a'");
	check_refused("[1,]");
	check_refused("007");
	check_refused("\"\xff\"");
	check_refused("\"\\ud800\"");
	check_refused("{\"a\":1,\"a\":2}");
	check_refused("NaN");
	check_refused("1e400");
	check_refused("1e-400");
	check_refused("[1, -1E-400]");
	check_refused("0.1e-324");
	check_refused("18446744073709551616");
	check_refused("[-9223372036854775809]");
	check_refused("9223372036854775808x");
	check_refused("{\"$foo\":1}");
	check_refused("{\"$\":1}");
	check_refused("{\"$bytes\":1}");
	check_refused("{\"$bytes\":\"A\"}");
	check_refused("{\"$bytes\":\"AA=A\"}");
	check_refused("{\"$bytes\":\"AB==\"}");
	check_refused("{\"$bytes\":\"====\"}");
	check_refused("{\"$bytes\":\"A A=\"}");
	check_refused("{\"$float\":\"nan\"}");
	check_refused("{\"$int\":\"01\"}");
	check_refused("{\"$int\":\"18446744073709551616\"}");
	check_refused("[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]");
}

static void test_data(void)
{
	static const char all[] = "{\"event\":\"x\",\"seq\":1,\"time\":2,\"missed\":0,"
				  "\"args\":[1],\"kwargs\":{\"$$bytes\":2}}";
	_cleanup_(data_deinit) struct data data;
	struct json_error error;

	data_init(&data);
	check_eq(json_read_data(all, strlen(all), &data, &error), 0);
	check_eq(data.args.n, 1);
	check(value_map_find(&data.kwargs, "$bytes", 6) != NULL);
	data_deinit(&data);

	check_eq(json_read_data("{}", 2, &data, &error), 0);
	check_eq(data.args.n + data.kwargs.n, 0);
	check_eq(json_read_data("[]", 2, &data, &error), -EINVAL);
	check_eq(json_read_data("{\"args\":{}}", 11, &data, &error), -EINVAL);
	check_eq(json_read_data("{\"arg\":[]}", 10, &data, &error), -EINVAL);
}

static void check_double(double real, const char *expected)
{
	char buf[NUMBER_MAX];

	number_print_double(real, buf);
	check_str(buf, expected);
	check(strtod(buf, NULL) == real);
}

/* The digits of a printed double, less zeros at both ends. */
static int count_digits(const char *text)
{
	int n = 0, n_zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text == '0')
			n_zeros++;
		else if (*text >= '1' && *text <= '9') {
			n += (n ? n_zeros : 0) + 1;
			n_zeros = 0;
		}
	}
	return n;
}

/* The fewest digits that give back @real, by trying each number of them. */
static int count_needed(double real)
{
	char buf[NUMBER_MAX];
	int n = 0;

	do {
		snprintf(buf, sizeof(buf), "%.*e", n++, real);
	} while (strtod(buf, NULL) != real);
	return count_digits(buf);
}

static void test_doubles(void)
{
	uint64_t bits, seed = 7;
	char buf[NUMBER_MAX];
	double real;
	int i;

	check_double(0.0, "0.0");
	check_double(0.1, "0.1");
	check_double(-2.5, "-2.5");
	check_double(123456.789, "123456.789");
	check_double(9007199254740993.0, "9007199254740992.0");
	check_double(1e15, "1000000000000000.0");
	check_double(1e16, "1e16");
	check_double(0.00001, "0.00001");
	check_double(0.000001, "1e-6");
	check_double(1.0 / 3, "0.3333333333333333");
	check_double(DBL_MAX, "1.7976931348623157e308");
	check_double(-2.2250738585072014e-308, "-2.2250738585072014e-308");

	for (i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		bits = seed ^ seed >> 29;
		memcpy(&real, &bits, sizeof(real));
		if (!isfinite(real))
			continue;
		number_print_double(real, buf);
		check(strtod(buf, NULL) == real);
		check(strpbrk(buf, ".e") != NULL);
		check_eq(count_digits(buf), count_needed(real));
	}
}

static void check_number(const char *text, int type)
{
	struct aioevt_value value = value_null();
	char buf[NUMBER_MAX];
	int err;

	err = number_parse(text, strlen(text), &value);
	if (err < 0)
		check_str(type < 0 ? NULL : text, NULL);
	if (type < 0)
		check_eq(err, -EINVAL);
	if (err < 0)
		return;
	check_eq(value.type, type);
	number_print(&value, buf);
	check_str(buf, text);
}

static void test_numbers(void)
{
	static const char *const texts[] = {
		"", "-", ".", "+5", "05", "-0", "00", "5.", ".5", "1.10", "007", "1e5",
		"1e16", "0x10", "1_000", "1,5", " 5", "5 ", "--5", "5-", "1.2.3", "inf",
		"nan", "18446744073709551616", "-9223372036854775809", "0.000001",
		"10000000000000000.0", "0.30000000000000001", "1.00000000000000000000",
		"12345678901234567890123456789012345678901234567890.5",
	};
	size_t i;

	check_number("0", AIOEVT_INT);
	check_number("5", AIOEVT_INT);
	check_number("-5", AIOEVT_INT);
	check_number("-9223372036854775808", AIOEVT_INT);
	check_number("18446744073709551615", AIOEVT_UINT);
	check_number("-2.5", AIOEVT_DOUBLE);
	check_number("0.5", AIOEVT_DOUBLE);
	check_number("-0.0", AIOEVT_DOUBLE);
	check_number("100000.0", AIOEVT_DOUBLE);
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		check_number(texts[i], -1);
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		int64_t ns;	/* negative: the error */
	} cases[] = {
		{ "0", 0 }, { "1", 1000000000 }, { "2.5", 2500000000 }, { ".5", 500000000 },
		{ "5.", 5000000000 }, { "5s", 5000000000 }, { "20ms", 20000000 },
		{ "1.5ms", 1500000 }, { "2m", 120000000000 }, { "1.5h", 5400000000000 },
		{ "0.000000001", 1 }, { "0.0000000019", 1 },
		{ "3153600000", INT64_C(3153600000000000000) },
		{ "", -EINVAL }, { ".", -EINVAL }, { "s", -EINVAL }, { "-1", -EINVAL },
		{ "1e3", -EINVAL }, { "1 s", -EINVAL }, { "1D", -EINVAL },
		{ "2d", 172800000000000 }, { "1.5d", 129600000000000 }, { "1w", 604800000000000 },
		{ "0.1w", 60480000000000 }, { "36500d", INT64_C(3153600000000000000) },
		{ "36501d", -ERANGE }, { "1y", -EINVAL },
		{ "1.2.3", -EINVAL }, { "3153600001", -ERANGE }, { "876001h", -ERANGE },
		{ "99999999999999999999999", -ERANGE },
	};
	uint64_t ns;
	size_t i;
	int err;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		err = duration_parse(cases[i].text, &ns);
		if ((err < 0 ? (int64_t)err : (int64_t)ns) != cases[i].ns)
			fprintf(stderr, "\"%s\"\n", cases[i].text);
		check_eq(err < 0 ? (int64_t)err : (int64_t)ns, cases[i].ns);
	}
}

int main(void)
{
	test_scalars();
	test_strings();
	test_containers();
	test_long_key();
	test_refusals();
	test_data();
	test_doubles();
	test_numbers();
	test_durations();
	return 0;
}
