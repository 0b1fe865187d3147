/* SPDX-License-Identifier: MIT */
#include "timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "duration.h"

/* Of local time, in minutes, to the east: the form has no seconds. */
static long find_offset(time_t seconds)
{
	struct tm tm;

	return localtime_r(&seconds, &tm) ? tm.tm_gmtoff / 60 : 0;
}

static char *print_zone(long offset, bool utc, char *out)
{
	if (utc)
		return out + sprintf(out, "Z");
	return out + sprintf(out, "%c%02ld:%02ld", offset < 0 ? '-' : '+', labs(offset) / 60 % 100,
			     labs(offset) % 60);
}

char *time_print(uint64_t ns, bool utc, unsigned digits, char buf[static TIME_MAX])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	long offset = utc ? 0 : find_offset(seconds);
	uint64_t fraction = ns % NS_PER_S;
	struct tm tm = { 0 };
	char *out = buf;

	seconds += offset * 60;
	gmtime_r(&seconds, &tm);
	out += strftime(out, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	for (unsigned i = digits; i < 9; i++)
		fraction /= 10;
	if (digits)
		out += sprintf(out, ".%0*" PRIu64, (int)digits, fraction);
	print_zone(offset, utc, out);
	return buf;
}
