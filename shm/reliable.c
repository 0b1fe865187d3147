/* SPDX-License-Identifier: MIT */
/*
 * Readers that are never overtaken. Each keeps a cursor, the number below which it has handled
 * all: it has copied what is below and come back for more, or said so (read.c). A
 * claim of number s, which overwrites s - depth, needs every cursor to be above s - depth.
 * Emitters do not look at the cursors each time: an emitter remembers the smallest one as
 * a limit, together with the epoch it belongs to, and looks again when it reaches the
 * limit or the epoch has changed. Cursors only move up, so an old limit is only too low.
 *
 *   cursors[l]    by listener l, while its bit in ctl->reliable is set; the high bits count
 *                 its registrations, so that a cursor says whether it is of the same reader
 *   ctl->epoch    bumped by each reader that registers
 *   ctl->space    a bell (bell.c) on which emitters sleep for room, or until one is handled
 *   ctl->wanted   up to this number, readers publish at once; only ever raised
 *
 * Registering: publish a cursor that is not too high, set the bit, bump the epoch, and only
 * then take the place: nothing below frontier + 1 - depth is promised. Emitting: see that
 * s - 1 was claimed (head), then look at the epoch, then claim s. If the emitter saw the
 * epoch before the bump, it saw s - 1 claimed before that, so the frontier that the reader
 * takes afterwards is at least s, and the claim overwrites s - depth, which is below
 * the reader's place. If it saw the epoch after the bump, it saw the bit and the cursor.
 *
 * Who wants to know whether a record was handled (ack.c) marks the readers before he emits it: all
 * of them have cursors at or below its number then. One has handled it when its cursor is above
 * and of the same registration. (Of a reader that is overtaken while it registers, the count
 * goes on: it did not get there by handling.) It stays so after the reader has left, until another
 * registers in its place: an emitter that has not looked by then takes it for gone.
 *
 * Ordering
 *   ring_next:A, may_claim:A / register:C, ring_frontier:A   seq_cst, as just told.
 *   register:A,B / scan:A,B        published before the bump; seq_cst.
 *   publish_cursor:A, bell_ring:A / bell_arm:A, space_sleep:A   seq_cst store buffering:
 *       either the reader sees that room is wanted, or the emitter sees the room. A bell and
 *       not a bit: of two emitters one has looked and is about to sleep, a reader makes room
 *       and rings, the other arms the bell anew: the first sees that it is not what he armed.
 *   ring_close:A, bell_ring:A / bell_arm:A, ring_look:A   the same for a ring that was grown
 *       or removed: closed, then rung.
 *   publish_cursor:A / scan:B      release/acquire: copied before it may be overwritten.
 *   publish_cursor:A, unregister:A / marked:A,B   seq_cst: who finds the bit gone sees the last
 *       cursor that was published before.
 * Progress  wait-free, but that a limit reached costs a scan of the readers.
 * Crash     a reader killed anywhere: its bit stays until its port is reaped; an emitter that
 *   is held up by it finds the port dead and does not count it. Stopped: the emitters
 *   get -EAGAIN, by design.
 *   An emitter killed asleep leaves the bell armed: one spare wake.
 */
#include "reliable.h"

#include <errno.h>
#include <limits.h>

#include "bus.h"
#include "clock.h"
#include "futex.h"
#include "listener.h"
#include "port.h"
#include "timer.h"

/* Neighbours stand on different lines, so that readers do not share them. */
static _Atomic uint64_t *cursor_of(struct event_map *map, uint32_t l)
{
	uint32_t rows = map->bus->lo.n_listeners / 8;

	return &map->cursors[l % rows * 8 + l / rows];
}

/*
 * (If the listener was taken anew meanwhile, its reader's registration bumped the epoch after the
 * emitter looked at it: the argument above holds.)
 */
bool listener_is_dead(struct aioevt_shm *bus, uint32_t l)
{
	/* listener_is_dead:A  acquire, pairs with listener_take:A */
	uint32_t owner = atomic_load_explicit(&bus_listener(bus, l)->owner, memory_order_acquire);

	return !owner || port_is_dead(bus, owner - 1);
}

/* Readers whose cursor is below @probe_below count only if they are alive. */
static void add(struct event_map *map, uint32_t l, uint64_t probe_below,
		struct reliable_slowest *slowest)
{
	/* scan:B  seq_cst, pairs with register:A, publish_cursor:A */
	uint64_t seq = atomic_load(cursor_of(map, l)) & SEQ_MASK;

	if (seq < probe_below && listener_is_dead(map->bus, l))
		return;
	slowest->n++;
	if (seq < slowest->seq) {
		slowest->seq = seq;
		slowest->listener = l;
	}
}

static void find_slowest(struct event_map *map, uint64_t probe_below,
			 struct reliable_slowest *ret_slowest)
{
	struct reliable_slowest slowest = { .seq = UINT64_MAX };

	for (uint32_t w = 0; w < map->bus->lo.n_words; w++) {
		/* scan:A  seq_cst, pairs with register:B, unregister:A */
		uint64_t bits = atomic_load(&map->ctl->reliable[w]);

		for (; bits; bits &= bits - 1)
			add(map, w * 64 + (uint32_t)__builtin_ctzll(bits), probe_below,
			    &slowest);
	}
	*ret_slowest = slowest;
}

void reliable_find_slowest(struct event_map *map, struct reliable_slowest *ret_slowest)
{
	find_slowest(map, UINT64_MAX, ret_slowest);
}

static uint64_t add_depth(uint64_t seq, const struct ring *ring)
{
	return seq > UINT64_MAX - ring->depth ? UINT64_MAX : seq + ring->depth;
}

bool reliable_may_claim(struct event_map *map, const struct ring *ring, uint64_t seq,
			struct reliable_limit *limit)
{
	struct reliable_slowest slowest;
	uint64_t firing;
	/* may_claim:A  seq_cst, pairs with register:C */
	uint64_t epoch = atomic_load(&map->ctl->epoch);

	if (__builtin_expect(epoch == limit->epoch && seq < limit->limit, 1))
		return true;
	limit->epoch = epoch;		/* from before the scan: too old at worst */
	find_slowest(map, 0, &slowest);
	if (seq >= add_depth(slowest.seq, ring))
		find_slowest(map, seq - ring->depth + 1, &slowest);
	limit->limit = add_depth(slowest.seq, ring);
	firing = firing_limit(map, ring, seq);
	if (firing < limit->limit)
		limit->limit = firing;
	return seq < limit->limit;
}

/* The oldest number that no claim can overwrite that looked at the epoch before now. */
static uint64_t oldest_safe(const struct ring *ring, uint64_t frontier)
{
	uint64_t oldest = frontier + 1 > ring->depth ? frontier + 1 - ring->depth : 0;

	return oldest > ring->base ? oldest : ring->base;
}

static uint64_t clamp(uint64_t from, const struct ring *ring, uint64_t frontier)
{
	uint64_t safe = oldest_safe(ring, frontier);

	return from < safe ? safe : from < frontier ? from : frontier;
}

/* The high bits of the cursor of listener @l, which is mine, @n registrations on. */
static uint64_t registration(struct event_map *map, uint32_t l, uint64_t n)
{
	/* registration:A  relaxed: only who has the listener writes it */
	uint64_t word = atomic_load_explicit(cursor_of(map, l), memory_order_relaxed);

	return ((word >> SEQ_BITS) + n) << SEQ_BITS;
}

static void publish(struct event_map *map, uint32_t l, uint64_t word)
{
	/* publish_cursor:A  seq_cst, pairs with scan:B, marked:B, space_sleep:A */
	atomic_store(cursor_of(map, l), word);
	reliable_wake(map);
}

int reliable_register(struct event_map *map, uint32_t l, uint64_t from, uint64_t *ret_from)
{
	uint64_t frontier, place, first;
	int err = ring_frontier(event_map_last(map), &frontier);

	if (err < 0)
		return err;
	first = clamp(from, event_map_last(map), frontier);
	/* register:A  seq_cst, pairs with scan:B, marked:B */
	atomic_store(cursor_of(map, l), registration(map, l, 1) | first);
	/* register:B  seq_cst, pairs with scan:A */
	atomic_fetch_or(&map->ctl->reliable[l / 64], bit_of(l));
	/* register:C  seq_cst, pairs with may_claim:A */
	atomic_fetch_add(&map->ctl->epoch, 1);
	/* Emitters that went on to a successor before the bump: the promise is about that. */
	bus_lock(map->bus);
	err = event_map_all(map);
	bus_unlock(map->bus);
	if (!err)
		err = ring_frontier(event_map_last(map), &frontier);
	if (err < 0) {
		reliable_unregister(map, l);
		return err;
	}
	place = clamp(from, event_map_last(map), frontier);
	/* Closed rings are not overwritten: what is wanted of them is there. */
	*ret_from = place == event_map_last(map)->base && from < place ? from : place;
	publish(map, l, registration(map, l, place != first) | place);
	return 0;
}

void reliable_wake(struct event_map *map)
{
	bell_ring(&map->ctl->space, INT_MAX);
}

void reliable_unregister(struct event_map *map, uint32_t l)
{
	/* unregister:A  seq_cst, pairs with scan:A, marked:A */
	atomic_fetch_and(&map->ctl->reliable[l / 64], ~bit_of(l));
	reliable_wake(map);
}

void reliable_publish(struct event_map *map, uint32_t l, uint64_t seq)
{
	publish(map, l, registration(map, l, 0) | seq);
}

/* ---- who has handled what --------------------------------------------------------------- */

void reliable_want(struct event_map *map, uint64_t seq)
{
	/* want:A  relaxed: who has read a record that was emitted after this, sees this; for
	 * others it is a matter of when they publish */
	uint64_t wanted = atomic_load_explicit(&map->ctl->wanted, memory_order_relaxed);

	/* want:B  relaxed: as A; a failure means that another changed it: look again */
	while (wanted < seq && !atomic_compare_exchange_weak_explicit(&map->ctl->wanted, &wanted,
				seq, memory_order_relaxed, memory_order_relaxed))
		;
}

bool reliable_is_wanted(struct event_map *map, uint64_t seq)
{
	/* want:C  relaxed: as A */
	return seq <= atomic_load_explicit(&map->ctl->wanted, memory_order_relaxed);
}

/* Is it registered still, and its cursor, in this order. */
static bool look_at(struct event_map *map, uint32_t l, uint64_t *ret_word)
{
	/* marked:A  seq_cst, pairs with unregister:A, register:B */
	uint64_t bits = atomic_load(&map->ctl->reliable[l / 64]);

	/* marked:B  seq_cst, pairs with publish_cursor:A, register:A */
	*ret_word = atomic_load(cursor_of(map, l));
	return bits & bit_of(l);
}

uint32_t reliable_mark(struct event_map *map, struct reliable_mark *marks)
{
	uint32_t n = 0;
	uint64_t word;

	for (uint32_t w = 0; w < map->bus->lo.n_words; w++) {
		/* mark:A  relaxed: looked at again for each */
		uint64_t bits = atomic_load_explicit(&map->ctl->reliable[w], memory_order_relaxed);

		for (; bits; bits &= bits - 1) {
			uint32_t l = w * 64 + (uint32_t)__builtin_ctzll(bits);

			if (look_at(map, l, &word) && !listener_is_dead(map->bus, l))
				marks[n++] = (struct reliable_mark){
					.listener = l,
					.registration = (uint32_t)(word >> SEQ_BITS),
				};
		}
	}
	return n;
}

enum reliable_stand reliable_look(struct event_map *map, struct reliable_mark *mark,
				  uint64_t seq)
{
	uint64_t word;
	bool is_there;

	if (mark->has_handled)
		return RELIABLE_HANDLED;
	is_there = look_at(map, mark->listener, &word);
	if (word >> SEQ_BITS != mark->registration)
		return RELIABLE_GONE;
	mark->has_handled = (word & SEQ_MASK) > seq;
	if (mark->has_handled)
		return RELIABLE_HANDLED;
	return is_there && !listener_is_dead(map->bus, mark->listener) ? RELIABLE_PENDING :
								 RELIABLE_GONE;
}

void reliable_sleep(struct event_map *map, const struct ring *ring, uint64_t seq,
		    struct reliable_limit *limit, uint64_t deadline)
{
	uint64_t recheck = clock_ns(CLOCK_MONOTONIC) + RECHECK_NS;
	uint32_t armed = bell_arm(&map->ctl->space);
	uint64_t state;

	/* space_sleep:A  is the scan in here, pairs with publish_cursor:A, unregister:A */
	if (reliable_may_claim(map, ring, seq, limit))
		return;
	/* Grown or removed: who did that rings after closing, perhaps before the bell was armed. */
	if (ring_look(ring, seq, &state) == LOOK_CLOSED)
		return;
	futex_wait(&map->ctl->space, armed, deadline < recheck ? deadline : recheck);
}
