/* SPDX-License-Identifier: MIT */
/*
 * Firing a timer: exactly once, whoever dies or stops, and however many try. timer.c tells the
 * states of a timer; tests/model/timer.pml is this file as a model.
 *
 *   event->firing     0, or version:36 | port:14 | index + 1:14: that port tries to fire that
 *                     timer. One attempt at a time for each event
 *   event->fire_from  a number of before the attempt began: what it claims is not below it
 *
 * An attempt, by who listens to the event:
 *   1. hold      firing 0 -> mine; then the epoch of the event is bumped
 *   2. claim     the next number of the ring, and fill its slot, as any emitter
 *   3. begin     the timer ARMED(v) -> FIRING(v, number)
 *   4. commit    the slot WRITING -> COMMITTED, as any emitter
 *   5. end       the timer FIRING -> FREE, firing -> 0
 * The one step that fires it is 4. Whether it was done can be seen at the slot as long as that
 * is not used for the next lap, and nobody uses it so before the attempt was decided:
 * firing holds it, in the way a reliable reader holds what it has not read (reliable.c). An
 * emitter that claims a number of at least fire_from + depth decides the attempt first, so it
 * does not wait for anybody:
 *
 * settle, by anyone, any number of times at once:
 *   the timer is ARMED(v)           to ARMED(v + 1): step 3 will fail
 *   it is FIRING(v, number), and the slot of that is
 *     WRITING                       revoke it, as a reader may: step 4 will fail. Look again
 *     COMMITTED, or CLOSED after it         it was fired: to FREE
 *     PINNED, VOID                          it was not: to ARMED(v + 1)
 *     at a later lap                not claimed since, but carried from lap to lap: the same
 *   it is of another version        it is decided
 *   then firing -> 0, if it is that attempt still
 * Each of these is a CAS from what was seen. firing is taken from an attempt only once the
 * version of its timer is another; and a timer becomes FIRING only at the version that the attempt
 * holds. So whenever a timer is FIRING, its number is held. A version never comes again, so
 * neither does a word of firing, but for one that can do nothing any more.
 *
 * Why the emitters see the hold in time: as register:A-C in reliable.c. Who looked at the epoch
 * before the bump claims a number that the attempt's is not below. What stood in its slot one
 * lap before is below the attempt's number; the next it claims it looks at the epoch again.
 * fire_from may be raised by one who then finds that another is at it. He took it from head
 * before he found nobody at it, so it is not above the number of anyone who came after that. It
 * is never lowered: one who was stopped before he stored it would make others' attempts look as
 * if emitters had gone round the ring.
 *
 * A ring may be grown meanwhile: the attempt goes on in the successor, under the same hold. Who has
 * not mapped that ring sees a number behind all of his, and leaves it alone: he cannot
 * claim over it. If the event is removed its timers are cancelled (timer.c), and the attempt
 * ends.
 *
 * Ordering
 *   hold:B,C,D, ring_next:A / may_claim:A, limit:A,B    seq_cst, as told.
 *   firing_begin:A / settle:B, release:A                one of the CAS wins.
 *   ring_commit:A / ring_revoke:A                       one of the two wins, ring.c.
 *   firing_begin:A / timer_look:A, ring_look:A          who sees FIRING sees the claim.
 * Progress  lock-free: an attempt fails when another's was decided, when a reader or emitter that
 *   went on gave it up, or the timer was cancelled. Of those who would fire at once one does; the
 *   others leave a live one alone for GRACE_NS, a matter of speed only.
 * Crash     killed or stopped before 3: the timer is ARMED; between 3 and 4: it is so again once
 *   the slot is revoked; after 4: it is freed by who settles. The due of the event stays as
 *   it is until the table was looked at, so another listener wakes for it, or the next who opens
 *   the event; each of them settles what he finds, and so does the reaper of the port.
 */
#include "timer.h"

#include <errno.h>
#include <stdlib.h>

#include "bounds.h"
#include "cancel.h"
#include "clock.h"
#include "listener.h"
#include "port.h"

#define BATCH		32u

/* ---- the words ---------------------------------------------------------------------- */

#define PORT_SHIFT	TIMER_INDEX_BITS
#define VERSION_SHIFT	(TIMER_INDEX_BITS + 14)

static uint64_t load_firing(const struct event *ev)
{
	/* limit:A  seq_cst, pairs with hold:C, drop:A */
	return atomic_load_explicit(&ev->firing, memory_order_seq_cst);
}

/* The attempt is decided. */
static void drop(struct event *ev, uint64_t word)
{
	/* drop:A  seq_cst, pairs with limit:A, hold:C; a failure means that another did it */
	atomic_compare_exchange_strong_explicit(&ev->firing, &word, 0, memory_order_seq_cst,
						memory_order_relaxed);
}

/* ---- what became of an attempt ------------------------------------------------------ */

/* The number of which these are the low bits, the nearest to @frontier. */
static uint64_t expand(uint64_t low, uint64_t frontier)
{
	uint64_t behind = (frontier - low) & TIMER_ARG_MASK;

	return behind <= TIMER_ARG_MASK / 2 ? frontier - behind :
					      frontier + (TIMER_ARG_MASK + 1 - behind);
}

static const struct ring *ring_of(struct event_map *map, uint64_t seq)
{
	unsigned k = event_map_rings(map) - 1;

	while (k && map->ring[k].base > seq)
		k--;
	return &map->ring[k];
}

enum outcome { FIRED, NOT_FIRED, UNSEEN };

/* The timer of FIRING @state: what became of its number? It will not become a record later. */
static enum outcome decide(struct event_map *map, uint64_t state)
{
	const struct ring *ring;
	uint64_t frontier, seq, slot;

	if (ring_frontier(event_map_last(map), &frontier) < 0)
		return UNSEEN;
	seq = expand(timer_arg(state), frontier);
	if (seq >= frontier)
		return UNSEEN;		/* of a ring that is not mapped here */
	ring = ring_of(map, seq);
	for (unsigned i = 0; i < MAX_STILL; i++)
		switch (ring_look(ring, seq, &slot)) {
		case LOOK_RECORD:
			return FIRED;
		case LOOK_BUSY:
			ring_revoke(ring, seq, slot, port_is_dead(map->bus, slot_port(slot)));
			break;
		default:		/* carried to a later lap, or not decided now but before */
			return NOT_FIRED;
		}
	return UNSEEN;
}

static bool rearm(struct timer *t, uint64_t state)
{
	/* settle:B  seq_cst, pairs with firing_begin:A, timer_look:A, release:A */
	return atomic_compare_exchange_strong_explicit(&t->state, &state,
			timer_next(state, 0, TIMER_ARMED), memory_order_seq_cst,
			memory_order_relaxed);
}

/* The timer at @index is at @version, of an attempt: bring it to the next. False: not now. */
static bool settle(struct event_map *map, uint32_t index, uint64_t version)
{
	struct timer *t = bus_timer(map->bus, index);

	for (unsigned i = 0; i < MAX_LOST_LONG; i++) {
		/* settle:A  seq_cst, pairs with firing_begin:A, release:A */
		uint64_t state = atomic_load_explicit(&t->state, memory_order_seq_cst);
		enum outcome outcome = NOT_FIRED;

		if (timer_version(state) != version || !timer_is_pending(state))
			return true;
		if (timer_phase(state) == TIMER_FIRING)
			outcome = decide(map, state);
		if (outcome == UNSEEN)
			return false;
		if (outcome == FIRED ? timer_release(map->bus, index, state) : rearm(t, state))
			return true;
	}
	return false;
}

static void settle_word(struct event_map *map, uint64_t word)
{
	uint64_t index = (word & TIMER_INDEX_MASK) - 1;

	if (index >= map->bus->lo.n_timers || settle(map, (uint32_t)index, word >> VERSION_SHIFT))
		drop(map->event, word);
}

void firing_settle(struct event_map *map)
{
	uint64_t word = load_firing(map->event);

	if (word)
		settle_word(map, word);
}

int firing_settle_timer(struct aioevt_shm *bus, const struct timer_look *look)
{
	struct event_ref ref = { (uint32_t)look->event, (uint32_t)(look->event >> 32) };
	struct aioevt_shm_event ev = { .bus = bus };
	int err = event_acquire(&ev, ref);

	if (err < 0)
		return err;
	settle(ev.map, look->index, timer_version(look->state));
	firing_settle(ev.map);
	event_release(&ev);
	return 0;
}

uint64_t firing_limit(struct event_map *map, const struct ring *ring, uint64_t seq)
{
	uint64_t word = load_firing(map->event), from;

	if (!word)
		return UINT64_MAX;
	/* limit:B  acquire, pairs with hold:B: of that attempt, or of one that is not earlier */
	from = atomic_load_explicit(&map->event->fire_from, memory_order_acquire);
	if (seq < from + ring->depth)
		return from + ring->depth;
	settle_word(map, word);
	return seq + 1;
}

/* ---- an attempt --------------------------------------------------------------------- */

/* Whatever anybody takes from head before he finds nobody at it is good for all who come after. */
static void raise_from(struct event *event, uint64_t least)
{
	/* hold:F  relaxed: only the CAS below decides */
	uint64_t from = atomic_load_explicit(&event->fire_from, memory_order_relaxed);

	/* hold:B  release, pairs with limit:B */
	while (from < least &&
	       !atomic_compare_exchange_weak_explicit(&event->fire_from, &from, least,
						      memory_order_release,
						      memory_order_relaxed))
		;
}

/* Step 1. Returns 0, or -EBUSY and whose attempt goes on. */
static int hold(struct aioevt_shm_event *ev, struct firing *f, uint64_t *ret_other)
{
	struct event *event = ev->map->event;
	/* hold:E  acquire, pairs with ring_step:A: before firing is looked at */
	uint64_t head = atomic_load_explicit(&ev->ring->header->head, memory_order_acquire);
	uint64_t word = load_firing(event);

	if (word) {
		*ret_other = word;
		return -EBUSY;
	}
	raise_from(event, head_seq(head));
	/* hold:C  seq_cst, pairs with limit:A, drop:A */
	if (!atomic_compare_exchange_strong_explicit(&event->firing, &word, f->word,
						     memory_order_seq_cst,
						     memory_order_relaxed)) {
		*ret_other = word;
		return -EBUSY;
	}
	/* hold:D  seq_cst, pairs with may_claim:A: then head is looked at */
	atomic_fetch_add_explicit(&ev->map->ctl->epoch, 1, memory_order_seq_cst);
	return 0;
}

bool firing_is_held(const struct firing *f)
{
	/* hold:G  relaxed: a matter of speed; firing_begin:A decides */
	return atomic_load_explicit(&f->map->event->firing, memory_order_relaxed) == f->word;
}

bool firing_begin(struct firing *f, uint64_t seq)
{
	uint64_t firing = timer_word(timer_version(f->state), seq, TIMER_FIRING);

	/* firing_begin:A  seq_cst, pairs with timer_look:A, settle:A,B, release:A: this version of
	 * the timer is what was read, and what firing holds a number for */
	if (!atomic_compare_exchange_strong_explicit(&f->timer->state, &f->state, firing,
						     memory_order_seq_cst,
						     memory_order_relaxed))
		return false;
	f->state = firing;
	return true;
}

/* The ring was closed. Returns 0, or -EPIPE: the event was removed. */
static int next_ring(struct aioevt_shm_event *ev)
{
	unsigned next;
	int err;

	bus_lock(ev->bus);
	err = event_map_next(ev->map, ev->ring_index, &next);
	bus_unlock(ev->bus);
	return err < 0 ? err : event_catch_up(ev);
}

/* Steps 1 to 5. Returns 1; 0: look again; -EBUSY, *ret_other is at it; or of emitting. */
static int attempt(struct aioevt_shm_event *ev, const struct timer_look *look, const void *data,
		   uint64_t *ret_other)
{
	struct firing f = {
		.map = ev->map, .timer = bus_timer(ev->bus, look->index), .state = look->state,
		.word = firing_word(timer_version(look->state), ev->bus->port_index, look->index),
	};
	int err = hold(ev, &f, ret_other);

	if (err < 0)
		return err;
	do {
		err = event_emit_firing(ev, data, look->size, &f);
	} while (err == -EPIPE && !(err = next_ring(ev)));
	if (!err)
		timer_release(ev->bus, look->index, f.state);
	if (err == -ECANCELED)
		settle_word(ev->map, f.word);
	else
		drop(ev->map->event, f.word);
	return !err ? 1 : err == -ECANCELED || err == -EBUSY ? 0 : err;
}

/* ---- what is due -------------------------------------------------------------------- */

static bool is_before(const struct timer_look *a, const struct timer_look *b)
{
	return a->due < b->due || (a->due == b->due && a->order < b->order);
}

/* The first BATCH that are due, in order. */
static unsigned collect(struct aioevt_shm *bus, struct event_ref ref, uint64_t now,
			struct timer_look *ret_looks)
{
	struct timer_look look;
	unsigned n = 0, at;

	for (uint32_t i = 0; i < bus_timers_used(bus); i++) {
		if (!timer_look(bus, i, &look) || look.event != timer_event_word(ref) ||
		    look.due > now)
			continue;
		if (n == BATCH && !is_before(&look, &ret_looks[n - 1]))
			continue;
		for (at = n < BATCH ? n++ : n - 1; at && is_before(&look, &ret_looks[at - 1]); at--)
			ret_looks[at] = ret_looks[at - 1];
		ret_looks[at] = look;
	}
	return n;
}

/* Another is at it: since when? Decide his attempt if he is dead, or had his time. */
static int take_over(struct event_map *map, uint64_t word, struct patience *patience)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint32_t port = (uint32_t)(word >> PORT_SHIFT & SLOT_PORT_MASK);

	if (!port_is_dead(map->bus, port)) {
		if (!patience)
			return -EBUSY;
		if (patience->word != word)
			*patience = (struct patience){ word, now };
		if (now - patience->since < GRACE_NS)
			return -EBUSY;
	}
	settle_word(map, word);
	return 0;
}

/* Returns 0 if that is fired, or is not what it was any more. */
static int fire_one(struct aioevt_shm_event *ev, const struct timer_look *look, void *buf,
		    struct patience *patience)
{
	uint64_t other = 0;
	int err;

	if (look->size > ev->bus->lo.max_payload) {
		timer_release(ev->bus, look->index, look->state);	/* scribbled on */
		return 0;
	}
	if (timer_phase(look->state) == TIMER_FIRING) {
		other = load_firing(ev->map->event);
		if (other)
			return take_over(ev->map, other, patience);
		settle(ev->map, look->index, timer_version(look->state));
		return 0;
	}
	err = timer_read(ev->bus, look, buf);
	if (!err)
		err = attempt(ev, look, buf, &other);
	if (err == -EBUSY)
		err = take_over(ev->map, other, patience);
	return err < 0 ? err : 0;
}

/* A payload to be emitted: @small, or as much as is needed. */
static int fire_with(struct aioevt_shm_event *ev, const struct timer_look *look,
		     struct patience *patience)
{
	uint64_t small[TIMER_INLINE / 8];
	void *large;
	int err;

	if (look->size <= TIMER_INLINE || look->size > ev->bus->lo.max_payload)
		return fire_one(ev, look, small, patience);
	large = malloc(look->size);
	if (!large)
		return -ENOMEM;
	err = fire_one(ev, look, large, patience);
	free(large);
	return err;
}

/* Nothing more can be emitted to the event now. */
static bool is_final(int err)
{
	return err < 0 && err != -ENOSPC && err != -EFBIG && err != -ENOMEM;
}

static int fire_all(struct aioevt_shm_event *ev, uint64_t now, struct patience *patience)
{
	struct timer_look looks[BATCH];
	int err = event_catch_up(ev), failed = 0;

	for (unsigned round = 0; round < MAX_BATCHES && !err; round++) {
		unsigned n = collect(ev->bus, ev->map->ref, now, looks);

		for (unsigned i = 0; i < n && !is_final(err); i++) {
			err = fire_with(ev, &looks[i], patience);
			failed = err ? err : failed;
		}
		if (!n || failed)
			break;
	}
	if (!err || !is_final(err))
		timer_mend(ev->bus, ev->map->ref.index, ev->map->ref.generation);
	return err ? err : failed;
}

int timer_fire(struct aioevt_shm_event *ev, uint64_t now, struct patience *patience)
{
	int cancel = cancel_off(), err = fire_all(ev, now, patience);

	cancel_on(cancel);
	return err;
}

void timer_fire_overdue(struct aioevt_shm_event *ev)
{
	uint64_t due = due_ns(timer_due(ev->map->event)), now;

	if (due == NO_DUE)
		return;
	now = clock_ns(CLOCK_MONOTONIC);
	if (due <= now)
		timer_fire(ev, now, NULL);
}
