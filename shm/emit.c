/* SPDX-License-Identifier: MIT */
/*
 * Emitting: claim, fill, commit (ring.c), then wake (bell.c). The payload of a large
 * record goes into a body first (body.c), so that nothing but a few stores stands
 * between claim and commit.
 */
#include <errno.h>

#include "body.h"
#include "bounds.h"
#include "bus.h"
#include "cancel.h"
#include "clock.h"
#include "event.h"
#include "listener.h"
#include "port.h"
#include "retune.h"
#include "timer.h"

#define PREFETCH_AHEAD	16u

struct emission {
	struct aioevt_shm_event *ev;
	const void *data;
	uint32_t size;
	uint64_t time;
	uint64_t seq;			/* that was claimed, or could not be */
	struct firing *firing;		/* of a timer, see timer-fire.c; or NULL */
};

/* A slot that will be claimed soon, as much of it as records of @size need. */
static inline void prefetch_ahead(const struct ring *r, uint64_t seq, uint32_t size)
{
	unsigned char *slot = (unsigned char *)ring_slot(r, seq + PREFETCH_AHEAD);

	prefetch_for_write(slot);
	if (size > LINE - sizeof(struct slot) && r->slot_size > LINE)
		prefetch_for_write(slot + LINE);
}

/*
 * Find the next number of the event's ring. Returns 0 or -EPIPE (closed), -EAGAIN (a
 * reliable reader is in the way of number em->seq), -ECANCELED (a timer's), -EBUSY, -EPROTO.
 */
static inline int find_number(struct emission *em, struct claim *ret_claim, uint64_t *ret_old)
{
	struct aioevt_shm_event *ev = em->ev;
	int err = ring_next(ev->bus, ev->ring, ret_claim, ret_old);

	if (err < 0)
		return err;
	em->seq = ret_claim->seq;
	if (!reliable_may_claim(ev->map, ev->ring, em->seq, &ev->limit))
		return -EAGAIN;
	return em->firing && !firing_is_held(em->firing) ? -ECANCELED : 0;
}

/* Claim it. */
static inline int claim(struct emission *em, struct claim *ret_claim)
{
	struct aioevt_shm_event *ev = em->ev;
	struct rounds rounds = { 0 };
	uint64_t old;
	int err;

	do {
		err = find_number(em, ret_claim, &old);
		if (err < 0)
			return err;
		if (__builtin_expect(ring_claim(ev->ring, ev->bus->port_index, ret_claim, old),
				     1)) {
			prefetch_ahead(ev->ring, em->seq, em->size);
			return 0;
		}
		err = rounds_lose(&rounds, em->seq, old);
	} while (!err);
	return err;
}

/* How large was the record that stood in the slot that I claimed? */
static uint32_t old_size(const struct claim *claim)
{
	/* old_size:A  relaxed: the slot is mine, ring_claim:A was acquire */
	return atomic_load_explicit(&claim->slot->size, memory_order_relaxed);
}

/* Publish; a timer's record if it is this attempt's to fire. */
static inline bool commit(struct emission *em, struct claim *claim)
{
	return (!em->firing || firing_begin(em->firing, claim->seq)) &&
	       ring_commit(em->ev->ring, claim);
}

static inline void give_back(struct emission *em, struct claim *claim)
{
	if (em->firing)
		ring_withdraw(em->ev->ring, claim);
	else
		ring_give_back(claim);
}

/* A slot that had more than a page: give that memory back after the commit. */
static bool fill_and_evict(struct emission *em, struct claim *claim)
{
	struct aioevt_shm_event *ev = em->ev;
	struct body body = { .old_size = old_size(claim) };
	int cancel = cancel_off();
	bool evicted = body_evict(ev->bus, ev->ring, claim->slot, &body), done;

	ring_fill(ev->ring, claim, em->time, em->data, em->size);
	done = commit(em, claim);
	if (!done)
		give_back(em, claim);
	if (evicted)
		body_drop(ev->bus, ev->ring, body.old - 1, body.old_size);
	cancel_on(cancel);
	return done;
}

static int emit_inline(struct emission *em)
{
	struct aioevt_shm_event *ev = em->ev;
	struct claim c;
	bool done;

	/* A round that fails was revoked: by a reader that then read on, or an emitter on its lap. */
	for (unsigned i = 0; i < MAX_LOST; i++) {
		int err = claim(em, &c);

		if (err < 0)
			return err;
		if (__builtin_expect(old_size(&c) > BODY_ALIGN || em->firing, 0)) {
			done = fill_and_evict(em, &c);
		} else {
			ring_fill(ev->ring, &c, em->time, em->data, em->size);
			done = ring_commit(ev->ring, &c);
			if (!done)
				ring_give_back(&c);
		}
		if (__builtin_expect(done, 1))
			return 0;
		if (em->firing)
			return -ECANCELED;
	}
	return -EBUSY;
}

/*
 * Fill in my slot and put the body into it, and undo that. Whoever claims the slot after me, if
 * I am killed in between, goes by its size to know what memory its body has: so at each point
 * the size is that of the larger of the two.
 */
static void fill_and_link(struct emission *em, struct claim *c, struct body *body)
{
	struct aioevt_shm_event *ev = em->ev;
	bool shrinks = body->old_size > em->size;

	if (!shrinks)
		ring_fill(ev->ring, c, em->time, em->data, em->size);
	body_link(ev->bus, ev->ring, c->slot, body);
	if (shrinks)
		ring_fill(ev->ring, c, em->time, em->data, em->size);
}

static void restore_size(struct claim *c, const struct body *body)
{
	/* ring_fill:F  release, pairs with ring_copy:B */
	atomic_store_explicit(&c->slot->size, body->old_size, memory_order_release);
}

static void unlink_body(struct emission *em, struct claim *c, const struct body *body)
{
	struct aioevt_shm_event *ev = em->ev;
	bool shrank = body->old_size > em->size;

	if (shrank)
		restore_size(c, body);
	body_unlink(ev->bus, ev->ring, c->slot, body);
	if (!shrank)
		restore_size(c, body);
}

/* With the payload in @body: as emit_inline, but that the body goes into the slot. */
static int emit_linked(struct emission *em, struct body *body)
{
	for (unsigned i = 0; i < MAX_LOST; i++) {
		struct claim c;
		int err = claim(em, &c);

		if (err < 0)
			return err;
		body->old_size = old_size(&c);
		fill_and_link(em, &c, body);
		if (commit(em, &c))
			return 0;
		unlink_body(em, &c, body);
		give_back(em, &c);
		if (em->firing)
			return -ECANCELED;
	}
	return -EBUSY;
}

/* Idle events may have to go for a large payload, but not for a record that is refused. */
static int free_memory(struct emission *em, unsigned n_tries)
{
	struct claim c;
	uint64_t old;
	int err = find_number(em, &c, &old);

	if (err < 0)
		return err;
	bus_lock(em->ev->bus);
	err = registry_free_memory(em->ev->bus, em->size, true, n_tries);
	bus_unlock(em->ev->bus);
	return err;
}

static void reap_all(struct aioevt_shm *bus)
{
	bus_lock(bus);
	port_reap_all(bus);
	bus_unlock(bus);
}

/* All bodies taken, perhaps by the many threads of a dead process: reap, and look once more. */
static int prepare_body(struct emission *em, struct body *ret_body)
{
	struct aioevt_shm_event *ev = em->ev;
	unsigned n_tries = 0;
	bool has_reaped = false;
	int err;

	do {
		err = body_prepare(ev->bus, ev->ring, em->data, em->size, &ev->body_hint,
				   ret_body);
		if (err == -ENOBUFS && !has_reaped) {
			reap_all(ev->bus);
			has_reaped = true;
			err = 0;
			continue;
		}
		if (err != -ENOSPC || n_tries == MAX_MEMORY)
			return err;
		err = free_memory(em, n_tries++);
	} while (!err);
	return err;
}

static int emit_body(struct emission *em)
{
	struct aioevt_shm_event *ev = em->ev;
	struct body body = { 0 };
	int err = prepare_body(em, &body);

	if (err < 0)
		return err;
	err = emit_linked(em, &body);
	if (err < 0) {
		body_drop(ev->bus, ev->ring, body.index, em->size);
		return err;
	}
	body_settle(ev->bus, ev->ring, &body);
	if (body.old)
		ev->body_hint = body.old - 1;
	return 0;
}

static int emit_large(struct emission *em)
{
	int cancel = cancel_off(), err = emit_body(em);

	cancel_on(cancel);
	return err;
}

static int emit(struct emission *em)
{
	struct aioevt_shm_event *ev = em->ev;
	int err;

	/* Each round but the last found that somebody grew or removed the event. */
	for (unsigned i = 0; i < MAX_LOST_LONG; i++) {
		err = em->size <= ev->bus->lo.inline_size ? emit_inline(em) : emit_large(em);
		if (__builtin_expect(!err, 1)) {
			listeners_ring(ev->bus, ev->map->ref.index);
			return bus_result(ev->bus, 0);
		}
		if (err == -EPIPE)
			err = event_follow(ev);
		if (err < 0)
			return bus_result(ev->bus, err);
	}
	return -EBUSY;
}

static int check(struct aioevt_shm_event *ev, size_t size, struct emission *em)
{
	if (__builtin_expect(!ev || (!em->data && size), 0))
		return -EINVAL;
	em->time = clock_ns(ev->flags & AIOEVT_SHM_PRECISE_TIME ? CLOCK_REALTIME :
								CLOCK_REALTIME_COARSE);
	if (__builtin_expect(!bus_ok(ev->bus, em->time), 0))
		return bus_check(ev->bus);
	return size > ev->bus->lo.max_payload ? -EMSGSIZE : 0;
}

int aioevt_shm_emit(struct aioevt_shm_event *ev, const void *data, size_t size,
		    uint64_t *ret_seq)
{
	struct emission em = { .ev = ev, .data = data, .size = (uint32_t)size };
	int err = check(ev, size, &em);

	if (!err)
		err = emit(&em);
	if (!err && ret_seq)
		*ret_seq = seq_to_user(&ev->bus->lo, em.seq);
	return err;
}

int aioevt_shm_emit_wait(struct aioevt_shm_event *ev, const void *data, size_t size,
			 uint64_t deadline, uint64_t *ret_seq)
{
	struct emission em = { .ev = ev, .data = data, .size = (uint32_t)size };
	int err;

	for (;;) {
		err = check(ev, size, &em);
		if (!err)
			err = emit(&em);
		if (err != -EAGAIN || clock_ns(CLOCK_MONOTONIC) >= deadline)
			break;
		reliable_sleep(ev->map, ev->ring, em.seq, &ev->limit, deadline);
	}
	if (!err && ret_seq)
		*ret_seq = seq_to_user(&ev->bus->lo, em.seq);
	return err;
}

int event_emit_firing(struct aioevt_shm_event *ev, const void *data, size_t size,
		      struct firing *firing)
{
	struct emission em = {
		.ev = ev, .data = data, .size = (uint32_t)size, .firing = firing,
	};
	int err = check(ev, size, &em);

	if (!err)
		err = size <= ev->bus->lo.inline_size ? emit_inline(&em) : emit_large(&em);
	if (!err)
		listeners_ring(ev->bus, ev->map->ref.index);
	return err;
}

int event_emit_raw(struct aioevt_shm_event *ev, const void *data, size_t size)
{
	struct emission em = { .ev = ev, .data = data, .size = (uint32_t)size };
	int err = check(ev, size, &em);

	if (!err && size > ev->bus->lo.inline_size)
		err = -EMSGSIZE;
	if (!err)
		err = emit_inline(&em);
	if (!err)
		listeners_ring(ev->bus, ev->map->ref.index);
	return bus_result(ev->bus, err);
}
