/* SPDX-License-Identifier: MIT */
/* aioevt top: what is on the bus, and what has changed since the look before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "duration.h"
#include "top.h"

#define ATTEMPTS	8	/* to look while the bus is being removed */

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- collecting ----------------------------------------------------------------- */

static void note_damaged(void *input, const char *event)
{
	struct top *top = input;

	strcpy(top->now.damaged, event);
}

/* Which file it is, to know a new bus of the same name from this one. */
static void note_file(struct top *top)
{
	char path[4224];
	struct stat st;

	if (aioevt_shm_path(top->bus.bus, path, sizeof(path)) < 0 || stat(path, &st) < 0)
		return;
	top->now.dev = st.st_dev;
	top->now.ino = st.st_ino;
}

static int look_once(struct top *top)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	char event[AIOEVT_SHM_NAME_MAX + 1];
	int err;

	top->now.rows.n = 0;
	top->now.dev = 0;
	top->now.ino = 0;
	top->now.damaged[0] = 0;
	err = bus_open(&top->bus, AIOEVT_SHM_EXISTING, &bus);
	top->is_open_error = err < 0;
	top->now.when = read_clock(CLOCK_MONOTONIC);
	top->now.time = read_clock(CLOCK_REALTIME);
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return err;
	note_file(top);
	return rows_look(&top->now.rows, bus, top->pattern, note_damaged, top, event);
}

/* ---- comparing ------------------------------------------------------------------ */

/*
 * What was not there at the look before, or has fewer records than then, came into being
 * since: all of its records are new.
 */
static void find_rates(struct top *top)
{
	const struct top_look *before = &top->before;
	bool is_same = before->dev == top->now.dev && before->ino == top->now.ino;
	double seconds = (double)(top->now.when - before->when) / 1e9;
	size_t i, k = 0;

	for (i = 0; i < top->now.rows.n; i++) {
		struct row *row = &top->now.rows.v[i];
		uint64_t old = 0;

		while (k < before->rows.n && rows_compare(&before->rows.v[k], row) < 0)
			k++;
		if (is_same && k < before->rows.n && !rows_compare(&before->rows.v[k], row))
			old = before->rows.v[k].info.n_records;
		if (old > row->info.n_records)
			old = 0;
		row->rate = (double)(row->info.n_records - old) / seconds;
		top->sum += row->rate;
		if (row->rate > top->largest)
			top->largest = row->rate;
	}
}

static int compare_rates(const void *a, const void *b)
{
	const struct row *const *left = a, *const *right = b;

	if ((*left)->rate != (*right)->rate)
		return (*left)->rate < (*right)->rate ? 1 : -1;
	return rows_compare(*left, *right);
}

void top_sort(struct top *top)
{
	size_t i, n = top->now.rows.n;

	if (n > top->order_room) {
		free(top->order);
		top->order_room = 0;
		top->order = calloc(n, sizeof(*top->order));
		check_memory(top->order ? 0 : -ENOMEM);
		top->order_room = n;
	}
	for (i = 0; i < n; i++)
		top->order[i] = &top->now.rows.v[i];
	if (n && !top->by_name)
		qsort(top->order, n, sizeof(*top->order), compare_rates);
}

int top_look(struct top *top)
{
	struct top_look swap = top->before;
	int err = -ESTALE;

	top->before = top->now;
	top->now = swap;
	for (int i = 0; i < ATTEMPTS && err == -ESTALE; i++)
		err = look_once(top);
	if (err == -ESTALE)
		top->now.rows.n = 0;	/* somebody removes it again and again */
	else if (err < 0)
		return err;

	top->sum = top->largest = 0;
	top->has_rates = top->before.when;
	if (top->has_rates)
		find_rates(top);
	top_sort(top);
	return 0;
}

int top_trouble(const struct top *top, int err)
{
	if (top->is_open_error)
		return bus_open_trouble(&top->bus, err);
	return bus_trouble(&top->bus, NULL, NULL, err);
}

void top_deinit(struct top *top)
{
	rows_deinit(&top->now.rows);
	rows_deinit(&top->before.rows);
	free(top->order);
}
