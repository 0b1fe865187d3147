/* SPDX-License-Identifier: MIT */
/* Names and patterns: what is one, where it stops being one and why, what falls under what. */

#include <errno.h>

#include "aioevt-shm.h"
#include "name.h"
#include "test.h"

static void check_name(const char *name, size_t len, const char *why, size_t offset)
{
	const char *said = NULL;
	size_t at = 4711;
	int r = aioevt_shm_name_check(name, len, &at, &said);

	fprintf(stderr, "name \"%.*s\"\n", (int)len, name);
	check_eq(r, why ? -EINVAL : 0);
	check_str(said, why);
	check_eq(at, why ? offset : 4711);
	check_eq(aioevt_shm_name_check(name, len, NULL, NULL), r);
}

#define good(name) check_name(name, sizeof(name) - 1, NULL, 0)
#define bad(name, offset, why) check_name(name, sizeof(name) - 1, why, offset)

static void check_pattern(const char *pattern, int kind, size_t offset, const char *why)
{
	const char *said = NULL;
	size_t at = 4711;

	fprintf(stderr, "pattern \"%s\"\n", pattern);
	check_eq(aioevt_shm_pattern_check(pattern, strlen(pattern), &at, &said), kind);
	check_str(said, why);
	check_eq(at, why ? offset : 4711);
}

static void test_names(void)
{
	good("a");
	good("a.b.c");
	good("A-Z_0:9/x=y,+#$@!?");
	good("\xc3\xa4.\xe2\x82\xac.\xf0\x9f\x98\x80");
	bad("", 0, "empty name");
	bad(".", 0, "empty token");
	bad(".a", 0, "empty token");
	bad("a.", 2, "empty token");
	bad("a..b", 2, "empty token");
	bad("a b", 1, "white space");
	bad("a.\tb", 2, "control character");
	bad("a\n", 1, "control character");
	bad("a\0b", 1, "control character");
	bad("\x7f", 0, "control character");
	bad("x\xc2\x80", 1, "control character");
	bad("x\xc2\x85", 1, "control character");
	bad("x\xc2\x9f", 1, "control character");
	good("x\xc2\xa1");
	bad("*", 0, "\"*\" in a name");
	bad("a*", 1, "\"*\" in a name");
	bad("a.>", 2, "\">\" in a name");
}

static void test_length(void)
{
	char name[200];

	memset(name, 'n', sizeof(name));
	check_name(name, 127, NULL, 0);
	check_name(name, 128, "longer than 127 bytes", 127);
	check_name(name, 200, "longer than 127 bytes", 127);
	memcpy(name + 125, "\xe2\x82\xac", 3);	/* cut by the length, not by the limit */
	check_name(name, 127, "not valid UTF-8", 125);
	name[126] = '.';
	name[125] = 'n';
	check_name(name, 127, "empty token", 127);
}

static void test_utf8(void)
{
	static const char invalid[] = "not valid UTF-8", space[] = "white space";

	bad("a\x80", 1, invalid);		/* a continuation alone */
	bad("a\xbf.b", 1, invalid);
	bad("\xc3", 0, invalid);		/* cut short */
	bad("\xc3.", 0, invalid);
	bad("\xe2\x82", 0, invalid);
	bad("\xe2\x82.a", 0, invalid);
	bad("\xf0\x9f\x98", 0, invalid);
	bad("\xc0\xaf", 0, invalid);		/* overlong */
	bad("\xc0\x80", 0, invalid);
	bad("\xc1\xbf", 0, invalid);
	bad("\xe0\x80\xaf", 0, invalid);
	bad("\xe0\x9f\xbf", 0, invalid);
	bad("\xf0\x80\x80\xaf", 0, invalid);
	bad("\xf0\x8f\xbf\xbf", 0, invalid);
	bad("\xed\xa0\x80", 0, invalid);	/* surrogates */
	bad("\xed\xbf\xbf", 0, invalid);
	bad("\xf4\x90\x80\x80", 0, invalid);	/* over U+10FFFF */
	bad("\xf5\x80\x80\x80", 0, invalid);
	bad("\xf8\x88\x80\x80\x80", 0, invalid);
	bad("\xfe", 0, invalid);
	bad("\xff", 0, invalid);
	good("\xe0\xa0\x80");			/* the ends of the ranges: U+0800 */
	good("\xed\x9f\xbf");			/* U+D7FF */
	good("\xee\x80\x80");			/* U+E000 */
	good("\xef\xbf\xbf");
	good("\xf0\x90\x80\x80");		/* U+10000 */
	good("\xf4\x8f\xbf\xbf");		/* U+10FFFF */
	bad("a\xc2\xa0", 1, space);		/* no-break space */
	bad("a\xe1\x9a\x80", 1, space);
	bad("a\xe2\x80\x80", 1, space);
	bad("a\xe2\x80\x8a", 1, space);
	good("a\xe2\x80\x8b");			/* zero width space is none, for Unicode */
	bad("a\xe2\x80\xa8", 1, space);
	bad("a\xe2\x80\xa9", 1, space);
	bad("a\xe2\x80\xaf", 1, space);
	bad("a\xe2\x81\x9f", 1, space);
	bad("a\xe3\x80\x80", 1, space);
}

static void test_patterns(void)
{
	check_pattern("a.b", 0, 0, NULL);
	check_pattern("*", 1, 0, NULL);
	check_pattern(">", 1, 0, NULL);
	check_pattern("*.*", 1, 0, NULL);
	check_pattern("a.*.b", 1, 0, NULL);
	check_pattern("a.>", 1, 0, NULL);
	check_pattern("*.>", 1, 0, NULL);
	check_pattern("", -EINVAL, 0, "empty name");
	check_pattern(">.a", -EINVAL, 1, "\">\" before the end");
	check_pattern("a.>.b", -EINVAL, 3, "\">\" before the end");
	check_pattern("a*", -EINVAL, 1, "\"*\" in a name");
	check_pattern("*a", -EINVAL, 0, "\"*\" in a name");
	check_pattern("**", -EINVAL, 0, "\"*\" in a name");
	check_pattern(">>", -EINVAL, 0, "\">\" in a name");
	check_pattern("a.", -EINVAL, 2, "empty token");
	check_pattern("*.", -EINVAL, 2, "empty token");
	check_pattern(".*", -EINVAL, 0, "empty token");
	check_pattern("* ", -EINVAL, 0, "\"*\" in a name");
}

static void test_match(void)
{
	static const struct {
		const char *pattern, *name;
		int expected;
	} cases[] = {
		{ "a", "a", 1 }, { "a", "b", 0 }, { "a", "ab", 0 }, { "ab", "a", 0 },
		{ "a", "a.b", 0 }, { "a.b", "a", 0 }, { "a.b", "a.b", 1 },
		{ "*", "a", 1 }, { "*", "abc", 1 }, { "*", "a.b", 0 },
		{ "*.b", "a.b", 1 }, { "*.b", "b", 0 }, { "*.b", "a.a.b", 0 },
		{ "a.*", "a.b", 1 }, { "a.*", "a", 0 }, { "a.*", "a.b.c", 0 },
		{ "a.*.c", "a.b.c", 1 }, { "a.*.c", "a.c", 0 }, { "a.*.c", "a.b.d", 0 },
		{ ">", "a", 1 }, { ">", "a.b.c", 1 }, { "a.>", "a.b", 1 },
		{ "a.>", "a.b.c.d", 1 }, { "a.>", "a", 0 }, { "a.>", "ab.c", 0 },
		{ "*.>", "a.b", 1 }, { "*.>", "a", 0 }, { "*.*", "a.b", 1 },
		{ "*.*", "a", 0 }, { "\xc3\xa4.*", "\xc3\xa4.b", 1 },
		{ "\xc3\xa4", "\xc3\xb6", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fprintf(stderr, "match %s %s\n", cases[i].pattern, cases[i].name);
		check_eq(aioevt_shm_pattern_match(cases[i].pattern, cases[i].name),
			 cases[i].expected);
	}
}

/* As the table keeps it, and what a scribbled table may hold. */
static void test_packed(void)
{
	char text[AIOEVT_SHM_NAME_MAX + 1], longest[AIOEVT_SHM_NAME_MAX + 2];
	struct name name, other;

	memset(longest, 'l', sizeof(longest));
	longest[AIOEVT_SHM_NAME_MAX + 1] = '\0';
	check_eq(name_pack(longest, &name), -EINVAL);
	longest[AIOEVT_SHM_NAME_MAX] = '\0';
	check_eq(name_pack(longest, &name), 0);
	check_eq(name_unpack(&name, text), 0);
	check_str(text, longest);
	check_eq(name_pack("a.b", &name), 0);
	check_eq(name_pack("a.b", &other), 0);
	check(!memcmp(&name, &other, sizeof(name)));
	check_eq(name_unpack(&name, text), 0);
	check_str(text, "a.b");
	memset(&name, 0, sizeof(name));
	check_eq(name_unpack(&name, text), -EPROTO);
	for (int len = 128; len < 256; len++) {
		memset(&name, 'x', sizeof(name));
		*(unsigned char *)&name = (unsigned char)len;
		check_eq(name_unpack(&name, text), -EPROTO);
	}
	memset(&name, 0xff, sizeof(name));
	*(unsigned char *)&name = 5;
	check_eq(name_unpack(&name, text), -EPROTO);
	check_str(text, "a.b");
}

int main(void)
{
	test_names();
	test_length();
	test_utf8();
	test_patterns();
	test_match();
	test_packed();
	return 0;
}
