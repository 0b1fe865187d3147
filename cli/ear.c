/* SPDX-License-Identifier: MIT */
#include "ear.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "place.h"
#include "retune.h"

#define FIRST_ROOM	1024	/* bytes; grown to what a record takes */
#define MAX_GIVEN	256	/* records between two looks for events that have news */

/* The oldest record of @sub that was not given out. Subs stay until the next wait. */
struct held {
	struct aioevt_shm_sub *sub;
	struct heard heard;
};

static int listen_to(struct ear *ear, size_t i)
{
	const char *name = ear->names[i];
	enum aioevt_shm_from from = AIOEVT_SHM_FROM_NEW;
	uint64_t value = 0;
	int err;

	if (ear->cursor) {
		from = place_start(ear, name, &value);
	} else if (ear->from_after) {
		from = AIOEVT_SHM_FROM_SEQ;
		value = ear->after + 1;
	} else if (ear->from_last) {
		from = AIOEVT_SHM_FROM_LAST;
		value = 1;
	}
	err = aioevt_shm_listen(ear->listener, name, ear->flags, from, value, NULL);
	return err == -EEXIST ? 0 : err;	/* the same name twice */
}

static int make_listener(struct ear *ear)
{
	int err;

	pthread_mutex_lock(&ear->lock);
	err = aioevt_shm_listener_new(ear->bus, &ear->listener);
	if (err == 0 && ear->woken)
		aioevt_shm_listener_wake(ear->listener);
	pthread_mutex_unlock(&ear->lock);
	return err;
}

/* For each name. Returns 0, -ESTALE, or the exit status after a message. */
static int for_all(struct ear *ear, int (*what)(struct ear *ear, size_t i))
{
	int err;

	for (size_t i = 0; i < ear->n_names; i++) {
		err = what(ear, i);
		if (err < 0 && err != -ESTALE)
			return bus_trouble(ear->options, ear->bus, ear->names[i], err);
		if (err < 0)
			return err;
	}
	return 0;
}

static int listen_to_all(struct ear *ear)
{
	int status, err = make_listener(ear);

	if (err < 0 && err != -ESTALE)
		return bus_trouble(ear->options, ear->bus, NULL, err);
	if (err < 0)
		return err;
	status = ear->cursor ? for_all(ear, place_prepare) : 0;
	if (!status)
		status = for_all(ear, listen_to);
	if (!status && ear->cursor)
		status = for_all(ear, place_prepare_late);
	return status;
}

/* Whatever a bus holds that took the place of a removed one is new to us. */
static void want_all(struct ear *ear)
{
	ear->after = 0;
	ear->from_after = true;
	if (ear->cursor)
		cursor_forget(ear->cursor);
}

int ear_open(struct ear *ear)
{
	int status;

	ear->many = ear->n_names > 1 || strpbrk(ear->names[0], "*>");
	for (;;) {
		status = bus_attach(ear->options, 0, &ear->bus);
		if (status)
			return status;
		status = listen_to_all(ear);
		if (status == 0)
			return 0;
		ear_close(ear);
		if (status != -ESTALE)
			return status;
		want_all(ear);
	}
}

static void drop_held(struct ear *ear)
{
	for (size_t i = 0; i < ear->held_room; i++)
		heard_deinit(&ear->held[i].heard);
	free(ear->held);
	ear->held = NULL;
	ear->n_held = ear->held_room = 0;
}

void ear_close(struct ear *ear)
{
	struct aioevt_shm_listener *listener;

	pthread_mutex_lock(&ear->lock);
	listener = ear->listener;
	ear->listener = NULL;
	pthread_mutex_unlock(&ear->lock);

	ear->given = NULL;
	if (listener)
		ear->lost += aioevt_shm_listener_lost_events(listener);
	aioevt_shm_listener_free(listener);
	ear->bus = aioevt_shm_close(ear->bus);
	drop_held(ear);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

bool ear_is_late(const struct ear *ear, const struct heard *heard)
{
	/* ear_is_late:A  relaxed, pairs with ear_wake:A: the time is all that is told */
	uint64_t woken_at = atomic_load_explicit(&ear->woken_at, memory_order_relaxed);

	return woken_at && heard->time > woken_at;
}

void ear_wake(struct ear *ear)
{
	/* ear_wake:A  relaxed, pairs with ear_is_late:A */
	atomic_store_explicit(&ear->woken_at, now_ns(), memory_order_relaxed);
	pthread_mutex_lock(&ear->lock);
	ear->woken = true;
	if (ear->listener)
		aioevt_shm_listener_wake(ear->listener);
	pthread_mutex_unlock(&ear->lock);
}

static int make_room(struct heard *heard, size_t room)
{
	void *payload;

	payload = realloc(heard->payload, room);
	if (!payload)
		return -ENOMEM;
	heard->payload = payload;
	heard->room = room;
	return 0;
}

int heard_read(struct heard *heard, struct aioevt_shm_sub *sub, struct aioevt_shm_record *record)
{
	int n, err = heard->room ? 0 : make_room(heard, FIRST_ROOM);

	while (err == 0) {
		n = aioevt_shm_read(sub, record, 1, heard->payload, heard->room);
		if (n != -ENOBUFS)
			return n;
		err = make_room(heard, record->size);
	}
	return err;
}

static void note(struct heard *heard, const char *event,
		 const struct aioevt_shm_record *record)
{
	snprintf(heard->event, sizeof(heard->event), "%s", event);
	heard->seq = record->seq;
	heard->time = record->time;
	heard->missed = record->missed;
	heard->size = record->size;
}

/* Take the next record of @sub that counts. Returns 1, 0 if there is none, or an error. */
static int take(struct ear *ear, struct aioevt_shm_sub *sub, struct heard *heard)
{
	struct aioevt_shm_record record;
	int n;

	while ((n = heard_read(heard, sub, &record)) > 0) {
		if (record.seq <= ear->after ||
		    (ear->cursor && !place_takes(ear, aioevt_shm_sub_name(sub), record.seq,
						 &record.missed)))
			continue;
		note(heard, aioevt_shm_sub_name(sub), &record);
		return 1;
	}
	return n;
}

static void swap(struct heard *a, struct heard *b)
{
	struct heard c = *a;

	*a = *b;
	*b = c;
}

/* A place for one more in ear->held, behind the others. */
static int make_held(struct ear *ear)
{
	size_t room = ear->held_room ? 2 * ear->held_room : 8;
	struct held *held;

	if (ear->n_held < ear->held_room)
		return 0;
	held = realloc(ear->held, room * sizeof(*held));
	if (!held)
		return -ENOMEM;
	memset(held + ear->held_room, 0, (room - ear->held_room) * sizeof(*held));
	ear->held = held;
	ear->held_room = room;
	return 0;
}

/* Hold the next record of @sub, if there is one. */
static int hold(struct ear *ear, struct aioevt_shm_sub *sub)
{
	int n = make_held(ear);

	aioevt_shm_sub_handled(sub, 0);		/* not what is only held */
	if (n == 0)
		n = take(ear, sub, &ear->held[ear->n_held].heard);
	if (n > 0) {
		aioevt_shm_sub_set_data(sub, ear);
		ear->held[ear->n_held++].sub = sub;
	}
	return n;
}

/* Until @deadline for one record, and then one of each event that has any. */
static int gather(struct ear *ear, uint64_t deadline)
{
	struct aioevt_shm_sub *sub;
	int err = aioevt_shm_wait(ear->listener, deadline, &sub);

	while (err == 0 && !aioevt_shm_sub_data(sub)) {
		int n = hold(ear, sub);

		if (n < 0)
			return n;
		/* A wait closes subs of events that were removed: none while some are held. */
		err = ear->n_held ? listener_look(ear->listener, &sub) :
				    aioevt_shm_wait(ear->listener, deadline, &sub);
	}
	ear->n_given = 0;
	if (err == -EINTR && ear->n_held)
		aioevt_shm_listener_wake(ear->listener);	/* what is held goes first */
	return ear->n_held ? 0 : err;
}

static size_t find_oldest(const struct ear *ear)
{
	size_t at = 0;

	for (size_t i = 1; i < ear->n_held; i++)
		if (ear->held[i].heard.time < ear->held[at].heard.time)
			at = i;
	return at;
}

/* Take the oldest that is held, and hold what comes behind it. */
static void give(struct ear *ear, struct heard *heard)
{
	struct held *held = &ear->held[find_oldest(ear)], *last;
	int n = 0;

	swap(&held->heard, heard);
	ear->given = held->sub;
	ear->given_seq = heard->seq;
	if (++ear->n_given < MAX_GIVEN)
		n = take(ear, held->sub, &held->heard);
	if (n > 0)
		return;
	aioevt_shm_sub_set_data(held->sub, NULL);	/* of an error the next wait tells */
	last = &ear->held[--ear->n_held];
	if (held != last) {
		held->sub = last->sub;
		swap(&held->heard, &last->heard);
	}
}

static int hear_of_many(struct ear *ear, uint64_t deadline, struct heard *heard)
{
	int err = 0;

	if (!ear->n_held)
		err = gather(ear, deadline);
	if (err == 0)
		give(ear, heard);
	return err;
}

static int hear_once(struct ear *ear, uint64_t deadline, struct heard *heard)
{
	struct aioevt_shm_sub *sub;
	int n = 0, err;

	if (ear->many)
		return hear_of_many(ear, deadline, heard);
	while (n == 0) {
		err = aioevt_shm_wait(ear->listener, deadline, &sub);
		if (err < 0)
			return err;
		if (ear->by_hand)
			aioevt_shm_sub_handled(sub, 0);
		n = take(ear, sub, heard);
		ear->given = n > 0 ? sub : NULL;
		ear->given_seq = heard->seq;
	}
	return n < 0 ? n : 0;
}

/* Whether standard output is a pipe or a socket, and nobody will read what is written to it. */
static bool has_no_reader(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };
	struct stat st;

	return poll(&out, 1, 0) > 0 && fstat(STDOUT_FILENO, &st) == 0 &&
	       (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Look at standard output whenever the engine has re-checked the bus, so that this adds no wake. */
static int hear_for_reader(struct ear *ear, uint64_t deadline, struct heard *heard)
{
	int err;

	while (ear->listener->recheck_at < deadline) {
		err = hear_once(ear, ear->listener->recheck_at, heard);
		if (err != -ETIMEDOUT)
			return err;
		if (has_no_reader())
			return -EPIPE;
	}
	return hear_once(ear, deadline, heard);
}

void ear_handled(struct ear *ear)
{
	if (ear->given)
		aioevt_shm_sub_handled(ear->given, ear->given_seq);
	ear->given = NULL;
}

void ear_handled_below(struct ear *ear, const char *event, uint64_t seq)
{
	struct aioevt_shm_sub *sub = ear->listener ? sub_find(ear->listener, event) : NULL;
	uint64_t next = sub ? sub_place(sub) : 0;	/* 0: its event went */

	if (next < seq)
		seq = next;
	for (size_t i = 0; i < ear->n_held; i++)
		if (ear->held[i].sub == sub && ear->held[i].heard.seq < seq)
			seq = ear->held[i].heard.seq;
	if (seq)
		aioevt_shm_sub_handled(sub, seq - 1);
}

int ear_hear(struct ear *ear, uint64_t deadline, struct heard *heard)
{
	int err;

	if (!ear->by_hand)
		ear_handled(ear);
	for (;;) {
		err = ear->for_reader ? hear_for_reader(ear, deadline, heard) :
					hear_once(ear, deadline, heard);
		if (err != -ESTALE)
			return err;
		ear_close(ear);
		want_all(ear);
		if (ear_open(ear))
			return -ECANCELED;
	}
}

void heard_deinit(struct heard *heard)
{
	free(heard->payload);
	*heard = (struct heard){ 0 };
}
