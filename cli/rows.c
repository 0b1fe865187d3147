/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct row *add(struct rows *rows)
{
	struct row *v;

	if (rows->n == rows->room) {
		rows->room = rows->room ? 2 * rows->room : 64;
		v = reallocarray(rows->v, rows->room, sizeof(*v));
		check_memory(v ? 0 : -ENOMEM);
		rows->v = v;
	}
	return &rows->v[rows->n++];
}

static int look_at(struct rows *rows, struct aioevt_shm *bus, const char *name)
{
	_cleanup_(event_closep) struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_event_info info;
	struct row *row;
	int err;

	err = aioevt_shm_event_open(bus, name, AIOEVT_SHM_EXISTING, &event);
	if (err == -ENOENT)	/* gone meanwhile */
		return 0;
	if (err == 0)
		err = aioevt_shm_event_get_info(event, &info);
	if (err < 0)
		return err;

	row = add(rows);
	*row = (struct row){ .info = info };
	strcpy(row->event, name);
	return 0;
}

int rows_compare(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return strcmp(left->event, right->event);
}

static int look_at_all(struct rows *rows, struct aioevt_shm *bus, const char *pattern,
		       rows_damaged_fn damaged, void *input, char *ret_event)
{
	uint32_t walk = 0;
	int err;

	/* If one is damaged that is all of the bus, the walk says so too. */
	while ((err = aioevt_shm_event_next(bus, &walk, ret_event)) > 0) {
		if (pattern && !aioevt_shm_pattern_match(pattern, ret_event))
			continue;
		err = look_at(rows, bus, ret_event);
		if (err == -EPROTO)
			damaged(input, ret_event);
		else if (err < 0)
			return err;
	}
	ret_event[0] = '\0';
	return err;
}

int rows_look(struct rows *rows, struct aioevt_shm *bus, const char *pattern,
	      rows_damaged_fn damaged, void *input, char *ret_event)
{
	int err;

	rows->n = 0;
	err = look_at_all(rows, bus, pattern, damaged, input, ret_event);
	if (rows->n)
		qsort(rows->v, rows->n, sizeof(*rows->v), rows_compare);
	return err;
}

void rows_deinit(struct rows *rows)
{
	free(rows->v);
}
