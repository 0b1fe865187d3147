/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ROWS_H
#define AIOEVT_ROWS_H

/* What there is to see of the events of a bus: of list and top. No event comes into being. */

#include "common.h"

struct row {
	char event[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_shm_event_info info;
	double rate;			/* top's: records a second since the look before */
};

struct rows {
	struct row *v;			/* sorted by name */
	size_t n, room;
};

/* Told of an event that is damaged, which is left out. */
typedef void (*rows_damaged_fn)(void *input, const char *event);

/*
 * Look at the events that match @pattern (NULL: all), instead of what is in @rows. Returns 0 or an
 * error of the engine, about *ret_event unless that is "".
 */
int rows_look(struct rows *rows, struct aioevt_shm *bus, const char *pattern,
	      rows_damaged_fn damaged, void *input, char *ret_event);

int rows_compare(const void *a, const void *b);		/* of struct row, by name */
void rows_deinit(struct rows *rows);

#endif
