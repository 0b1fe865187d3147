/* SPDX-License-Identifier: MIT */
#include "duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS	UINT64_C(1000000)

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "", NS_PER_S },
	{ "s", NS_PER_S },
	{ "ms", NS_PER_MS },
	{ "m", 60 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
	{ "d", 86400 * NS_PER_S },
	{ "w", 7 * 86400 * NS_PER_S },
};

static uint64_t find_unit(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(units[i].name, name))
			return units[i].ns;
	return 0;
}

/* The fraction behind the point, in ns; what is below one ns counts as nothing. */
static uint64_t scale_fraction(const char *digits, size_t n, uint64_t unit)
{
	uint64_t billionths = 0;
	size_t i;

	for (i = 0; i < 9; i++)
		billionths = billionths * 10 + (i < n ? (uint64_t)(digits[i] - '0') : 0);

	/* in two steps: an hour of ns times a billion is too large */
	return unit / NS_PER_MS * billionths / (NS_PER_S / NS_PER_MS);
}

/* The whole units before the point. */
static int scale_whole(const char *digits, size_t n, uint64_t unit, uint64_t *ret_ns)
{
	uint64_t most = DURATION_MAX * NS_PER_S / unit, number = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		number = number * 10 + (uint64_t)(digits[i] - '0');
		if (number > most)
			return -ERANGE;
	}
	*ret_ns = number * unit;
	return 0;
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	size_t n = strspn(text, "0123456789"), n_fraction = 0;
	const char *fraction = text + n;
	uint64_t unit;
	int err;

	if (*fraction == '.')
		n_fraction = strspn(++fraction, "0123456789");
	unit = find_unit(fraction + n_fraction);
	if (!unit || n + n_fraction == 0)
		return -EINVAL;

	err = scale_whole(text, n, unit, ret_ns);
	if (err < 0)
		return err;
	*ret_ns += scale_fraction(fraction, n_fraction, unit);
	return 0;
}

void duration_print(uint64_t ns, char *buf, unsigned size)
{
	uint64_t seconds = ns / NS_PER_S;

	if (ns < NS_PER_S)
		snprintf(buf, size, "%" PRIu64 "ms", ns / NS_PER_MS);
	else if (seconds < 60)
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "s", seconds,
			 ns / (NS_PER_S / 10) % 10);
	else if (seconds < 3600)
		snprintf(buf, size, "%" PRIu64 "m", seconds / 60);
	else if (seconds < 86400)
		snprintf(buf, size, "%" PRIu64 "h", seconds / 3600);
	else
		snprintf(buf, size, "%" PRIu64 "d", seconds / 86400);
}
