/* SPDX-License-Identifier: MIT */
/* Timers: emissions to come. timer.c and timer-fire.c tell their words, inspect.c the rules. */
#include "inspect.h"

#include <inttypes.h>

#include "registry.h"
#include "timer.h"

static const struct timer *look_timer(const struct look *look, uint32_t i)
{
	return (const void *)(look->tables + look->lo.timers + i * sizeof(struct timer));
}

/* Memory of a large payload: loose while somebody writes it or gives it back. */
static void add_body(struct look *look, uint32_t i, bool loose)
{
	uint64_t start = TIMER_BODIES + (uint64_t)i * look->lo.body_stride;

	extents_add(look, &look->bodies, (struct extent){
			.start = start, .end = start + look->lo.body_stride, .event = NOBODY,
			.loose = loose });
	look->in_flux |= loose;
}

static void look_at_writing(struct look *look, uint32_t i, uint64_t state)
{
	uint32_t p = timer_arg(state);
	enum holder holder = look_holder(look, p);

	add_body(look, i, true);
	if (holder == HOLDER_NONE)
		report(look, PROBLEM, "timer", state, i, "timer %" PRIu32 " is being written by "
		       "port %" PRIu32 ", which nobody has", i, p);
	else if (holder == HOLDER_DEAD)
		report(look, NOTE, "dead-timer", state, i, "timer %" PRIu32 " was being written "
		       "by process %d, dead", i, (int)look_pid(look, p));
}

/* Is it what its event says is being fired? */
static void look_at_firing(struct look *look, uint32_t i, uint64_t state, uint32_t e)
{
	uint64_t word = get64(&look_event(look, e)->firing);
	uint32_t p = (uint32_t)(word >> TIMER_INDEX_BITS) & (MAX_LISTENERS * 2 - 1);

	if (word != firing_word(timer_version(state), p, i))
		report(look, PROBLEM, "timer", state, i, "event \"%s\": timer %" PRIu32 " is being "
		       "fired, and nobody is at it", look_name(look, e), i);
	else if (look_holder(look, p) != HOLDER_ALIVE)
		report(look, NOTE, "dead-timer", state, i, "event \"%s\": timer %" PRIu32 " was "
		       "being fired by process %d, dead", look_name(look, e), i,
		       (int)look_pid(look, p));
}

static void count(struct look *look, uint32_t e, uint64_t due)
{
	struct aioevt_shm_event_look *seen = look_seen(look, e);
	uint64_t told = due_ticks(get64(&look_event(look, e)->due));

	if (!seen->n_timers++ || due < seen->due)
		seen->due = due;
	look->out->n_timers++;
	if (!told || told > due >> DUE_TICK_SHIFT)
		report(look, NOTE, "untold-timer", look_state(look, e), due, "event \"%s\" has a "
		       "timer that its listeners do not know of before they look again",
		       look_name(look, e));
}

static void look_at_pending(struct look *look, uint32_t i, uint64_t state)
{
	const struct timer *t = look_timer(look, i);
	uint64_t ref = get64(&t->event);
	uint32_t e = (uint32_t)ref, size = get32(&t->size);

	if (size > TIMER_INLINE)
		add_body(look, i, false);
	if (e >= look->lo.n_events || size > look->lo.max_payload) {
		report(look, PROBLEM, "timer", state, i, "timer %" PRIu32 ": %" PRIu32
		       " bytes for the event at place %" PRIu32, i, size, e);
		return;
	}
	if (event_generation(look_state(look, e)) != ref >> 32 ||
	    !event_is_findable(look_state(look, e))) {
		report(look, NOTE, "stray-timer", state, i, "timer %" PRIu32 " is of an event that "
		       "was removed; the next who comes by frees it", i);
		return;
	}
	count(look, e, get64(&t->due));
	if (timer_phase(state) == TIMER_FIRING)
		look_at_firing(look, i, state, e);
}

/* A due too low costs a look; but an attempt by nobody holds up no one, and is never made. */
static void look_at_attempt(struct look *look, uint32_t e)
{
	uint64_t word = get64(&look_event(look, e)->firing);
	uint32_t p = (uint32_t)(word >> TIMER_INDEX_BITS) & (MAX_LISTENERS * 2 - 1);

	if (word && event_is_findable(look_state(look, e)) &&
	    look_holder(look, p) == HOLDER_NONE)
		report(look, PROBLEM, "timer", word, e, "event \"%s\": port %" PRIu32 ", which "
		       "nobody has, is firing a timer", look_name(look, e), p);
}

void look_at_timers(struct look *look)
{
	for (uint32_t i = 0; i < look->lo.n_timers; i++) {
		uint64_t state = get64(&look_timer(look, i)->state);
		uint32_t phase = timer_phase(state);

		if (phase > TIMER_FIRING)
			report(look, PROBLEM, "timer", state, i, "timer %" PRIu32 " is in state "
			       "0x%" PRIx64 ", which is none", i, state);
		else if (phase == TIMER_WRITING)
			look_at_writing(look, i, state);
		else if (phase != TIMER_FREE)
			look_at_pending(look, i, state);
		if (phase != TIMER_FREE && i >= get32(&look->header.timers_hw))
			report(look, PROBLEM, "timer", state, UINT64_C(1) << 32 | i, "timer %" PRIu32
			       " is taken, and timers are looked for below %" PRIu32 " only", i,
			       get32(&look->header.timers_hw));
	}
	for (uint32_t e = 0; e < look->lo.n_events; e++)
		look_at_attempt(look, e);
}
