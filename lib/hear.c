/* SPDX-License-Identifier: MIT */
/*
 * What the listener of a loop does for its topics. A name has one sub, whoever wants it: evts
 * of that name, of patterns that it falls under, or both. It is reliable if any of them is.
 *
 * An evt that comes later than others must not see what they have not read yet: an evt of a
 * name knows the number it starts from (from_seq); for evts of patterns, which may be over
 * many subs, each sub that has something to read gets a fence.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

/* Is anybody who takes records of @name reliable? */
static bool wants_reliable(struct aioevt_loop *loop, const char *name)
{
	const struct aioevt_evt *evt;
	const struct topic *topic;
	bool wants;

	lock(loop);
	topic = topic_find(loop, name);
	wants = topic && topic->n_reliable;
	TAILQ_FOREACH(evt, &loop->pattern_evts, in_patterns) {
		if (wants)
			break;
		wants = !evt->status && !(evt->flags & AIOEVT_LOSSY) &&
			aioevt_shm_pattern_match(evt->name, name);
	}
	unlock(loop);
	return wants;
}

/* Is there a pattern that the listener has, for @name? */
static bool is_under_pattern(struct aioevt_loop *loop, const char *name)
{
	const struct aioevt_evt *evt;
	bool is_under = false;

	lock(loop);
	TAILQ_FOREACH(evt, &loop->pattern_evts, in_patterns)
		if (!evt->status && aioevt_shm_pattern_match(evt->name, name))
			is_under = true;
	unlock(loop);
	return is_under;
}

static void set_sub(struct topic *topic, struct aioevt_shm_sub *sub)
{
	aioevt_shm_sub_set_data(sub, topic);
	lock(topic->loop);
	topic->sub = sub;
	unlock(topic->loop);
}

static void set_heard(struct topic *topic, bool is_heard)
{
	lock(topic->loop);
	topic->is_heard = is_heard;
	unlock(topic->loop);
}

/* How many of its evts there are, and are reliable. */
static unsigned count(struct topic *topic, unsigned *ret_n_reliable)
{
	unsigned n_live;

	lock(topic->loop);
	n_live = topic->n_live;
	*ret_n_reliable = topic->n_reliable;
	unlock(topic->loop);
	return n_live;
}

/* What was read of a sub that is about to go is handled, but for the batch in hand. */
static void settle(struct aioevt_loop *loop, struct aioevt_shm_sub *sub)
{
	const struct topic *batch;

	lock(loop);
	batch = loop->batch;
	unlock(loop);
	if (!batch || aioevt_shm_sub_data(sub) != batch)
		sub_publish(sub);
}

void loop_settle(struct aioevt_loop *loop)
{
	for (struct aioevt_shm_sub *sub = sub_first(loop->ear); sub; sub = sub_next(sub))
		settle(loop, sub);
}

/* An event that went: its sub ends with the next wait, so that is no error here. */
static int set_reliable(struct aioevt_loop *loop, struct aioevt_shm_sub *sub, bool reliable)
{
	int err;

	if (!reliable)
		settle(loop, sub);
	err = sub_set_reliable(sub, reliable);
	return err == -EPIPE ? 0 : err;
}

/* ---- by name ------------------------------------------------------------------------------ */

static int find_or_listen(struct topic *topic, enum aioevt_shm_from from, uint64_t value)
{
	struct aioevt_loop *loop = topic->loop;
	uint32_t flags = wants_reliable(loop, topic->name) ? AIOEVT_SHM_RELIABLE : 0;
	struct aioevt_shm_sub *sub = topic->sub;
	int err;

	if (!sub && loop->n_patterns)
		sub = sub_find(loop->ear, topic->name);
	err = sub ? sub_keep(sub) : -EPIPE;
	if (err == -EPIPE) {
		aioevt_shm_sub_close(sub);
		err = aioevt_shm_listen(loop->ear, topic->name, flags, from, value, &sub);
	} else if (!err) {
		err = set_reliable(loop, sub, flags);
	}
	if (!err)
		set_sub(topic, sub);
	return err;
}

static int open_event(struct topic *topic)
{
	struct aioevt_shm_event *event;
	int err;

	if (topic->event)
		return 0;
	err = aioevt_shm_event_open(topic->loop->link->shm, topic->name, 0, &event);
	if (err < 0)
		return err;
	lock(topic->loop);
	topic->event = event;
	unlock(topic->loop);
	return 0;
}

static int listen_name(struct topic *topic, enum aioevt_shm_from from, uint64_t value)
{
	int err;

	if (topic->is_heard)
		return set_reliable(topic->loop, topic->sub,
				    wants_reliable(topic->loop, topic->name));
	err = open_event(topic);
	if (!err)
		err = find_or_listen(topic, from, value);
	if (!err)
		set_heard(topic, true);
	return err;
}

/* From here on nobody joins it without ear_lock. False: somebody has, meanwhile. */
static bool stop_joining(struct topic *topic)
{
	bool is_idle;

	lock(topic->loop);
	is_idle = !topic->n_live;
	if (is_idle) {
		topic->is_heard = false;
		topic->event = aioevt_shm_event_close(topic->event);
	}
	unlock(topic->loop);
	return is_idle;
}

/* Nobody has registered for the name any more; perhaps for a pattern that it falls under. */
static int unlisten_name(struct topic *topic)
{
	struct aioevt_loop *loop = topic->loop;
	struct aioevt_shm_sub *sub = topic->sub;
	int err = 0;

	if (!stop_joining(topic) || !sub)
		return 0;
	settle(loop, sub);
	if (!is_under_pattern(loop, topic->name) || sub_unkeep(sub) < 0)
		aioevt_shm_sub_close(sub);
	else
		err = set_reliable(loop, sub, wants_reliable(loop, topic->name));
	return err;
}

/* Evts with a number from @first to @last take nothing below @seq any more. With loop->lock. */
static void raise_evts(struct topic *topic, uint64_t seq, uint64_t first, uint64_t last)
{
	struct aioevt_evt *evt;

	TAILQ_FOREACH(evt, &topic->evts, in_topic)
		if (evt->number >= first && evt->number <= last && evt->from_seq < seq)
			evt->from_seq = seq;
}

/* Nor do evts of patterns. With loop->lock; there is room. */
static void put_first_fence(struct topic *topic, uint64_t seq)
{
	memmove(topic->fences + 1, topic->fences, topic->n_fences++ * sizeof(*topic->fences));
	topic->fences[0] = (struct fence){ .seq = seq, .number = 0 };
}

/*
 * What lies below @place was read: who is there takes it no more. But of a batch that is in hand
 * those who were there when it was read have to be given the rest, so for them that holds
 * after it; for who came since, at once. With loop->lock; there is room for a fence.
 */
static void skip_what_was_read(struct topic *topic, uint64_t place)
{
	struct aioevt_loop *loop = topic->loop;

	if (loop->batch == topic) {
		raise_evts(topic, place, loop->batch_number + 1, UINT64_MAX);
		if (topic->raise_to < place)
			topic->raise_to = place;
	} else {
		raise_evts(topic, place, 0, UINT64_MAX);
		put_first_fence(topic, place);
	}
}

void topic_batch_given(struct topic *topic)
{
	if (!topic->raise_to)
		return;
	raise_evts(topic, topic->raise_to, 0, topic->loop->batch_number);
	put_first_fence(topic, topic->raise_to);
	topic->raise_to = 0;
}

/* The place of the sub goes back; it is not closed: a reliable one holds what others have not read. */
int topic_rewind(struct topic *topic, uint64_t seq)
{
	struct aioevt_loop *loop = topic->loop;
	struct fence *fences;
	uint64_t place;
	int err;

	if (!topic->sub)
		return topic_listen(topic, AIOEVT_SHM_FROM_SEQ, seq);
	err = topic_listen(topic, AIOEVT_SHM_FROM_NEW, 0);
	place = !err && topic->sub ? sub_place(topic->sub) : 0;
	if (err < 0 || !place || place <= seq)
		return err;
	lock(loop);
	fences = reallocarray(topic->fences, topic->n_fences + 1, sizeof(*fences));
	if (fences)
		topic->fences = fences;
	unlock(loop);
	err = fences ? sub_go_back(topic->sub, seq) : -ENOMEM;
	if (err < 0)
		return err;
	lock(loop);
	skip_what_was_read(topic, place);
	unlock(loop);
	return 0;
}

uint64_t topic_fence(struct topic *topic, uint64_t seq)
{
	unsigned n_past = 0;

	while (n_past < topic->n_fences && topic->fences[n_past].seq <= seq)
		n_past++;
	if (n_past) {
		topic->n_fences -= n_past;
		memmove(topic->fences, topic->fences + n_past,
			topic->n_fences * sizeof(*topic->fences));
	}
	return topic->n_fences ? topic->fences[0].number : UINT64_MAX;
}

int topic_frontier(struct topic *topic, uint64_t *ret_seq)
{
	return topic->event ? event_frontier(topic->event, ret_seq) : -EAGAIN;
}

/* ---- by pattern ---------------------------------------------------------------------------- */

/* The subs that fall under @pattern are what they have to be now. */
static int retune_subs(struct aioevt_loop *loop, const char *pattern)
{
	struct aioevt_shm_sub *sub;
	int err = 0;

	for (sub = sub_first(loop->ear); sub && !err; sub = sub_next(sub)) {
		const char *name = aioevt_shm_sub_name(sub);

		if (aioevt_shm_pattern_match(pattern, name))
			err = set_reliable(loop, sub, wants_reliable(loop, name));
	}
	return err;
}

static int listen_pattern(struct topic *topic, bool is_reliable, enum aioevt_shm_from from,
			  uint64_t value)
{
	struct aioevt_loop *loop = topic->loop;
	uint32_t flags = is_reliable ? AIOEVT_SHM_RELIABLE : 0;
	int err = 0;

	if (topic->is_heard)
		pattern_set_flags(loop->ear, topic->name, flags);
	else
		err = aioevt_shm_listen(loop->ear, topic->name, flags, from, value, NULL);
	if (err < 0)
		return err;
	set_heard(topic, true);
	return retune_subs(loop, topic->name);
}

static int unlisten_pattern(struct topic *topic)
{
	struct aioevt_loop *loop = topic->loop;

	set_heard(topic, false);
	loop_settle(loop);
	pattern_drop(loop->ear, topic->name);
	return retune_subs(loop, topic->name);
}

static int put_fence(struct topic *topic, uint64_t seq, uint64_t number)
{
	struct fence *fences;

	/* The last evt that came found the same: it is the older one that counts. */
	if (topic->n_fences && topic->fences[topic->n_fences - 1].seq >= seq)
		return 0;
	/* and one more for topic_batch_given() */
	fences = reallocarray(topic->fences, topic->n_fences + 2, sizeof(*fences));
	if (!fences)
		return -ENOMEM;
	fences[topic->n_fences++] = (struct fence){ .seq = seq, .number = number };
	topic->fences = fences;
	return 0;
}

int topic_put_fences(struct topic *pattern, uint64_t number)
{
	struct aioevt_loop *loop = pattern->loop;
	struct aioevt_shm_sub *sub;
	struct topic *topic;
	uint64_t seq = 0;
	int err;

	for (sub = sub_first(loop->ear); sub; sub = sub_next(sub)) {
		if (!aioevt_shm_pattern_match(pattern->name, aioevt_shm_sub_name(sub)))
			continue;
		err = sub_frontier(sub, &seq);
		if (err == -EPIPE || (!err && !seq))
			continue;
		if (err < 0)
			return err;
		topic = topic_of_sub(loop, sub);
		if (!topic)
			return -ENOMEM;
		lock(loop);
		err = put_fence(topic, seq, number);
		unlock(loop);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- either -------------------------------------------------------------------------------- */

int topic_listen(struct topic *topic, enum aioevt_shm_from from, uint64_t value)
{
	unsigned n_reliable, n_live = count(topic, &n_reliable);

	if (!n_live)
		return !topic->is_heard ? 0 :
		       topic->is_pattern ? unlisten_pattern(topic) : unlisten_name(topic);
	return topic->is_pattern ? listen_pattern(topic, n_reliable, from, value) :
				   listen_name(topic, from, value);
}

struct topic *topic_of_sub(struct aioevt_loop *loop, struct aioevt_shm_sub *sub)
{
	struct topic *topic = aioevt_shm_sub_data(sub);

	if (topic)
		return topic;
	lock(loop);
	topic = topic_find(loop, aioevt_shm_sub_name(sub));
	if (!topic)
		topic = topic_new(loop, aioevt_shm_sub_name(sub), false);
	unlock(loop);
	if (topic)
		set_sub(topic, sub);
	return topic;
}

void topic_sub_closed(void *data)
{
	struct topic *topic = data;
	struct aioevt_loop *loop;

	if (!topic)
		return;
	loop = topic->loop;
	lock(loop);
	topic->sub = NULL;
	topic_free_if_unused(topic);
	unlock(loop);
}

static struct topic *next_changed(struct aioevt_loop *loop)
{
	struct topic *topic;

	lock(loop);
	topic = TAILQ_FIRST(&loop->changed);
	if (topic) {
		TAILQ_REMOVE(&loop->changed, topic, changed);
		topic->is_changed = false;
		topic->n_pins++;
	}
	unlock(loop);
	return topic;
}

/* What fails here (no memory) costs a listener that hears more than it needs. */
void loop_tidy(struct aioevt_loop *loop)
{
	struct topic *topic;

	while ((topic = next_changed(loop))) {
		if (loop->ear)
			topic_listen(topic, AIOEVT_SHM_FROM_NEW, 0);
		lock(loop);
		topic->n_pins--;
		topic_free_if_unused(topic);
		unlock(loop);
	}
}
