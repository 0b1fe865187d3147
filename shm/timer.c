/* SPDX-License-Identifier: MIT */
/*
 * Timers: emissions to come. They stand in a table of the bus and not in the process that made
 * them; whoever listens to the event when they are due emits them (timer-fire.c).
 *
 *   timer->state = version:36 | arg:24 | phase:4, and a new version with each move but to FIRING
 *   FREE     nobody's         -> WRITING by any port's CAS (take), which is in arg
 *   WRITING  arg's alone      -> ARMED by it (arm), -> FREE by it or, if it is dead, by its
 *                                reaper (timer_reap)
 *   ARMED    to be fired      -> FIRING by who fires it (firing_begin)
 *                             -> ARMED of the next version by who ends an attempt to fire it
 *                             -> FREE by who cancels it, by who removed its event, or by anyone
 *                                who finds that its event went (timer_release)
 *   FIRING   arg: of a number -> FREE or ARMED, by anyone: what that number became tells which
 *
 * A timer with a large payload goes to FREE through WRITING: its body is punched out of the
 * file by one who owns it alone. What stands beside the state changes in WRITING only, is read
 * like a slot of a ring, and a CAS of the state that was read before and has not changed since
 * proves that it was the timer's. A version never comes twice, so no CAS mistakes one timer, or one
 * attempt to fire it, for another.
 *
 *   event->due = ticks:50 | count:14   the earliest due of its timers; 0 ticks: none
 *
 * How a listener knows when to wake: who schedules arms the timer, then lowers the event's due,
 * then rings the event's listeners as if there were a record. A listener that looks at a sub
 * looks at its event's due too, so bell.c's argument holds for a due as it does for a record: a
 * listener that arms its bell and then sees the old due is rung. It sleeps until the earliest of
 * its events' dues at the latest.
 *
 * Lowering counts, always; who raises a due (timer_mend) loads it, looks at the whole table, and
 * changes it by a CAS from what it loaded. A timer that was armed before the load is seen; one
 * that was armed later lowers later, so the count is another and the CAS fails. (Or 2^14 others
 * lowered meanwhile: then it is too high until somebody's next re-check, timer_heal.) Who
 * schedules uses the event until he has lowered its due. So an event that nobody uses has a due
 * if it has a timer, and one that has a due is not retired. A due that is too low costs one look.
 *
 * Removing an event, against scheduling: the remover makes it DEAD, then looks for its timers; who
 * schedules arms the timer, then looks whether the event is live. One sees the other.
 *
 * Ordering
 *   take_timer:B, write:A-F / timer_look:B-F, timer_read:A, timer_look:G   as ring_claim,
 *       ring_fill / ring_copy.
 *   arm:A, lower:B / note_due:A (due.c), bell_arm:A   seq_cst, as told; timer_due:A is that load.
 *   arm:A, lower:B / mend_due:A, timer_look:A, mend_due:B     seq_cst, as told.
 *   arm:A, walk:D / registry_kill:A, timer_look:A     seq_cst store buffering, as told.
 *   lower:B, registry_unuse:A / in_use:A, timer_due:A seq_cst: retiring, bury.c.
 * Progress  lock-free: a CAS fails when another's move was done. Looking at the table is bounded
 *   by its size.
 * Crash     killed in WRITING: its reaper frees it. Killed after arm: it is scheduled; if the
 *   due was not lowered, or nobody rung, a listener's next re-check does it (timer_heal), and so
 *   does the reaper, before the event may be retired. A canceller killed leaves a due that is too
 *   low. One killed while it punches a body leaves WRITING.
 */
#include "timer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "bounds.h"
#include "bus-file.h"
#include "cancel.h"
#include "clock.h"
#include "listener.h"
#include "port.h"
#include "region.h"
#include "registry.h"

/* ---- looking ------------------------------------------------------------------------ */

static uint64_t load_state(struct timer *t)
{
	/* timer_look:A  seq_cst, pairs with arm:A, release:A, take_timer:B, firing_begin:A, settle:B */
	return atomic_load_explicit(&t->state, memory_order_seq_cst);
}

bool timer_look(struct aioevt_shm *bus, uint32_t index, struct timer_look *ret_look)
{
	struct timer *t = bus_timer(bus, index);

	/* One that others change all the time is theirs to look after. */
	for (unsigned i = 0; i < MAX_LOST_LONG; i++) {
		struct timer_look look = { .state = load_state(t), .index = index };

		if (!timer_is_pending(look.state))
			return false;
		/* timer_look:B  acquire, pairs with write:B */
		look.id = atomic_load_explicit(&t->id, memory_order_acquire);
		/* timer_look:C  acquire, pairs with write:C */
		look.due = atomic_load_explicit(&t->due, memory_order_acquire);
		/* timer_look:D  acquire, pairs with write:D */
		look.order = atomic_load_explicit(&t->order, memory_order_acquire);
		/* timer_look:E  acquire, pairs with write:E */
		look.event = atomic_load_explicit(&t->event, memory_order_acquire);
		/* timer_look:F  acquire, pairs with write:F */
		look.size = atomic_load_explicit(&t->size, memory_order_acquire);
		/* timer_look:G  relaxed: the acquire loads above keep it behind them; pairs with
		 * take_timer:B */
		if (atomic_load_explicit(&t->state, memory_order_relaxed) != look.state)
			continue;
		*ret_look = look;
		return true;
	}
	return false;
}

static int read_body(struct aioevt_shm *bus, uint32_t index, unsigned char *to, size_t size)
{
	uint64_t at = timer_body_offset(bus, index);

	while (size) {
		ssize_t n = pread(bus->fd, to, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		to += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int timer_read(struct aioevt_shm *bus, const struct timer_look *look, void *buf)
{
	struct timer *t = bus_timer(bus, look->index);
	uint64_t words[TIMER_INLINE / 8] = { 0 };

	if (look->size > bus->lo.max_payload)
		return -EPROTO;
	if (look->size > TIMER_INLINE)
		return read_body(bus, look->index, buf, look->size);
	for (uint32_t i = 0; i < (look->size + 7) / 8; i++)
		/* timer_read:A  acquire, pairs with write:A; that it was this timer's is
		 * proved by the CAS of its state, firing_begin:A */
		words[i] = atomic_load_explicit(&t->payload[i], memory_order_acquire);
	memcpy(buf, words, look->size);
	return 0;
}

static struct event_ref ref_of(uint64_t word)
{
	return (struct event_ref){ (uint32_t)word, (uint32_t)(word >> 32) };
}

/* ---- an event's due ----------------------------------------------------------------- */

uint64_t timer_due(const struct event *ev)
{
	/* timer_due:A  seq_cst, pairs with lower:B, mend_due:B */
	return atomic_load_explicit(&ev->due, memory_order_seq_cst);
}

static uint64_t ticks_of(uint64_t ns)
{
	uint64_t ticks = ns >> DUE_TICK_SHIFT;

	return ticks > DUE_MAX ? DUE_MAX : ticks ? ticks : 1;
}

/* The same or other ticks, counted. */
static uint64_t recount(uint64_t word, uint64_t ticks)
{
	return ticks << DUE_COUNT_BITS | ((word + 1) & DUE_COUNT_MASK);
}

/* A timer was armed. Returns whether the event's due is lower now than it was. */
static bool lower(struct event *ev, uint64_t due)
{
	uint64_t ticks = ticks_of(due), old, least;
	/* lower:A  relaxed: only the CAS below decides */
	uint64_t word = atomic_load_explicit(&ev->due, memory_order_relaxed);

	for (;;) {
		old = due_ticks(word);
		least = old && old < ticks ? old : ticks;
		/* lower:B  seq_cst, pairs with timer_due:A, note_due:A, mend_due:A,B */
		if (atomic_compare_exchange_weak_explicit(&ev->due, &word,
							  recount(word, least),
							  memory_order_seq_cst,
							  memory_order_relaxed))
			return least != old;
	}
}

/* The earliest of an event's timers, in ticks; 0: none. */
static uint64_t find_earliest(struct aioevt_shm *bus, uint64_t event)
{
	uint64_t earliest = 0;
	struct timer_look look;

	for (uint32_t i = 0; i < bus_timers_used(bus); i++)
		if (timer_look(bus, i, &look) && look.event == event &&
		    (!earliest || ticks_of(look.due) < earliest))
			earliest = ticks_of(look.due);
	return earliest;
}

static uint64_t mend_due(struct aioevt_shm *bus, uint64_t event)
{
	struct event *ev = bus_event(bus, (uint32_t)event);
	/* mend_due:A  seq_cst, pairs with lower:B: then the table */
	uint64_t word = atomic_load_explicit(&ev->due, memory_order_seq_cst), ticks;

	/* That of a later event in its place is not mine to change; of a later one than this, the
	 * CAS below fails. */
	if (!due_ticks(word) ||
	    event_generation(registry_state(bus, (uint32_t)event)) != event >> 32)
		return word;
	ticks = find_earliest(bus, event);
	/* mend_due:B  seq_cst, pairs with lower:B, timer_due:A; a failure means that another lowered or
	 * mended it, or that it is another event's by now (clear_event:A) */
	if (ticks != due_ticks(word) &&
	    atomic_compare_exchange_strong_explicit(&ev->due, &word, recount(word, ticks),
						    memory_order_seq_cst,
						    memory_order_seq_cst))
		word = recount(word, ticks);
	return word;
}

void timer_mend(struct aioevt_shm *bus, uint32_t index, uint32_t generation)
{
	mend_due(bus, timer_event_word((struct event_ref){ index, generation }));
}

bool timer_any(struct aioevt_shm *bus, uint32_t index, uint32_t generation)
{
	return due_ticks(timer_due(bus_event(bus, index))) &&
	       due_ticks(mend_due(bus, timer_event_word((struct event_ref){ index, generation })));
}

void timer_clear_event(struct event *ev)
{
	/* clear_event:B  relaxed: who changes it now is late, and has the due of a former event */
	uint64_t word = atomic_load_explicit(&ev->due, memory_order_relaxed);

	/* clear_event:A  release, pairs with mend_due:B, timer_due:A: the count goes on */
	atomic_store_explicit(&ev->due, recount(word, 0), memory_order_release);
	/* clear_event:C  release, pairs with limit:A */
	atomic_store_explicit(&ev->firing, 0, memory_order_release);
	/* clear_event:D  release, pairs with limit:B: its numbers may begin lower */
	atomic_store_explicit(&ev->fire_from, 0, memory_order_release);
}

/* ---- ending ------------------------------------------------------------------------- */

static void punch(struct aioevt_shm *bus, uint32_t index)
{
	region_free(bus, timer_body_offset(bus, index), bus->lo.body_stride);
}

/* From WRITING, by who owns it. */
static void set_free(struct aioevt_shm *bus, uint32_t index, uint64_t writing)
{
	/* set_free:A  release, pairs with take_timer:B: my last access comes before another's first */
	atomic_store_explicit(&bus_timer(bus, index)->state,
			      timer_next(writing, 0, TIMER_FREE), memory_order_release);
}

bool timer_release(struct aioevt_shm *bus, uint32_t index, uint64_t state)
{
	struct timer *t = bus_timer(bus, index);
	/* release:B  relaxed: of this timer if the CAS below finds its state */
	bool large = atomic_load_explicit(&t->size, memory_order_relaxed) > TIMER_INLINE;
	uint64_t next = large ? timer_next(state, bus->port_index, TIMER_WRITING) :
				timer_next(state, 0, TIMER_FREE);

	/* release:A  seq_cst, pairs with timer_look:A, firing_begin:A, take_timer:B: one of those who
	 * would move it does */
	if (!atomic_compare_exchange_strong_explicit(&t->state, &state, next,
						     memory_order_seq_cst,
						     memory_order_relaxed))
		return false;
	if (large) {
		punch(bus, index);
		set_free(bus, index, next);
	}
	return true;
}

void timer_drop_event(struct aioevt_shm *bus, struct event_ref ref)
{
	struct timer_look look;

	for (uint32_t i = 0; i < bus_timers_used(bus); i++)
		while (timer_look(bus, i, &look) && look.event == timer_event_word(ref) &&
		       !timer_release(bus, i, look.state))
			;
}

/* A timer of no event, or of one whose due does not show it? */
static void heal(struct aioevt_shm *bus, const struct timer_look *look,
		 bool (*is_mine)(void *arg, uint32_t event), void *arg)
{
	struct event_ref ref = ref_of(look->event);
	uint64_t ticks;

	if (ref.index >= bus->lo.n_events || !registry_is_live(bus, ref)) {
		timer_release(bus, look->index, look->state);
		return;
	}
	if (is_mine && !is_mine(arg, ref.index))
		return;
	ticks = due_ticks(timer_due(bus_event(bus, ref.index)));
	if (!ticks || ticks > ticks_of(look->due))
		lower(bus_event(bus, ref.index), look->due);
}

void timer_heal(struct aioevt_shm *bus, bool (*is_mine)(void *arg, uint32_t event), void *arg)
{
	struct timer_look look;

	for (uint32_t i = 0; i < bus_timers_used(bus); i++)
		if (timer_look(bus, i, &look))
			heal(bus, &look, is_mine, arg);
}

void timer_reap(struct aioevt_shm *bus, uint32_t p)
{
	for (uint32_t i = 0; i < bus_timers_used(bus); i++) {
		uint64_t state = load_state(bus_timer(bus, i));

		if (timer_phase(state) != TIMER_WRITING || timer_arg(state) != p)
			continue;
		punch(bus, i);
		set_free(bus, i, state);
	}
	timer_heal(bus, NULL, NULL);
}

/* ---- scheduling --------------------------------------------------------------------- */

/* A timer on its way: mine alone. */
struct fresh {
	struct timer *timer;
	uint32_t index;
	uint64_t state;			/* WRITING */
};

static bool take_one(struct aioevt_shm *bus, uint32_t i, struct fresh *ret_fresh)
{
	struct timer *t = bus_timer(bus, i);
	/* take_timer:A  relaxed: only the CAS below decides */
	uint64_t state = atomic_load_explicit(&t->state, memory_order_relaxed);
	uint64_t writing = timer_next(state, bus->port_index, TIMER_WRITING);

	if (timer_phase(state) != TIMER_FREE)
		return false;
	/* before, so that whoever is killed in between is still found */
	bus_raise(&bus->header->timers_hw, i + 1);
	/* take_timer:B  acq_rel, pairs with set_free:A, release:A, timer_look:G: what is stored into it
	 * from here on comes after it */
	if (!atomic_compare_exchange_strong_explicit(&t->state, &state, writing,
						     memory_order_acq_rel,
						     memory_order_relaxed))
		return false;
	*ret_fresh = (struct fresh){ t, i, writing };
	return true;
}

static bool take_any(struct aioevt_shm *bus, struct fresh *ret_fresh)
{
	for (uint32_t i = 0; i < bus->lo.n_timers; i++)
		if (take_one(bus, i, ret_fresh))
			return true;
	return false;
}

/* A free timer. Full: what is left of the dead and of removed events goes first. */
static int take(struct aioevt_shm *bus, struct fresh *ret_fresh)
{
	if (take_any(bus, ret_fresh))
		return 0;
	bus_lock(bus);
	port_reap_all(bus);
	bus_unlock(bus);
	timer_heal(bus, NULL, NULL);
	return take_any(bus, ret_fresh) ? 0 : -ENOSPC;
}

static int write_body(struct aioevt_shm *bus, uint32_t index, const unsigned char *data,
		      size_t size)
{
	uint64_t at = timer_body_offset(bus, index);
	int err = bus_file_limit(at + size);

	if (!err)
		err = body_check_room(bus, at, size);
	while (size && !err) {
		ssize_t n = pwrite(bus->fd, data, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			err = n < 0 && errno == EFBIG ? -EFBIG :
			      n < 0 && errno == EIO ? -EIO : -ENOSPC;
		else
			data += n, at += (uint64_t)n, size -= (size_t)n;
	}
	return err;
}

static void write_payload(struct timer *t, const void *data, size_t size)
{
	uint64_t words[TIMER_INLINE / 8] = { 0 };

	memcpy(words, data, size);
	for (size_t i = 0; i < (size + 7) / 8; i++)
		/* write:A  release, pairs with timer_read:A */
		atomic_store_explicit(&t->payload[i], words[i], memory_order_release);
}

static void write_words(struct aioevt_shm *bus, const struct fresh *fresh, struct event_ref ref,
			uint32_t size, uint64_t due)
{
	struct timer *t = fresh->timer;
	uint64_t id = timer_id(timer_version(fresh->state) + 1, fresh->index);
	/* write:G  relaxed: only that it counts */
	uint64_t order = atomic_fetch_add_explicit(&bus->header->timer_order, 1,
						   memory_order_relaxed);

	/* write:B  release, pairs with timer_look:B */
	atomic_store_explicit(&t->id, id, memory_order_release);
	/* write:C  release, pairs with timer_look:C */
	atomic_store_explicit(&t->due, due, memory_order_release);
	/* write:D  release, pairs with timer_look:D */
	atomic_store_explicit(&t->order, order, memory_order_release);
	/* write:E  release, pairs with timer_look:E */
	atomic_store_explicit(&t->event, timer_event_word(ref), memory_order_release);
	/* write:F  release, pairs with timer_look:F */
	atomic_store_explicit(&t->size, size, memory_order_release);
	/* write:H  relaxed: for people to read */
	atomic_store_explicit(&t->port, bus->port_index, memory_order_relaxed);
}

static void give_up(struct aioevt_shm *bus, const struct fresh *fresh)
{
	punch(bus, fresh->index);
	set_free(bus, fresh->index, fresh->state);
}

/* A timer with its payload. Returns 0, or -ENOSPC, -EFBIG, -EIO. */
static int prepare(struct aioevt_shm *bus, const void *data, uint32_t size,
		   struct fresh *ret_fresh)
{
	int err = take(bus, ret_fresh);

	if (err < 0)
		return err;
	if (size > TIMER_INLINE)
		err = write_body(bus, ret_fresh->index, data, size);
	else if (size)
		write_payload(ret_fresh->timer, data, size);
	if (err < 0)
		give_up(bus, ret_fresh);
	return err;
}

/* Put it into the table. False if the event is not live any more, and then there is no timer. */
static bool arm(struct aioevt_shm *bus, struct event_ref ref, uint32_t size, uint64_t due,
		const struct fresh *fresh)
{
	uint64_t armed;

	write_words(bus, fresh, ref, size, due);
	armed = timer_next(fresh->state, 0, TIMER_ARMED);
	/* arm:A  seq_cst, pairs with timer_look:A: then the event is looked at */
	atomic_store_explicit(&fresh->timer->state, armed, memory_order_seq_cst);
	/* If it cannot be taken back, it was fired, or removed with the event. */
	return registry_is_live(bus, ref) || !timer_release(bus, fresh->index, armed);
}

/*
 * First the timer, then its event, which may cost an idle one: nobody loses an event for an
 * emission that cannot be scheduled.
 */
static int prepare_and_open(struct aioevt_shm *bus, const char *name, const void *data,
			    uint32_t size, struct fresh *ret_fresh,
			    struct aioevt_shm_event **ev)
{
	int err = prepare(bus, data, size, ret_fresh);

	if (err < 0)
		return err;
	err = *ev ? event_reopen(*ev, false) : aioevt_shm_event_open(bus, name, 0, ev);
	if (err < 0)
		give_up(bus, ret_fresh);
	return err;
}

static int schedule(struct aioevt_shm *bus, const char *name, const void *data, uint32_t size,
		    uint64_t due, struct aioevt_shm_event **ev, uint64_t *ret_id)
{
	struct fresh fresh;
	uint64_t now;

	for (unsigned i = 0; i < MAX_LOST_LONG; i++) {
		int err = prepare_and_open(bus, name, data, size, &fresh, ev);
		struct event_map *map;

		if (err < 0)
			return err;
		map = (*ev)->map;
		if (!arm(bus, map->ref, size, due, &fresh))
			continue;
		*ret_id = timer_id(timer_version(fresh.state) + 1, fresh.index);
		if (lower(map->event, due))
			listeners_ring(bus, map->ref.index);
		now = clock_ns(CLOCK_MONOTONIC);
		if (due <= now)
			timer_fire(*ev, now, NULL);
		return 0;
	}
	return -EBUSY;
}

int aioevt_shm_emit_after(struct aioevt_shm *bus, const char *name, const void *data,
			  size_t size, uint64_t due, uint64_t *ret_id)
{
	struct aioevt_shm_event *ev = NULL;
	uint64_t id = 0;
	int err = name && (data || !size) ? bus_check(bus) : -EINVAL, cancel;

	if (err < 0)
		return err;
	if (aioevt_shm_name_check(name, strnlen(name, AIOEVT_SHM_NAME_MAX + 1), NULL, NULL) < 0)
		return -EINVAL;
	if (size > bus->lo.max_payload)
		return -EMSGSIZE;
	cancel = cancel_off();
	err = schedule(bus, name, data, (uint32_t)size, due, &ev, &id);
	aioevt_shm_event_close(ev);
	cancel_on(cancel);
	err = bus_result(bus, err);
	if (!err && ret_id)
		*ret_id = id;
	return err;
}

static int cancel_timer(struct aioevt_shm *bus, uint32_t index, uint64_t id)
{
	struct timer_look look;
	struct event_ref ref;
	int err;

	for (unsigned i = 0; i < MAX_LOST_LONG; i++) {
		if (!timer_look(bus, index, &look) || look.id != id)
			return -ENOENT;
		ref = ref_of(look.event);
		if (ref.index >= bus->lo.n_events)
			return -EPROTO;
		if (timer_phase(look.state) == TIMER_FIRING) {
			err = firing_settle_timer(bus, &look);
			if (err < 0)
				return err;
		} else if (timer_release(bus, index, look.state)) {
			mend_due(bus, look.event);
			return 0;
		}
	}
	return -EBUSY;
}

int aioevt_shm_cancel(struct aioevt_shm *bus, uint64_t id)
{
	uint64_t index = (id & TIMER_INDEX_MASK) - 1;
	int err = bus_check(bus), cancel;

	if (err < 0)
		return err;
	if (index >= bus->lo.n_timers)
		return -ENOENT;
	cancel = cancel_off();
	err = cancel_timer(bus, (uint32_t)index, id);
	cancel_on(cancel);
	return bus_result(bus, err);
}
