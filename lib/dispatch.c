/* SPDX-License-Identifier: MIT */
/*
 * Calling. For each record its evts, those of its name and those of patterns over it, in the order
 * of their registration. While this goes on no evt is unlinked (is_dispatching), so that places
 * in the lists stay good over a callback, which may do anything.
 *
 * A callback may also not return: its thread is cancelled or exits, or a C++ exception leaves it
 * and the run of the loop (lib/ is built with -fexceptions; end() in loop.c is called on the way). The
 * record stays the next one then, and given_to tells the next run which evts have it already.
 */
#include <errno.h>

#include "clock.h"
#include "loop.h"

/* Where a record stands in the two lists, and what those there must fulfil. */
struct round {
	const struct topic *topic;
	uint64_t seq;
	uint64_t fence;
	struct aioevt_evt *by_name, *by_pattern;	/* the next to be looked at */
	bool has_data;
};

static bool takes(const struct aioevt_loop *loop, const struct round *r,
		  const struct aioevt_evt *evt)
{
	return !evt->status && evt->from_seq <= r->seq && evt->number <= loop->batch_number &&
	       evt->number > loop->given_to;
}

static bool takes_by_pattern(const struct aioevt_loop *loop, const struct round *r,
			     const struct aioevt_evt *evt)
{
	return takes(loop, r, evt) && evt->number < r->fence &&
	       aioevt_shm_pattern_match(evt->name, r->topic->name);
}

/* The next to be called, or NULL. With loop->lock. */
static struct aioevt_evt *next_evt(const struct aioevt_loop *loop, struct round *r)
{
	struct aioevt_evt *evt;

	while (r->by_name && !takes(loop, r, r->by_name))
		r->by_name = TAILQ_NEXT(r->by_name, in_topic);
	while (r->by_pattern && !takes_by_pattern(loop, r, r->by_pattern))
		r->by_pattern = TAILQ_NEXT(r->by_pattern, in_patterns);
	if (r->by_name && (!r->by_pattern || r->by_name->number < r->by_pattern->number)) {
		evt = r->by_name;
		r->by_name = TAILQ_NEXT(evt, in_topic);
	} else {
		evt = r->by_pattern;
		if (evt)
			r->by_pattern = TAILQ_NEXT(evt, in_patterns);
	}
	return evt;
}

/* With loop->lock, which is let go meanwhile. */
static void call(struct aioevt_loop *loop, struct aioevt_evt *evt, struct aioevt_data *data)
{
	loop->running = evt;
	unlock(loop);
	evt->fn(evt, data, evt->userdata);
	loop->n_calls++;
	lock(loop);
	loop->running = NULL;
	if (loop->n_waiting)
		pthread_cond_broadcast(&loop->done);
}

/*
 * How many records @evt missed before this one: of those that the loop missed, the ones that it would
 * have taken. Who goes back on an event makes the loop miss what others had read.
 */
static uint64_t missed_by(const struct aioevt_evt *evt, const struct aioevt_shm_record *record)
{
	if (evt->topic->has_gap)
		return AIOEVT_MISSED_UNKNOWN;
	if (evt->from_seq >= record->seq)
		return 0;
	return record->missed < record->seq - evt->from_seq ? record->missed :
							      record->seq - evt->from_seq;
}

/*
 * The data, telling what @evt missed. If that is not what the one before missed, it is made anew, because
 * he may keep it as it is; without memory for that, the count is that of the one before.
 */
static int make_data(struct aioevt_loop *loop, const struct round *r,
		     const struct aioevt_shm_record *record, const struct aioevt_evt *evt)
{
	uint64_t missed = missed_by(evt, record);
	struct aioevt_data *fresh = NULL;
	int err;

	if (r->has_data && aioevt_data_missed(loop->data) == missed)
		return 0;
	if (!r->has_data) {
		err = data_receive(&loop->data, r->topic->name, record);
		if (err < 0)
			return err;
	} else if (!data_receive(&fresh, r->topic->name, record)) {
		aioevt_data_unref(loop->data);
		loop->data = fresh;
	} else {
		return 0;
	}
	data_set_missed(loop->data, missed);
	return 0;
}

/* All that are called for the record that ends a gap are told; the next has none. */
static void end_gaps(struct aioevt_loop *loop, struct topic *topic)
{
	struct aioevt_evt *evt;

	TAILQ_FOREACH(evt, &topic->evts, in_topic)
		evt->topic->has_gap &= !evt->topic->is_gap_told;
	TAILQ_FOREACH(evt, &loop->pattern_evts, in_patterns)
		evt->topic->has_gap &= !evt->topic->is_gap_told;
}

/* One record, to all it is for. With loop->lock. */
static int give(struct aioevt_loop *loop, struct topic *topic,
		const struct aioevt_shm_record *record)
{
	struct round r = {
		.topic = topic,
		.seq = record->seq,
		.by_name = TAILQ_FIRST(&topic->evts),
		.by_pattern = TAILQ_FIRST(&loop->pattern_evts),
	};
	struct aioevt_evt *evt;
	bool had_gap = loop->given_to;	/* it may have been one of those */
	int err;

	r.fence = topic_fence(topic, record->seq);
	while ((evt = next_evt(loop, &r))) {
		err = make_data(loop, &r, record, evt);
		if (err < 0)
			return err;	/* no memory: the others are called later */
		r.has_data = true;
		had_gap |= evt->topic->has_gap;
		evt->topic->is_gap_told = evt->topic->has_gap;
		if (evt->flags & AIOEVT_ONCE)
			evt_end(evt, -ECANCELED);
		loop->given_to = evt->number;
		call(loop, evt, loop->data);
	}
	if (had_gap)
		end_gaps(loop, topic);
	loop->given_to = 0;
	return 0;
}

static void begin(struct aioevt_loop *loop)
{
	lock(loop);
	loop->is_dispatching = true;
}

static void end(struct aioevt_loop *loop)
{
	loop->is_dispatching = false;
	loop_sweep(loop);
	unlock(loop);
}

int loop_dispatch(struct aioevt_loop *loop)
{
	struct topic *topic = loop->batch;
	int err = 0;

	begin(loop);
	while (loop->next_record < loop->n_records && !loop->is_stopped && !err &&
	       TAILQ_EMPTY(&loop->untold)) {
		err = give(loop, topic, &loop->records[loop->next_record]);
		if (!err)
			loop->next_record++;
	}
	if (loop->next_record == loop->n_records) {
		loop->batch = NULL;
		topic->n_pins--;
		topic_batch_given(topic);
		if (!topic->sub)
			topic_changed(topic);
	}
	end(loop);
	return err;
}

void loop_expire(struct aioevt_loop *loop, uint64_t now)
{
	struct aioevt_evt *evt;

	begin(loop);
	while (!loop->is_stopped && loop_first_deadline(loop) <= now) {
		evt = RB_MIN(aioevt_timers, &loop->timers);
		evt_end(evt, -ETIMEDOUT);
		call(loop, evt, NULL);
	}
	end(loop);
}

static void drop_evt(void *evt)
{
	aioevt_evt_unref(evt);
}

void loop_tell(struct aioevt_loop *loop)
{
	struct aioevt_evt *evt;

	begin(loop);
	while ((evt = TAILQ_FIRST(&loop->untold))) {
		TAILQ_REMOVE(&loop->untold, evt, in_untold);
		evt->is_untold = false;
		/* the thread may end in the callback */
		pthread_cleanup_push(drop_evt, evt);
		call(loop, evt, NULL);
		pthread_cleanup_pop(1);
	}
	end(loop);
}
