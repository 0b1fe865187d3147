/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TIMESTAMP_H
#define AIOEVT_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#define TIME_MAX	40	/* bytes of a printed time, its NUL included */

/*
 * Print @ns since 1970 in the form of RFC 3339, local time or UTC, with @digits (0 to 9) of
 * the second behind the point, the rest cut off: 2026-11-25T10:07:44.123+01:00, or "Z" for UTC.
 * Returns @buf.
 */
char *time_print(uint64_t ns, bool utc, unsigned digits, char buf[static TIME_MAX]);

#endif
