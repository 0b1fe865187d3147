/* SPDX-License-Identifier: MIT */
/*
 * Registering. The evt is linked before the listener listens for it, so that the listener does
 * what it needs, and takes records only from when that is so (from_seq).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

struct request {
	const char *name;
	aioevt_fn fn;
	void *userdata;
	uint32_t flags;
	uint64_t deadline;
	bool is_wait;
	bool has_after;
	uint64_t after;
};

static int evt_new(struct aioevt_loop *loop, const struct request *req,
		   struct aioevt_evt **ret_evt)
{
	size_t len = strlen(req->name);
	struct aioevt_evt *evt = calloc(1, sizeof(*evt) + len + 1);

	if (!evt)
		return -ENOMEM;
	atomic_init(&evt->refs, 1);
	loop_hold(loop);
	evt->loop = loop;
	evt->fn = req->fn;
	evt->userdata = req->userdata;
	evt->flags = req->flags;
	evt->deadline = req->deadline;
	evt->is_wait = req->is_wait;
	evt->from_seq = UINT64_MAX;
	memcpy(evt->name, req->name, len);
	*ret_evt = evt;
	return 0;
}

static bool is_reliable(const struct aioevt_evt *evt)
{
	return !(evt->flags & AIOEVT_LOSSY);
}

/*
 * The listener does all that the evt needs already: nothing but a link and a number. Returns 1 if
 * that was so, 0 if not, or an error.
 */
static int join(struct aioevt_loop *loop, struct aioevt_evt *evt, bool is_late)
{
	struct topic *topic;
	uint64_t seq;
	int r = 0;

	lock(loop);
	topic = topic_find(loop, evt->name);
	if (loop->is_dead) {
		r = -ECANCELED;
	} else if (!is_late && topic && topic->is_heard && topic->sub && !topic->is_pattern &&
		   (!is_reliable(evt) || topic->n_reliable) && !topic_frontier(topic, &seq)) {
		evt->from_seq = seq;
		evt_link(evt, topic);
		r = 1;
	}
	unlock(loop);
	return r;
}

/* The topic is pinned: the evt may be ended by another thread, add() goes on. */
static int link_to_topic(struct aioevt_loop *loop, struct aioevt_evt *evt, bool is_pattern,
			 struct topic **ret_topic)
{
	struct topic *topic = NULL;
	int err = 0;

	lock(loop);
	if (loop->is_dead)
		err = -ECANCELED;
	else
		topic = topic_find(loop, evt->name);
	if (!err && !topic)
		topic = topic_new(loop, evt->name, is_pattern);
	if (topic) {
		evt_link(evt, topic);
		topic->n_pins++;
		*ret_topic = topic;
	}
	unlock(loop);
	return err < 0 ? err : topic ? 0 : -ENOMEM;
}

/* With ear_lock: let the listener do what the evt needs. *ret_seq is what it takes from then on. */
static int listen_for(struct topic *topic, const struct aioevt_evt *evt,
		      const struct request *req, uint64_t *ret_seq)
{
	bool was_heard = topic->is_heard && topic->sub;
	int err;

	if (topic->is_pattern) {
		*ret_seq = 0;
		err = topic_put_fences(topic, evt->number);
		return err < 0 ? err : topic_listen(topic, AIOEVT_SHM_FROM_NEW, 0);
	}
	if (req->has_after) {
		*ret_seq = req->after + 1;
		return topic_rewind(topic, req->after + 1);
	}
	/* Of an event that only a pattern listened to, some may not have been read yet. */
	was_heard |= topic->sub != NULL;
	err = topic_listen(topic, AIOEVT_SHM_FROM_NEW, 0);
	*ret_seq = 0;
	if (!err && was_heard) {
		lock(topic->loop);
		/* no event: another thread has ended the evt, and nobody is left */
		if (topic->event)
			err = topic_frontier(topic, ret_seq);
		unlock(topic->loop);
	}
	return err;
}

/* With ear_lock. */
static int add(struct aioevt_loop *loop, struct aioevt_evt *evt, const struct request *req,
	       bool is_pattern)
{
	struct topic *topic = NULL;
	uint64_t seq = 0;
	int err = link_to_topic(loop, evt, is_pattern, &topic);

	if (err < 0)
		return err;
	err = listen_for(topic, evt, req, &seq);
	if (err == -ESTALE) {
		err = loop_reattach(loop);
		seq = 0;		/* numbers begin anew */
	}
	lock(loop);
	if (!err)
		evt->from_seq = seq;
	else if (!evt_end(evt, err))
		evt_leave_untold(evt);	/* the caller learns of the failure from the result */
	topic->n_pins--;
	topic_free_if_unused(topic);
	unlock(loop);
	if (err < 0)
		loop_tidy(loop);
	return err;
}

static int add_to(struct aioevt_loop *loop, const struct request *req, struct aioevt_evt **ret_evt)
{
	_cleanup_(aioevt_evt_unrefp) struct aioevt_evt *evt = NULL;
	int kind = aioevt_shm_pattern_check(req->name, strnlen(req->name, AIOEVT_SHM_NAME_MAX + 1),
					    NULL, NULL);
	int has_joined, r;

	if (kind < 0 || (req->has_after && (kind || req->after == UINT64_MAX)))
		return -EINVAL;
	r = evt_new(loop, req, &evt);
	if (r < 0)
		return r;
	has_joined = join(loop, evt, kind || req->has_after);
	if (has_joined < 0)
		return has_joined;
	if (!has_joined) {
		r = ear_enter(loop);
		if (r < 0)
			return r;
		r = add(loop, evt, req, kind);
		ear_leave(loop);
		if (r < 0)
			return r;
	}
	/* Who sleeps has to know of an earlier deadline, or of what is there to be read at once. */
	if ((!has_joined || req->deadline != AIOEVT_FOREVER) && !loop_is_mine(loop))
		loop_wake(loop);
	if (ret_evt) {
		*ret_evt = evt;
		evt = NULL;
	}
	return 0;
}

static int do_register(struct aioevt *mgr, struct aioevt_loop *loop, const struct request *req,
		       struct aioevt_evt **ret_evt)
{
	int err = manager_check(mgr);

	if (err < 0)
		return err;
	if (!req->name || !req->fn || req->flags & ~(AIOEVT_ONCE | AIOEVT_LOSSY) || (loop && loop->mgr != mgr))
		return -EINVAL;
	if (loop)
		aioevt_loop_ref(loop);
	else
		err = manager_pick_loop(mgr, &loop);
	if (err < 0)
		return err;
	err = add_to(loop, req, ret_evt);
	aioevt_loop_unref(loop);
	return err;
}

int aioevt_register(struct aioevt *mgr, const char *name, aioevt_fn fn, void *userdata,
		    struct aioevt_loop *loop, uint32_t flags, struct aioevt_evt **ret_evt)
{
	const struct request req = { .name = name, .fn = fn, .userdata = userdata, .flags = flags,
				     .deadline = AIOEVT_FOREVER };

	return do_register(mgr, loop, &req, ret_evt);
}

int aioevt_on(struct aioevt *mgr, const char *name, aioevt_fn fn, void *userdata)
{
	return aioevt_register(mgr, name, fn, userdata, NULL, 0, NULL);
}

int aioevt_register_after(struct aioevt *mgr, const char *name, uint64_t after, aioevt_fn fn,
			  void *userdata, struct aioevt_loop *loop, uint32_t flags,
			  struct aioevt_evt **ret_evt)
{
	const struct request req = { .name = name, .fn = fn, .userdata = userdata, .flags = flags,
				     .deadline = AIOEVT_FOREVER, .has_after = true, .after = after };

	return do_register(mgr, loop, &req, ret_evt);
}

int aioevt_wait_on(struct aioevt *mgr, const char *name, uint64_t deadline, aioevt_fn fn,
		   void *userdata, struct aioevt_loop *loop, struct aioevt_evt **ret_evt)
{
	const struct request req = { .name = name, .fn = fn, .userdata = userdata,
				     .flags = AIOEVT_ONCE, .deadline = deadline, .is_wait = true };

	return do_register(mgr, loop, &req, ret_evt);
}
