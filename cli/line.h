/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_LINE_H
#define AIOEVT_LINE_H

/*
 * A record on one line, for people:
 *
 *   2026-11-25T10:07:44.123+01:00 door.front 7 open 2.5 "two words" by="Ann B" n=1
 *
 * Its time, event, number, and what it carries as JSON; but a text that is one plain word
 * stands without quotes. Nothing in it moves the cursor or the direction of writing: controls and
 * their like are escaped.
 */

#include <stdbool.h>
#include <stdio.h>

#include "ear.h"
#include "value.h"

struct line_style {
	bool utc;
	bool colours;
};

/* With its newline. Returns 0 or -ENOMEM; ferror() tells about @out. */
int line_print(FILE *out, const struct line_style *style, const struct heard *heard,
	       const struct data *data);

/* Whether standard output is a terminal that may be coloured: no-color.org. */
bool line_may_colour(void);

#endif
