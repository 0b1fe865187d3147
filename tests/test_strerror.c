/* Every error that the headers name has a sentence in the terms of this library. */
/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <limits.h>

#include "aioevt.h"
#include "test.h"

static char *read_header(const char *path)
{
	static char text[131072];
	FILE *file = fopen(path, "r");
	size_t n;

	if (!file) {
		fprintf(stderr, "no %s here\n", path);
		exit(77);
	}
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	check(n > 1000);
	text[n] = '\0';
	return text;
}

/* Whether @text has "-@name". */
static bool names(const char *text, const char *name)
{
	size_t len = strlen(name);

	while ((text = strstr(text, name))) {
		if (text[-1] == '-' && !isalnum((unsigned char)text[len]))
			return true;
		text += len;
	}
	return false;
}

static void check_sentence(int err)
{
	const char *why = aioevt_strerror(-err);

	fprintf(stderr, "%s: %s\n", strerrorname_np(err), why);
	check(why && *why);
	check_str(aioevt_strerror(err), why);
	check(strcmp(why, strerrordesc_np(err)));
	check(!strstr(why, "not an error"));
}

static void test_header(const char *path, int at_least)
{
	const char *text = read_header(path), *name;
	int err, n = 0;

	for (err = 1; err < 200; err++) {
		name = strerrorname_np(err);
		if (name && names(text, name)) {
			check_sentence(err);
			n++;
		}
	}
	check(n >= at_least);
}

/* Each pair of types has a sentence of its own. */
static void test_mismatches(void)
{
	static const char *const types[] = {
		"null ", "a boolean ", "an integer ", "an integer over 2^63-1 ",
		"a floating-point number ", "text ", "bytes ", "a list ", "a map ",
	};
	const char *seen[9 * 9], *why;
	int found, asked, i, n = 0;

	for (found = AIOEVT_NULL; found <= AIOEVT_MAP; found++)
		for (asked = AIOEVT_NULL; asked <= AIOEVT_MAP; asked++) {
			why = aioevt_strerror(-AIOEVT_EMISMATCH(found, asked));
			check(strstr(why, "found where ") == why + strlen(types[found]));
			check(!strncmp(why, types[found], strlen(types[found])));
			for (i = 0; i < n; i++)
				check(strcmp(seen[i], why));
			seen[n++] = why;
		}
	check_str(aioevt_strerror(-AIOEVT_EMISMATCH(AIOEVT_NULL, AIOEVT_BOOL)),
		  "null found where a boolean was asked for");
	check_str(aioevt_strerror(-AIOEVT_EMISMATCH(AIOEVT_LIST, AIOEVT_DOUBLE)),
		  "a list found where a floating-point number was asked for");
}

static void test_others(void)
{
	static const int strange[] = {
		INT_MIN, INT_MAX, 0xffff, 0x10000 | 9 << 8, 0x10009, 0x20000, 12345, -0x10000 - 0xffff,
	};
	size_t i;

	check_str(aioevt_strerror(0), "success");
	check_str(aioevt_strerror(-EXDEV), strerrordesc_np(EXDEV));
	for (i = 0; i < sizeof(strange) / sizeof(*strange); i++)
		check_str(aioevt_strerror(strange[i]), "not an error of this library");
}

int main(void)
{
	test_mismatches();
	test_others();
	test_header("lib/aioevt.h", 20);
	test_header("shm/aioevt-shm.h", 20);
	return 0;
}
