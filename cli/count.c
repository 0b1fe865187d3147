/* SPDX-License-Identifier: MIT */
#include "count.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "common.h"

static void __attribute__((__noreturn__))
refuse(const char *option, const char *text, const char *what, uint64_t min, uint64_t max)
{
	complain_usage("%s \"%.300s\": %s from %" PRIu64 " to %" PRIu64, option, text, what, min,
		       max);
}

uint64_t parse_count(const char *option, const char *text, uint64_t min, uint64_t max)
{
	const char *why = NULL;
	long long number;

	number = strtonum(text, (long long)min, (long long)max, &why);
	if (why)
		refuse(option, text, "not a number", min, max);
	return (uint64_t)number;
}

/* The unit that @text ends with, which is cut off; 1 if there is none. */
static uint64_t cut_unit(char *text)
{
	static const char units[] = "KMG";
	size_t len = strlen(text);
	const char *unit = len ? strchr(units, text[len - 1]) : NULL;

	if (!unit)
		return 1;
	text[len - 1] = '\0';
	return UINT64_C(1) << 10 * (unit - units + 1);
}

uint64_t parse_size(const char *option, const char *text, uint64_t min, uint64_t max)
{
	const char *why = NULL;
	char digits[32] = "";
	long long number;
	uint64_t unit;

	if (strlen(text) < sizeof(digits))
		strcpy(digits, text);
	unit = cut_unit(digits);
	number = strtonum(digits, 0, (long long)(max / unit), &why);
	if (why || (uint64_t)number * unit < min)
		refuse(option, text, "not a number of bytes, or one with K, M or G,", min, max);
	return (uint64_t)number * unit;
}
