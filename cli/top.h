/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TOP_H
#define AIOEVT_TOP_H

/*
 * aioevt top: looks at the bus, one after the other, each compared with the one before. The
 * bus is attached to for each look alone, so that whoever removes it or cleans up is never in
 * the way of ours, and what takes its place is seen by the next look. No event comes into
 * being by it.
 */

#include <stdio.h>

#include "rows.h"

struct top_look {
	struct rows rows;
	uint64_t when;			/* ns, CLOCK_MONOTONIC; 0: not looked yet */
	uint64_t time;			/* ns, CLOCK_REALTIME */
	dev_t dev;			/* the bus file's; 0 of both: there is none */
	ino_t ino;
	char damaged[AIOEVT_SHM_NAME_MAX + 1];	/* an event that cannot be looked at */
};

struct top {
	struct bus_options bus;
	const char *pattern;		/* NULL: all */
	uint64_t interval;		/* ns */
	bool once, json, by_name;
	struct top_look now, before;
	struct row **order;		/* of the rows of now: as they are shown */
	size_t order_room;
	bool has_rates;			/* now is not the first look */
	double sum, largest;		/* of the rates */
	bool is_open_error;
};

/*
 * Look. Returns 0, or an error of the engine that top_trouble() tells. An event that is
 * damaged is left out and named in now.damaged.
 */
int top_look(struct top *top);

/* Print what @err, of top_look(), means. Returns the exit status. */
int top_trouble(const struct top *top, int err);

/* Sort @order anew, after by_name was changed. */
void top_sort(struct top *top);

void top_deinit(struct top *top);

/*
 * The table, cut to @columns and @lines, 0: as large as it needs to be. Each line ends with
 * @eol. Without events there is none.
 */
void top_print_table(FILE *out, const struct top *top, unsigned columns, unsigned lines,
		     const char *eol);

/* One object on one line. */
void top_print_json(FILE *out, const struct top *top);

/* A number of at most 8 characters. */
void top_print_number(double number, char *buf, size_t size);

/* On the terminal until "q" is typed or a signal comes. Returns the exit status. */
int top_screen(struct top *top);

#endif
