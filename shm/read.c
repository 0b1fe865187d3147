/* SPDX-License-Identifier: MIT */
/*
 * How a sub goes on from its place: to the next record, past what is none, over what it
 * missed, into the next ring of its event, and its records copied out. No atomics here:
 * ring-read.c has those of the ring, reliable.c those of the cursor.
 *
 * Progress  an emitter that is at the sub's number is given GRACE_NS, then given up.
 *   A reader that is overtaken tries again; emitters then have made a lap of progress.
 * Crash     a killed reader leaves nothing that it had not before the read, see sub.c.
 */
#include <errno.h>

#include "body.h"
#include "bounds.h"
#include "bus.h"
#include "cancel.h"
#include "clock.h"
#include "listener.h"
#include "port.h"
#include "rest.h"
#include "retune.h"

#define PUBLISH_EVERY	64u

/* ---- to the next record ------------------------------------------------------------------ */

/* Of the numbers [pos, @to), @voids of which were no records, those that were wanted. */
static uint64_t count_missed(const struct aioevt_shm_sub *sub, uint64_t to, uint64_t voids)
{
	uint64_t from = sub->pos > sub->skip_below ? sub->pos : sub->skip_below;

	return from >= to || voids >= to - from ? 0 : to - from - voids;
}

/* Overtaken: go on with the oldest that is held, and count what is lost. */
static int jump(struct aioevt_shm_sub *sub)
{
	const struct ring *ring = sub->ring;
	uint64_t head, oldest, all;
	int err = ring_head(ring, &head, &all);

	if (err < 0)
		return err;
	oldest = ring_oldest(ring, head_seq(head));
	if (oldest <= sub->pos)
		return -EPROTO;		/* the slot is newer than head: scribbled */
	sub->missed += count_missed(sub, oldest, all - sub->voids);
	sub->pos = oldest;
	sub->voids = all;
	return 0;
}

static int follow(struct aioevt_shm_sub *sub)
{
	struct event_map *map = sub->ev->map;
	unsigned next;
	int err;

	bus_lock(map->bus);
	err = event_map_next(map, sub->ring_index, &next);
	bus_unlock(map->bus);
	if (err == -EPIPE)
		return sub_reattach(sub);
	if (err < 0)
		return err;
	sub->ring_index = next;
	sub->ring = &map->ring[next];
	if (sub->pos < sub->ring->base)
		sub->pos = sub->ring->base;
	sub->voids = 0;			/* a ring counts from its start */
	return 0;
}

/*
 * Is there a record behind the sub's place? If not, nothing is gained by giving up on the
 * emitter there, and it would have to begin again: a hasty reader could keep it from ever
 * getting through. Its commit, or that of the next behind it, rings.
 */
static bool holds_up(const struct aioevt_shm_sub *sub)
{
	const struct ring *ring = sub->ring;
	uint64_t state;

	for (uint64_t seq = sub->pos + 1; seq < sub->pos + ring->depth; seq++)
		switch (ring_look(ring, seq, &state)) {
		case LOOK_EMPTY:
			return false;
		case LOOK_BUSY:
		case LOOK_VOID:
			break;
		default:
			return true;
		}
	return true;
}

/* An emitter is at it. Give it a moment, then give it up. Returns whether it was given up. */
static bool give_up(struct aioevt_shm_sub *sub, uint64_t state)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (sub->busy_pos != sub->pos) {
		sub->busy_pos = sub->pos;
		sub->busy_since = now;
	}
	if (now - sub->busy_since < GRACE_NS)
		return false;
	ring_revoke(sub->ring, sub->pos, state,
		    port_is_dead(sub->listener->bus, slot_port(state)));
	return true;
}

static int look_on(struct aioevt_shm_sub *sub, uint64_t *ret_state)
{
	int err = sub->is_detached ? sub_reattach(sub) : sub_revive(sub);
	struct rounds rounds = { 0 };

	while (!err) {
		enum ring_look look = ring_look(sub->ring, sub->pos, ret_state);
		bool is_lost = false;

		switch (look) {
		case LOOK_VOID:
			sub->voids++;
			sub->pos++;
			break;
		case LOOK_GONE:
			err = jump(sub);
			is_lost = true;
			break;
		case LOOK_CLOSED:
			err = follow(sub);
			is_lost = true;
			break;
		case LOOK_RECORD:
			if (sub->pos >= sub->skip_below)
				return look;
			sub->pos++;
			break;
		case LOOK_BUSY:
			if (!holds_up(sub))
				return LOOK_EMPTY;
			if (!give_up(sub, *ret_state))
				return LOOK_BUSY;
			is_lost = true;
			break;
		default:
			return look;
		}
		if (is_lost && !err)
			err = rounds_lose(&rounds, sub->pos, *ret_state);
	}
	return err;
}

/* Something that the bus, the process or the machine has too little of, perhaps for long. */
static bool is_lack(int err)
{
	return err == -ENOSPC || err == -ENOMEM || err == -EFBIG || err == -EMFILE ||
	       err == -ENFILE || err == -ENOENT;
}

int sub_look(struct aioevt_shm_sub *sub, uint64_t *ret_state)
{
	uint64_t until = sub->listener->recheck_at;
	int look;

	if (__builtin_expect(sub->stuck, 0) && sub->stuck_until == until)
		return sub->stuck;
	look = look_on(sub, ret_state);
	sub->stuck = look < 0 && is_lack(look) ? look : 0;
	sub->stuck_until = until;
	return look;
}

/* ---- what is handled --------------------------------------------------------------------- */

/*
 * All below this is handled: what was read before the caller came back; or if it says by itself
 * what is, up to there. Numbers behind its last record that are no records count along.
 */
static uint64_t handled_to(const struct aioevt_shm_sub *sub)
{
	return sub->says_handled && sub->handled < sub->copied ? sub->handled : sub->pos;
}

void sub_publish(struct aioevt_shm_sub *sub)
{
	uint64_t to = handled_to(sub);

	if (!(sub->flags & AIOEVT_SHM_RELIABLE) || sub->published >= to || sub->is_detached)
		return;
	reliable_publish(sub->ev->map, sub->listener->index, to);
	sub->published = to;
}

/*
 * The caller comes back. Every so many records, so that the line goes to the emitters less often;
 * but at once if one of them waits for it.
 */
static void come_back(struct aioevt_shm_sub *sub)
{
	uint64_t every;

	if (!(sub->flags & AIOEVT_SHM_RELIABLE) || sub->is_detached)
		return;			/* after an error: it has no ring */
	every = sub->ring->depth / 8 < PUBLISH_EVERY ? sub->ring->depth / 8 : PUBLISH_EVERY;
	if (handled_to(sub) >= sub->published + every ||
	    reliable_is_wanted(sub->ev->map, sub->published))
		sub_publish(sub);
}

void listener_come_back(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *sub;

	if (l->has_read_others)
		TAILQ_FOREACH(sub, &l->subs, all)
			come_back(sub);
	else
		come_back(l->last_read);
	l->last_read = NULL;
	l->has_read_others = false;
}

int aioevt_shm_sub_handled(struct aioevt_shm_sub *sub, uint64_t seq)
{
	const struct layout *lo;
	int err = sub ? bus_check(sub->listener->bus) : -EINVAL;
	uint64_t end;

	if (err < 0)
		return err;
	lo = &sub->listener->bus->lo;
	if (seq > SEQ_MASK - seq_bias(lo))
		return -EINVAL;
	end = seq_from_user(lo, seq) + 1;
	if (end > sub->copied)
		end = sub->copied;	/* nothing else was read */
	if (!sub->says_handled || sub->handled < end)
		sub->handled = end;
	sub->says_handled = true;
	come_back(sub);
	return bus_result(sub->listener->bus, 0);
}

/* ---- reading ----------------------------------------------------------------------------- */

/*
 * Copy the record at the sub's place, whose slot was at @state. Returns 1, 0 if it was
 * overtaken meanwhile, -ENOBUFS with its size, or an error.
 */
static int copy_record(struct aioevt_shm_sub *sub, uint64_t state, unsigned char *buf,
		       size_t room, struct aioevt_shm_record *record)
{
	const struct ring *ring = sub->ring;
	struct ring_record found;
	int err = 0, cancel;

	if (!ring_copy(ring, sub->pos, state, buf, room, &found))
		return 0;
	if (found.size > sub->ev->bus->lo.max_payload)
		return -EPROTO;
	record->size = found.size;
	if (found.size > room)
		return -ENOBUFS;
	if (found.size > ring->inline_size) {
		cancel = cancel_off();
		err = body_read(sub->ev->bus, ring, found.body, buf, found.size);
		cancel_on(cancel);
		if (!ring_still(ring, sub->pos, state))
			return 0;
	}
	if (err < 0)
		return err;
	record->seq = seq_to_user(&sub->ev->bus->lo, sub->pos);
	record->time = found.time;
	record->missed = sub->missed;
	record->data = buf;
	return 1;
}

/* Read one into @buf. Returns 1, 0 if there is none, or an error. */
static int read_one(struct aioevt_shm_sub *sub, unsigned char *buf, size_t room,
		    struct aioevt_shm_record *record)
{
	struct rounds rounds = { 0 };
	uint64_t state;
	int r;

	do {
		r = sub_look(sub, &state);
		if (r != LOOK_RECORD)
			return r < 0 ? r : 0;
		r = copy_record(sub, state, buf, room, record);
		if (!r)
			r = rounds_lose(&rounds, sub->pos, state);
	} while (!r);
	if (r > 0) {
		sub->missed = 0;
		sub->copied = ++sub->pos;
	}
	return r;
}

int aioevt_shm_read(struct aioevt_shm_sub *sub, struct aioevt_shm_record *records,
		    unsigned n_records, void *buf, size_t size)
{
	struct aioevt_shm_listener *l;
	size_t used = 0;
	unsigned n = 0;
	int r;

	if (__builtin_expect(!sub || (!records && n_records) || (!buf && size), 0))
		return -EINVAL;
	l = sub->listener;
	r = bus_check(l->bus);
	if (r < 0)
		return r;
	come_back(sub);
	while (n < n_records && used <= size) {
		r = read_one(sub, (unsigned char *)buf + used, size - used, &records[n]);
		if (r <= 0)
			break;
		used += (records[n++].size + 7) & ~(size_t)7;
	}
	if (r == -EPIPE)
		r = 0;			/* the next wait closes it */
	if (n && sub->flags & AIOEVT_SHM_RELIABLE) {
		l->has_read_others |= l->last_read && l->last_read != sub;
		l->last_read = sub;
	}
	l->streak += n;
	l->batch += n;
	return bus_result(l->bus, n ? (int)n : r);
}
