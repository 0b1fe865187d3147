/* SPDX-License-Identifier: MIT */
/*
 * Waits of a thread: a listener for as long as the wait lasts, so that nothing is left behind.
 */
#include "waiter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cancel.h"
#include "data.h"
#include "manager.h"

#define ON_STACK	4096u		/* bytes of a record that need no allocation */

struct wait {
	struct aioevt *mgr;
	const char *const *names;
	size_t n_names;
	enum aioevt_shm_from from;
	uint64_t from_value;
	struct link *link;
	struct aioevt_shm_listener *ear;	/* under mgr->lock, for who ends it */
	bool has_gap;			/* the bus was another before */
	TAILQ_ENTRY(wait) in_manager;
};

/* ---- coming and going ----------------------------------------------------------------------- */

static void set_ear(struct wait *w, struct aioevt_shm_listener *ear)
{
	pthread_mutex_lock(&w->mgr->lock);
	w->ear = ear;
	pthread_mutex_unlock(&w->mgr->lock);
}

static void close_ear(struct wait *w)
{
	struct aioevt_shm_listener *ear = w->ear;

	set_ear(w, NULL);
	aioevt_shm_listener_free(ear);
	if (w->link)
		link_put(w->link);
	w->link = NULL;
}

static int open_ear(struct wait *w)
{
	struct aioevt_shm_listener *ear;
	int err = aioevt_shm_listener_new(w->link->shm, &ear);

	if (err < 0)
		return err;
	set_ear(w, ear);
	for (size_t i = 0; i < w->n_names && !err; i++) {
		err = aioevt_shm_listen(ear, w->names[i], 0, w->from, w->from_value, NULL);
		if (err == -EEXIST)
			err = 0;	/* named twice */
	}
	return err;
}

/* The bus was removed: the same on the next, from its first records. */
static int reopen(struct wait *w)
{
	struct link *stale = w->link;
	int err;

	w->link = NULL;
	close_ear(w);
	err = link_renew(w->mgr, stale, &w->link);
	link_put(stale);
	if (err < 0)
		return err;
	w->from = AIOEVT_SHM_FROM_SEQ;
	w->from_value = 1;
	w->has_gap = true;
	return open_ear(w);
}

static void wait_end(struct wait *w)
{
	int cancel = cancel_off();

	close_ear(w);
	pthread_mutex_lock(&w->mgr->lock);
	TAILQ_REMOVE(&w->mgr->waits, w, in_manager);
	pthread_cond_broadcast(&w->mgr->changed);
	pthread_mutex_unlock(&w->mgr->lock);
	cancel_on(cancel);
}

static int check_names(const struct wait *w)
{
	if (!w->names || !w->n_names)
		return -EINVAL;
	for (size_t i = 0; i < w->n_names; i++) {
		size_t len = w->names[i] ? strnlen(w->names[i], AIOEVT_SHM_NAME_MAX + 1) : 0;
		int kind = aioevt_shm_pattern_check(w->names[i], len, NULL, NULL);

		if (kind < 0 || (kind && w->from != AIOEVT_SHM_FROM_NEW))
			return -EINVAL;
	}
	return 0;
}

/* To be ended with wait_end() if it returns 0. */
static int wait_begin(struct wait *w)
{
	int err = manager_check(w->mgr);

	if (!err)
		err = check_names(w);
	if (err < 0)
		return err;
	pthread_mutex_lock(&w->mgr->lock);
	TAILQ_INSERT_TAIL(&w->mgr->waits, w, in_manager);
	pthread_mutex_unlock(&w->mgr->lock);
	w->link = link_get(w->mgr);
	err = open_ear(w);
	if (err == -ESTALE)
		err = reopen(w);
	if (err < 0)
		wait_end(w);
	return err;
}

void waits_end(struct aioevt *mgr)
{
	int cancel = cancel_off();
	struct wait *w;

	pthread_mutex_lock(&mgr->lock);
	TAILQ_FOREACH(w, &mgr->waits, in_manager)
		if (w->ear)
			aioevt_shm_listener_wake(w->ear);
	while (!TAILQ_EMPTY(&mgr->waits))
		pthread_cond_wait(&mgr->changed, &mgr->lock);
	pthread_mutex_unlock(&mgr->lock);
	cancel_on(cancel);
}

/* ---- one record ------------------------------------------------------------------------------- */

/* The next record of @sub. Returns 1, 0 if there is none after all, or an error. */
static int take(struct wait *w, struct aioevt_shm_sub *sub, struct aioevt_data **data)
{
	unsigned char on_stack[ON_STACK], *buf = on_stack;
	size_t size = sizeof(on_stack);
	struct aioevt_shm_record record;
	int n = aioevt_shm_read(sub, &record, 1, buf, size), err;

	while (n == -ENOBUFS) {
		size = record.size;
		if (buf != on_stack)
			free(buf);
		buf = malloc(size);
		if (!buf)
			return -ENOMEM;
		n = aioevt_shm_read(sub, &record, 1, buf, size);
	}
	if (n > 0) {
		err = data_receive(data, aioevt_shm_sub_name(sub), &record);
		n = err < 0 ? err : n;
	}
	if (n > 0 && w->has_gap)
		data_set_missed(*data, AIOEVT_MISSED_UNKNOWN);
	if (buf != on_stack)
		free(buf);
	return n;
}

/* Sleep until there is a record. Returns 0 or an error. */
static int next(struct wait *w, uint64_t deadline, struct aioevt_data **data)
{
	struct aioevt_shm_sub *sub;
	int r = 0;

	while (!r) {
		r = manager_check(w->mgr);
		if (!r)
			r = aioevt_shm_wait(w->ear, deadline, &sub);
		if (!r)
			r = take(w, sub, data);
		if (r == -ESTALE)
			r = reopen(w);
		if (r == -EINTR)
			r = 0;		/* closing, or nothing */
	}
	return r < 0 ? r : 0;
}

/* ---- waits ------------------------------------------------------------------------------------- */

static int wait_one(struct wait *w, uint64_t deadline, struct aioevt_data **ret_data)
{
	struct aioevt_data *data = NULL;
	int err = wait_begin(w);

	if (err < 0)
		return err;
	err = next(w, deadline, &data);
	wait_end(w);
	if (!err && ret_data) {
		*ret_data = data;
		data = NULL;
	}
	aioevt_data_unref(data);
	return err;
}

int aioevt_wait(struct aioevt *mgr, const char *name, uint64_t deadline,
		struct aioevt_data **ret_data)
{
	struct wait w = { .mgr = mgr, .names = &name, .n_names = 1 };

	return wait_one(&w, deadline, ret_data);
}

int aioevt_wait_after(struct aioevt *mgr, const char *name, uint64_t after, uint64_t deadline,
		      struct aioevt_data **ret_data)
{
	struct wait w = { .mgr = mgr, .names = &name, .n_names = 1, .from = AIOEVT_SHM_FROM_SEQ,
			  .from_value = after + 1 };

	return after == UINT64_MAX ? -EINVAL : wait_one(&w, deadline, ret_data);
}

static bool falls_under(const char *event, const char *name)
{
	return !strcmp(event, name) || aioevt_shm_pattern_match(name, event);
}

int aioevt_wait_any(struct aioevt *mgr, const char *const *names, size_t n, uint64_t deadline,
		    size_t *ret_i, struct aioevt_data **ret_data)
{
	struct wait w = { .mgr = mgr, .names = names, .n_names = n };
	struct aioevt_data *data = NULL;
	int err = wait_one(&w, deadline, &data);
	size_t i = 0;

	if (err < 0)
		return err;
	while (i + 1 < n && !falls_under(aioevt_data_event(data), names[i]))
		i++;
	if (ret_i)
		*ret_i = i;
	if (ret_data)
		*ret_data = data;
	else
		aioevt_data_unref(data);
	return 0;
}

/* Give @data to those it is for and who have none yet. Returns how many they were. */
static size_t hand_out(const char *const *names, size_t n, struct aioevt_data *data,
		       struct aioevt_data **got)
{
	size_t n_given = 0;

	for (size_t i = 0; i < n; i++)
		if (!got[i] && falls_under(aioevt_data_event(data), names[i])) {
			got[i] = aioevt_data_ref(data);
			n_given++;
		}
	return n_given;
}

static int gather(struct wait *w, uint64_t deadline, struct aioevt_data **got)
{
	struct aioevt_data *data = NULL;
	size_t n_got = 0;
	int err = wait_begin(w);

	if (err < 0)
		return err;
	while (!err && n_got < w->n_names) {
		err = next(w, deadline, &data);
		if (!err)
			n_got += hand_out(w->names, w->n_names, data, got);
	}
	wait_end(w);
	aioevt_data_unref(data);
	return err;
}

int aioevt_wait_all(struct aioevt *mgr, const char *const *names, size_t n, uint64_t deadline,
		    struct aioevt_data **ret_data)
{
	struct wait w = { .mgr = mgr, .names = names, .n_names = n };
	struct aioevt_data **got = calloc(n ? n : 1, sizeof(*got));
	int err = got ? gather(&w, deadline, got) : -ENOMEM;

	for (size_t i = 0; got && i < n; i++) {
		if (!err && ret_data)
			ret_data[i] = got[i];
		else
			aioevt_data_unref(got[i]);
	}
	free(got);
	return err;
}

/* ---- looks -------------------------------------------------------------------------------------- */

/* Call @look with the newest bus, and again with the next if that was removed. */
static int look_at(struct aioevt *mgr, int (*look)(struct aioevt_shm *, const char *, void *),
		   const char *name, void *out)
{
	int err = manager_check(mgr);
	struct link *link, *stale;

	if (err < 0)
		return err;
	if (!name)
		return -EINVAL;
	link = link_get(mgr);
	err = look(link->shm, name, out);
	if (err == -ESTALE) {
		stale = link;
		err = link_renew(mgr, stale, &link);
		link_put(stale);
		if (err < 0)
			return err;
		err = look(link->shm, name, out);
	}
	link_put(link);
	return err;
}

/* The event is opened first, so that no listener is taken for nothing. */
static int look_last(struct aioevt_shm *shm, const char *name, void *out)
{
	struct wait w = { 0 };
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *ear = NULL;
	struct aioevt_shm_sub *sub;
	int r = aioevt_shm_event_open(shm, name, AIOEVT_SHM_EXISTING, &event);

	if (r < 0)
		return r;
	r = aioevt_shm_listener_new(shm, &ear);
	if (!r)
		r = aioevt_shm_listen(ear, name, AIOEVT_SHM_EXISTING, AIOEVT_SHM_FROM_LAST, 1,
				      NULL);
	if (!r)
		r = aioevt_shm_wait(ear, 0, &sub);
	if (!r)
		r = take(&w, sub, out);
	aioevt_shm_listener_free(ear);
	aioevt_shm_event_close(event);
	return r == -ETIMEDOUT || !r ? -ENOENT : r < 0 ? r : 0;
}

int aioevt_last(struct aioevt *mgr, const char *name, struct aioevt_data **ret_data)
{
	struct aioevt_data *data = NULL;
	int err = ret_data ? look_at(mgr, look_last, name, &data) : -EINVAL;

	if (!err)
		*ret_data = data;
	else
		aioevt_data_unref(data);
	return err;
}

static int look_count(struct aioevt_shm *shm, const char *name, void *out)
{
	struct aioevt_shm_event_info info;
	struct aioevt_shm_event *event;
	int err = aioevt_shm_event_open(shm, name, AIOEVT_SHM_EXISTING, &event);

	if (err < 0)
		return err;
	err = aioevt_shm_event_get_info(event, &info);
	aioevt_shm_event_close(event);
	if (!err)
		*(int *)out = (int)(info.n_listeners - info.n_observers);
	return err;
}

int aioevt_n_listeners(struct aioevt *mgr, const char *name)
{
	int n = 0, err = look_at(mgr, look_count, name, &n);

	return err == -ENOENT ? 0 : err < 0 ? err : n;
}
