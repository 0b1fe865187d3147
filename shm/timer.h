/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TIMER_H
#define AIOEVT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "event.h"

/* ---- the words: see timer.c and timer-fire.c ------------------------------------------- */

#define TIMER_FREE	0u
#define TIMER_WRITING	1u
#define TIMER_ARMED	2u
#define TIMER_FIRING	3u

/* timer->state = version:36 | arg:24 | phase:4. arg: a port, or the low bits of a number */
#define TIMER_PHASE	UINT64_C(15)
#define TIMER_ARG_SHIFT	4
#define TIMER_ARG_MASK	UINT64_C(0xffffff)
#define TIMER_VERSION_SHIFT	28
#define TIMER_VERSION_MASK	((UINT64_C(1) << 36) - 1)

/* timer->id = version:36 | index + 1:14; event->firing has a port below that. */
#define TIMER_INDEX_BITS	14
#define TIMER_INDEX_MASK	((UINT64_C(1) << TIMER_INDEX_BITS) - 1)

static inline uint32_t timer_phase(uint64_t state)
{
	return (uint32_t)(state & TIMER_PHASE);
}

static inline uint32_t timer_arg(uint64_t state)
{
	return (uint32_t)(state >> TIMER_ARG_SHIFT & TIMER_ARG_MASK);
}

static inline uint64_t timer_version(uint64_t state)
{
	return state >> TIMER_VERSION_SHIFT;
}

static inline uint64_t timer_word(uint64_t version, uint64_t arg, uint32_t phase)
{
	return version << TIMER_VERSION_SHIFT | (arg & TIMER_ARG_MASK) << TIMER_ARG_SHIFT | phase;
}

/* It goes on to @phase, under the next version. */
static inline uint64_t timer_next(uint64_t state, uint64_t arg, uint32_t phase)
{
	return timer_word(timer_version(state) + 1, arg, phase);
}

static inline bool timer_is_pending(uint64_t state)
{
	return timer_phase(state) == TIMER_ARMED || timer_phase(state) == TIMER_FIRING;
}

static inline uint64_t timer_id(uint64_t version, uint32_t index)
{
	return (version & TIMER_VERSION_MASK) << TIMER_INDEX_BITS | (index + 1);
}

static inline uint64_t firing_word(uint64_t version, uint32_t port, uint32_t index)
{
	return version << (TIMER_INDEX_BITS + 14) | (uint64_t)port << TIMER_INDEX_BITS |
	       (index + 1);
}

static inline uint64_t timer_event_word(struct event_ref ref)
{
	return (uint64_t)ref.generation << 32 | ref.index;
}

/* event->due = ticks:50 | count:14. A tick is 1024 ns; 0: none. */
#define DUE_COUNT_BITS	14
#define DUE_COUNT_MASK	((UINT64_C(1) << DUE_COUNT_BITS) - 1)
#define DUE_TICK_SHIFT	10
#define DUE_MAX		((UINT64_C(1) << 50) - 1)
#define NO_DUE		UINT64_MAX

static inline uint64_t due_ticks(uint64_t word)
{
	return word >> DUE_COUNT_BITS;
}

/* The end of that tick: whatever is due in it is due then. NO_DUE if there is none. */
static inline uint64_t due_ns(uint64_t word)
{
	return due_ticks(word) ? (due_ticks(word) + 1) << DUE_TICK_SHIFT : NO_DUE;
}

static inline struct timer *bus_timer(const struct aioevt_shm *bus, uint32_t i)
{
	return (struct timer *)(bus->base + bus->lo.timers) + i;
}

static inline uint32_t bus_timers_used(const struct aioevt_shm *bus)
{
	/* bus_timers_used:A  seq_cst, pairs with bus_raise:A: who looks for the timers of an
	 * event that it removed must not miss one that was armed before */
	uint32_t n = atomic_load_explicit(&bus->header->timers_hw, memory_order_seq_cst);

	return n < bus->lo.n_timers ? n : bus->lo.n_timers;
}

static inline uint64_t timer_body_offset(const struct aioevt_shm *bus, uint32_t i)
{
	return TIMER_BODIES + (uint64_t)i * bus->lo.body_stride;
}

/* ---- the table, timer.c ------------------------------------------------------------------ */

/* A timer that is to be fired, as it was at one time. */
struct timer_look {
	uint64_t state, id, due, order, event;
	uint32_t index, size;
};

bool timer_look(struct aioevt_shm *bus, uint32_t index, struct timer_look *ret_look);

/* Copy its payload. False: it is not what it was at @look any more. Or -EPROTO, or of pread(2). */
int timer_read(struct aioevt_shm *bus, const struct timer_look *look, void *buf);

/* It is pending at @state: end it, and give its memory back. False: it is not so any more. */
bool timer_release(struct aioevt_shm *bus, uint32_t index, uint64_t state);

/* The earliest due of an event; 0 ticks: it has no timer. */
uint64_t timer_due(const struct event *ev);

/* An event's due is too low, perhaps: let it be what the table says. */
void timer_mend(struct aioevt_shm *bus, uint32_t index, uint32_t generation);

/* Is there a timer of this event? Mends its due. */
bool timer_any(struct aioevt_shm *bus, uint32_t index, uint32_t generation);

/* In a private slot: no timers of its former life. */
void timer_clear_event(struct event *ev);

/* The event was removed: so are its timers. */
void timer_drop_event(struct aioevt_shm *bus, struct event_ref ref);

/*
 * What others left by halves: timers whose event went are ended, and the dues of events for which
 * @is_mine (NULL: all) lowered to what the table says.
 */
void timer_heal(struct aioevt_shm *bus, bool (*is_mine)(void *arg, uint32_t event), void *arg);

/* After dead port @p: the timers that it was writing, and what timer_heal() does. */
void timer_reap(struct aioevt_shm *bus, uint32_t p);

/* ---- firing, timer-fire.c ------------------------------------------------------------------ */

/* An attempt to fire a timer. */
struct firing {
	struct event_map *map;
	struct timer *timer;
	uint64_t word;			/* in event->firing while it is going on */
	uint64_t state;			/* of the timer: ARMED, then as FIRING */
};

/* For how long another was seen to be at it. Starts as zeros. */
struct patience {
	uint64_t word, since;
};

/*
 * Emit what is due of the event that @ev has open, the earliest first. Returns 0; -EBUSY if a
 * live participant is at it, who is given GRACE_NS if @patience is kept, else left alone;
 * -EAGAIN, -ENOSPC, ... as aioevt_shm_emit(): what could not be emitted stays. With no lock held.
 */
int timer_fire(struct aioevt_shm_event *ev, uint64_t now, struct patience *patience);

/* The same, if anything is due. */
void timer_fire_overdue(struct aioevt_shm_event *ev);

/* Is it going on still? If not, to claim a number would waste that. */
bool firing_is_held(const struct firing *f);

/* The record at @seq is written. False: the timer was cancelled, or the attempt ended by others. */
bool firing_begin(struct firing *f, uint64_t seq);

/*
 * Of who claims number @seq in @ring, the last of @map that it knows: @seq is below what is
 * returned, or may be claimed this once. Async-signal-safe.
 */
uint64_t firing_limit(struct event_map *map, const struct ring *ring, uint64_t seq);

/* Decide the attempt that is going on at the event, if any. All its rings are mapped. */
void firing_settle(struct event_map *map);

/* The same by the timer that is FIRING. Returns 0: look again; -ENOENT (its event went), -ENOMEM, -EPROTO. */
int firing_settle_timer(struct aioevt_shm *bus, const struct timer_look *look);

#endif
