/* What --where means, what it refuses, and at which column. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "../cli/json.h"
#include "../cli/where.h"
#include "test.h"

#define SEQ 17u

static const char json[] =
	"{\"args\":[10,2.5,\"three\",true,null,[1,[2,3]],{\"a\":{\"b\":\"deep\"},\"x.y\":1},"
	"18446744073709551615,{\"$float\":\"NaN\"},9007199254740993,{\"$bytes\":\"AP8=\"},"
	"-9223372036854775808],"
	"\"kwargs\":{\"host\":\"db\",\"n-1\":1,\"odd key\":\"\\u0000x\",\"no\":false,\"empty\":\"\","
	"\"lines\":\"one\\ntwo\",\"\xc3\xa9\":\"\xe2\x82\xac\"}}";

static struct data data;

static int match(const char *text)
{
	struct where_error error = { "" };
	struct where *where;
	int err = where_parse(text, &where, &error), result;

	if (err < 0) {
		fprintf(stderr, "%s: %s\n", text, error.why);
		check_eq(err, 0);
	}
	result = where_match(where, "job.7.done", SEQ, &data);
	where_free(where);
	return result;
}

static void is(const char *text, int expected)
{
	if (match(text) != expected)
		fprintf(stderr, "%s\n", text);
	check_eq(match(text), expected);
}

static void refused(const char *text, const char *why)
{
	struct where_error error = { "" };
	struct where *where = NULL;

	if (where_parse(text, &where, &error) != -EINVAL)
		fprintf(stderr, "accepted: %s\n", text);
	check_eq(where_parse(text, &where, &error), -EINVAL);
	check(!where);
	check_str(error.why, why);
}

/* ---- values --------------------------------------------------------------------- */

static void test_operands(void)
{
	is("args[0] == 10", 1);
	is("args[0]==10", 1);
	is("\t10 ==\nargs [ 0 ]", 1);
	is("args[-1] == -9223372036854775808", 1);
	is("args[-12] == 10", 1);
	is("args[-13] != 10 && args[12] != 0", 1);
	is("args[9223372036854775807] == 0", 0);
	is("args[-9223372036854775808] == 0", 0);
	is("args[5][1][0] == 2", 1);
	is("args[6].a.b == \"deep\"", 1);
	is("args[6][\"a\"]['b'] == 'deep'", 1);
	is("args[6][\"x.y\"] == 1", 1);
	is("args[6].x.y == 1", 0);
	is("args[0].a == 1 || args[0][0] == 1 || args.a == 1 || kwargs[0] == 1", 0);
	is("kwargs.host == \"db\"", 1);
	is("kwargs.n-1 == 1", 1);
	is("kwargs[\"odd key\"] == \"\\u0000x\"", 1);
	is("kwargs[\"odd key\"] == \"\\x00\\x78\"", 1);
	is("kwargs[\"odd key\"] == \"\\u0000y\"", 0);
	is("kwargs[\"\\u00e9\"] == \"\\u20ac\"", 1);
	is("kwargs.empty == \"\"", 1);
	is("event == \"job.7.done\"", 1);
	is("event == 'job'", 0);
	is("seq == 17 && seq > 16.5 && seq < 18", 1);
	is("args[10] == \"\\x00\\xff\"", 1);
	is("'\\ud83d\\ude00' == '\xf0\x9f\x98\x80'", 1);
	is("'\\\\\\\"\\'\\/\\b\\f\\n\\r\\t' == \"\\x5C\\x22\\x27\\x2f\\x08\\x0c\\x0a\\x0d\\x09\"", 1);
}

static void test_numbers(void)
{
	is("args[0] == 10.0 && args[0] < 10.5 && args[0] > 9.5 && 10.5 > args[0]", 1);
	is("args[0] >= 10 && args[0] <= 10 && !(args[0] > 10) && !(args[0] < 10)", 1);
	is("args[1] == 2.5 && args[1] > 2 && args[1] < 3 && 2 < args[1] && 3 > args[1]", 1);
	is("args[1] == 25e-1 && args[1] == 0.25E+1", 1);
	is("-2.5 < -2 && -2 > -2.5 && -3 < -2.5", 1);
	is("args[7] > 9223372036854775807 && args[7] > args[11]", 1);
	is("args[7] == 18446744073709551615 && args[7] < 18446744073709551616.0", 1);
	is("args[7] > 18446744073709549568.0 && args[7] > -1", 1);
	is("args[11] >= -9223372036854775808.0 && args[11] > -9223372036854777856.0", 1);
	/* 2^53 + 1, which no double is */
	is("args[9] == 9007199254740992.0", 0);
	is("args[9] > 9007199254740992.0 && 9007199254740992.0 < args[9]", 1);
	is("args[9] < 9007199254740994.0", 1);
	is("args[8] == args[8] || args[8] < 1 || args[8] > 1 || args[8] <= 1 || 1 >= args[8]", 0);
	is("args[8] == 1.5 || args[8] < 1.5 || args[8] >= 1.5 || 1.5 <= args[8]", 0);
	is("args[8] != args[8] && args[8] != 1 && 1.5 != args[8]", 1);
	is("0 == -0 && -0 == 0.0 && !(-0 < 0)", 1);
	is("0.0 == -0.0 && 1e307 < 2e307 || 0 == -0.0", 1);
}

static void test_texts(void)
{
	is("\"a\" < \"b\" && \"a\" < \"aa\" && \"\" < \"a\" && \"Z\" < \"a\"", 1);
	is("\"b\" > \"a\" && \"aa\" >= \"a\" && \"a\" <= \"a\" && \"a\" >= \"a\"", 1);
	is("\"z\" < \"\\u00e9\" && \"\\x7f\" < \"\\x80\"", 1);
	is("\"a\" > \"b\" || \"aa\" <= \"a\" || \"a\" < \"a\"", 0);
}

/* Of different kinds, or not there. */
static void test_kinds(void)
{
	is("args[0] == \"10\" || args[2] == 3 || args[3] == 1 || args[4] == 0 || args[4] == ''", 0);
	is("args[0] != \"10\" && args[2] != 3 && args[3] != 1 && args[4] != 0", 1);
	is("args[0] < 'z' || args[0] >= 'a' || args[4] < 1 || args[3] >= false || null <= null", 0);
	is("args[3] == true && args[4] == null && kwargs.no == false && true != false", 1);
	is("args[5] == args[5] && args[6] == args[6] && args[5] != args[6]", 1);
	is("args == args && kwargs != args", 1);
	is("kwargs.none == null || kwargs.none == kwargs.none || kwargs.none < 1", 0);
	is("kwargs.none >= 1 || kwargs.none =~ '' || kwargs.none", 0);
	is("kwargs.none != 1 && kwargs.none != kwargs.none && kwargs.none !~ '' && !kwargs.none", 1);
	is("kwargs.none.deeper != 1 && args[99][1].x != 1", 1);
	is("args[0] && args[2] && args[3] && args[5] && kwargs.empty && kwargs && seq", 1);
	is("args[4] || kwargs.no", 0);
	is("true && !false && !null && 0 && ''", 1);
}

static void test_joined(void)
{
	is("true || false && false", 1);
	is("(true || false) && false", 0);
	is("false && true || true", 1);
	is("!false && !!true", 1);
	is("!(true && false)", 1);
	is("!(args[0] == 11) && !args[99]", 1);
	is("((((args[0]))))", 1);
	is("false || false || false || true", 1);
	is("true && true && true && false", 0);
	is("false && true", 0);
}

static void test_regex(void)
{
	is("event =~ \"^job[.][0-9]+[.](done|failed)$\"", 1);
	is("event =~ '^done'", 0);
	is("event !~ '^done' && event !~ 'x|y'", 1);
	is("event =~ 'job\\\\.7'", 1);
	is("event =~ 'job\\\\..\\\\.done$' && event =~ ''", 1);
	is("kwargs.lines =~ '^one.two$' && kwargs.lines !~ '^two'", 1);
	is("kwargs[\"odd key\"] =~ 'x$' && kwargs[\"odd key\"] !~ '^x'", 1);
	is("kwargs.empty =~ '^$'", 1);
	is("args[0] =~ '10' || args[4] =~ '' || args[3] =~ 'true'", 0);
	is("args[0] !~ '10' && args[10] !~ 'x'", 1);
	is("args[10] =~ '^[^a].$'", 1);
}

/* ---- errors --------------------------------------------------------------------- */

static void test_refused(void)
{
	refused("", "column 1: expected a value, found the end");
	refused("1 == 1 && && 2", "column 11: expected a value, found \"&&\"");
	refused("args[0] == && 1", "column 12: expected a value, found \"&&\"");
	refused("args[0] ==", "column 11: expected a value, found the end");
	refused("1 2", "column 3: expected \"&&\", \"||\" or the end, found \"2\"");
	refused("1 == 1 == 1", "column 8: expected \"&&\", \"||\" or the end, found \"==\"");
	refused("(1", "column 3: expected \"&&\", \"||\" or \")\", found the end");
	refused("(1))", "column 4: expected \"&&\", \"||\" or the end, found \")\"");
	refused("!seq == 1", "column 6: \"!\" before a comparison wants parentheses: !(a == b)");
	refused("!!seq =~ 'x'", "column 7: \"!\" before a comparison wants parentheses: !(a == b)");
	refused("()", "column 2: expected a value, found \")\"");
	refused("seq = 1", "column 5: expected \"&&\", \"||\" or the end, found \"=\"; equal is \"==\"");
	refused("seq & 1", "column 5: expected \"&&\", \"||\" or the end, found \"&\"; and is \"&&\"");
	refused("seq | 1", "column 5: expected \"&&\", \"||\" or the end, found \"|\"; or is \"||\"");
	refused("host == 1", "column 1: expected args, kwargs, event, seq, true, false, null, a number "
		"or a text in quotes, found \"host\"");
	refused("seq == \"\xc3\xa9\xc3\xa9\" &", "column 13: expected \"&&\", \"||\" or the end, found \"&\"; "
		"and is \"&&\"");
	refused("\xc3\xa9", "column 1: expected a value, found \"\xc3\xa9\"");
	refused("seq[0]", "column 4: expected \"&&\", \"||\" or the end, found \"[\"");
	refused("args[", "column 6: expected a number or a key in quotes, found the end");
	refused("args[x]", "column 6: expected a number or a key in quotes, found \"x\"");
	refused("args[0", "column 7: expected \"]\", found the end");
	refused("args[0.5]", "column 6: not a number that a place can have");
	refused("args[9223372036854775808]", "column 6: not a number that a place can have");
	refused("args[-0]", "column 6: not a number that a place can have");
	refused("args[-01]", "column 6: a number with needless zeros; a text is in quotes");
	refused("args[01]", "column 6: a number with needless zeros; a text is in quotes");
	refused("kwargs.", "column 8: expected a name; any key is [\"key\"], found the end");
	refused("kwargs.7", "column 8: expected a name; any key is [\"key\"], found \"7\"");
	refused("007", "column 1: a number with needless zeros; a text is in quotes");
	refused("1 < 18446744073709551616", "column 5: an integer not from -2^63 to 2^64-1");
	refused("-9223372036854775809", "column 1: an integer not from -2^63 to 2^64-1");
	refused("1e999", "column 1: a number out of the range of doubles");
	refused("args[0] > 1e-400", "column 11: a number out of the range of doubles");
	refused("event == \"abc", "column 10: a text without its closing quote");
	refused("event == \"abc\\\"", "column 10: a text without its closing quote");
	refused("event =~ \"a\\.b\"", "column 12: unknown escape; a backslash itself is \"\\\\\"");
	refused("'\\ud83d'", "column 2: \"\\u\" wants four hexadecimal digits of a character");
	refused("'\\ud83d\\u0041'", "column 2: \"\\u\" wants four hexadecimal digits of a character");
	refused("'\\ude00'", "column 2: \"\\u\" wants four hexadecimal digits of a character");
	refused("'\\u12'", "column 2: \"\\u\" wants four hexadecimal digits of a character");
	refused("'\\xg0'", "column 2: \"\\x\" wants two hexadecimal digits");
	refused("event =~ kwargs.x", "column 10: expected a regular expression in quotes, found \"kwargs\"");
	refused("event =~ '(x'", "column 10: regular expression: Unmatched ( or \\(");
	refused("event =~ '\\u0000'", "column 10: a regular expression with a NUL in it");
}

static void test_bounds(void)
{
	char text[8200], *end;

	/* @n parentheses, or "!" */
	for (size_t n = 100; n <= 101; n++) {
		memset(text, '(', n);
		strcpy(text + n, "1");
		memset(text + n + 1, ')', n);
		text[2 * n + 1] = '\0';
		if (n == 100)
			is(text, 1);
		else
			refused(text, "column 101: nested more than 100 deep");
		memset(text, '!', n);
		text[n + 1] = '\0';
		if (n == 100)
			is(text, 1);
		else
			refused(text, "column 101: nested more than 100 deep");
	}
	/* side by side as many as may be */
	for (end = text; end < text + sizeof(text) - 10; )
		end = stpcpy(end, "!(0)||");
	strcpy(end, "!1");
	is(text, 0);
	strcpy(end, " 1");
	is(text, 1);

	memset(text, 'x', sizeof(text));
	memcpy(text, "event =~ \"", 10);
	strcpy(text + 10 + 4097, "\"");
	refused(text, "column 10: a regular expression over 4096 bytes");
	strcpy(text + 10 + 4096, "\"");
	is(text, 0);
	/* an error tells no more than fits */
	strcpy(text + sizeof(text) - 2, "x");
	refused(text + 100, "column 1: expected args, kwargs, event, seq, true, false, null, a number "
		"or a text in quotes, found "
		"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
}

int main(void)
{
	struct json_error error;

	check_eq(json_read_data(json, strlen(json), &data, &error), 0);
	test_operands();
	test_numbers();
	test_texts();
	test_kinds();
	test_joined();
	test_regex();
	test_refused();
	test_bounds();
	data_deinit(&data);
	return 0;
}
