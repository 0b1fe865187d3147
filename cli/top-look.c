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

static struct top_row *add_row(struct top_look *look)
{
	struct top_row *rows;

	if (look->n_rows == look->room) {
		look->room = look->room ? 2 * look->room : 64;
		rows = reallocarray(look->rows, look->room, sizeof(*rows));
		check_memory(rows ? 0 : -ENOMEM);
		look->rows = rows;
	}
	return &look->rows[look->n_rows++];
}

static int look_at(struct top *top, struct aioevt_shm *bus, const char *name)
{
	_cleanup_(event_closep) struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_event_info info;
	struct top_row *row;
	int err;

	if (top->pattern && !aioevt_shm_pattern_match(top->pattern, name))
		return 0;
	err = aioevt_shm_event_open(bus, name, AIOEVT_SHM_EXISTING, &event);
	if (err == -ENOENT)	/* gone meanwhile */
		return 0;
	if (err == 0)
		err = aioevt_shm_event_get_info(event, &info);
	if (err < 0)
		return err;

	row = add_row(&top->now);
	*row = (struct top_row){ .info = info };
	strcpy(row->event, name);
	return 0;
}

static int look_at_all(struct top *top, struct aioevt_shm *bus)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;
	int err;

	/* If one is damaged that is all of the bus, the walk says so too. */
	while ((err = aioevt_shm_event_next(bus, &walk, name)) > 0) {
		err = look_at(top, bus, name);
		if (err < 0 && err != -EPROTO)
			return err;
		if (err < 0)
			strcpy(top->now.damaged, name);
	}
	return err;
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
	int err;

	top->now.n_rows = 0;
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
	return look_at_all(top, bus);
}

/* ---- comparing ------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;

	return strcmp(left->event, right->event);
}

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

	for (i = 0; i < top->now.n_rows; i++) {
		struct top_row *row = &top->now.rows[i];
		uint64_t old = 0;

		while (k < before->n_rows && compare_names(&before->rows[k], row) < 0)
			k++;
		if (is_same && k < before->n_rows && !compare_names(&before->rows[k], row))
			old = before->rows[k].info.n_records;
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
	const struct top_row *const *left = a, *const *right = b;

	if ((*left)->rate != (*right)->rate)
		return (*left)->rate < (*right)->rate ? 1 : -1;
	return compare_names(*left, *right);
}

void top_sort(struct top *top)
{
	size_t i, n = top->now.n_rows;

	if (n > top->order_room) {
		free(top->order);
		top->order_room = 0;
		top->order = calloc(n, sizeof(*top->order));
		check_memory(top->order ? 0 : -ENOMEM);
		top->order_room = n;
	}
	for (i = 0; i < n; i++)
		top->order[i] = &top->now.rows[i];
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
		top->now.n_rows = 0;	/* somebody removes it again and again */
	else if (err < 0)
		return err;

	if (top->now.n_rows)
		qsort(top->now.rows, top->now.n_rows, sizeof(*top->now.rows), compare_names);
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
	free(top->now.rows);
	free(top->before.rows);
	free(top->order);
}
