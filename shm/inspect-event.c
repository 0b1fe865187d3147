/* SPDX-License-Identifier: MIT */
/* Events as the table has them, and their reliable readers. See inspect.c. */
#include "inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "event-map-internal.h"
#include "name.h"
#include "registry.h"

#define PAGE		4096u
#define MIN_LOG2	3u

static const char *const phases[] = { "free", "new", "live", "retiring", "dead", "gone" };

/* ---- listeners --------------------------------------------------------------------- */

static void look_at_listener_bit(struct look *look, uint32_t e, uint32_t l, uint32_t n_words)
{
	uint64_t state = look_state(look, e);

	if (look_owner(look, l) == NOBODY)
		report(look, PROBLEM, "listener-bit", state, l, "event \"%s\" has the bit of "
		       "listener %" PRIu32 ", which nobody has", look_name(look, e), l);
	if (l / 64 >= n_words)
		report(look, PROBLEM, "listener-bit", state, UINT64_C(1) << 32 | l,
		       "event \"%s\": listener %" PRIu32 " is not looked for by emitters",
		       look_name(look, e), l);
}

static void look_at_listener_bits(struct look *look, uint32_t e)
{
	const struct event *ev = look_event(look, e);
	uint32_t n_words = get32(&ev->n_words);
	struct aioevt_shm_event_look *seen = look_seen(look, e);

	if (n_words > look->lo.n_words)
		report(look, PROBLEM, "event", look_state(look, e), 1, "event \"%s\" has %"
		       PRIu32 " words of listeners, of %" PRIu32, seen->name, n_words,
		       look->lo.n_words);
	for (uint32_t l = 0; l < look->lo.n_listeners; l++)
		if (has_bit(&ev->listeners, l)) {
			seen->n_listeners++;
			look_at_listener_bit(look, e, l, n_words);
		}
}

/* ---- rings, as far as the table tells ------------------------------------------------ */

static uint64_t region_size(const struct look *look, uint64_t word, bool first)
{
	return round_up((first ? look->lo.ctl_size : 0) +
			ring_region_size(&look->lo, ring_depth(word)), PAGE);
}

static bool is_place(const struct look *look, uint64_t word, uint64_t size)
{
	uint64_t offset = ring_offset(word), end = get64(&look->header.region_end);

	return (word & (REGION_ALIGN - 1)) <= MAX_LOG2 && (word & LOG2_MASK) >= MIN_LOG2 &&
	       offset >= look->lo.tables_end && end <= REGION_LIMIT && offset <= end &&
	       size <= end - offset;
}

/* Ring @k of event @e. Only an event that can be found is sure to be whole. */
static void look_at_word(struct look *look, uint32_t e, unsigned k, uint64_t word)
{
	struct aioevt_shm_event_look *seen = look_seen(look, e);
	uint64_t state = look_state(look, e), size = region_size(look, word, !k);
	bool whole = event_is_findable(state) || event_phase(state) == EVENT_DEAD;

	if (!is_place(look, word, size)) {
		if (whole)
			report(look, PROBLEM, "ring-place", state, k, "event \"%s\": ring %u "
			       "has no place in the file: 0x%" PRIx64, seen->name, k, word);
		return;
	}
	seen->memory += size;
	extents_add(look, &look->regions, (struct extent){
			.start = ring_offset(word), .end = ring_offset(word) + size,
			.event = e, .ring = k, .loose = !whole });
}

static void look_at_words(struct look *look, uint32_t e)
{
	const struct event *ev = look_event(look, e);
	uint64_t state = look_state(look, e), word = 0;
	unsigned k;

	for (k = 0; k < MAX_RINGS; k++) {
		word = get64(&ev->ring[k]);
		if (word <= RING_SEALED)
			break;
		look_at_word(look, e, k, word);
	}
	if (!event_is_findable(state))
		return;
	if (!k)
		report(look, PROBLEM, "ring-place", state, 0, "event \"%s\" has no ring",
		       look_name(look, e));
	else if (k < MAX_RINGS && word == RING_SEALED)
		report(look, PROBLEM, "event", state, 2, "event \"%s\" is ended, but not dead",
		       look_name(look, e));
}

/* ---- phases -------------------------------------------------------------------------- */

static void look_at_phase(struct look *look, uint32_t e)
{
	uint64_t state = look_state(look, e);
	uint32_t phase = event_phase(state), p = event_port(state);

	if (!event_is_findable(state))
		look->in_flux = true;
	if (phase == EVENT_NEW && look_holder(look, p) != HOLDER_NONE)
		report(look, NOTE, "unfinished", state, e, "event \"%s\" is being made by port %"
		       PRIu32 " (process %d%s)", look_name(look, e), p,
		       (int)look_pid(look, p),
		       look_holder(look, p) == HOLDER_ALIVE ? "" : ", dead");
	if (phase == EVENT_DEAD || phase == EVENT_GONE)
		report(look, NOTE, "unburied", state, e, "event \"%s\" was removed; its place is "
		       "free once nobody has it open and somebody comes by",
		       look_name(look, e));
}

static void look_at_event(struct look *look, uint32_t e)
{
	uint64_t state = look_state(look, e);
	struct aioevt_shm_event_look *seen;
	struct name name;

	if (event_phase(state) > EVENT_GONE) {
		report(look, PROBLEM, "event", state, e, "place %" PRIu32 " is in state 0x%"
		       PRIx64 ", which is none", e, state);
		return;
	}
	look->look_of[e] = look->out->n_events;
	seen = look_grow(look, &look->out->events, &look->out->n_events, sizeof(*seen));
	if (!seen)
		return;
	seen->index = e;
	seen->phase = phases[event_phase(state)];
	memcpy(&name, &look_event(look, e)->name, sizeof(name));
	if (name_unpack(&name, seen->name) < 0 && event_phase(state) != EVENT_NEW)
		report(look, PROBLEM, "name", state, e, "place %" PRIu32
		       " has an event without a proper name", e);
	if (e >= get32(&look->header.events_hw))
		report(look, PROBLEM, "event", state, UINT64_C(1) << 32 | e, "place %" PRIu32
		       " has an event, and events are looked for below %" PRIu32 " only", e,
		       get32(&look->header.events_hw));
	look_at_phase(look, e);
	if (event_is_findable(state))
		look_at_listener_bits(look, e);
	look_at_words(look, e);
}

void look_at_events(struct look *look)
{
	for (uint32_t e = 0; e < look->lo.n_events && !look->err; e++)
		if (event_phase(look_state(look, e)) != EVENT_FREE)
			look_at_event(look, e);
}

/* ---- reliable readers ------------------------------------------------------------------ */

/* As reliable.c places them. */
static uint64_t cursor_of(const struct look *look, const unsigned char *ctl, uint32_t l)
{
	uint32_t rows = look->lo.n_listeners / 8;

	return get64(ctl + look->lo.ctl_size - look->lo.n_listeners * 8 +
		     (l % rows * 8 + l / rows) * 8) & SEQ_MASK;
}

/* The head of the last ring, now: after the cursors. */
static uint64_t head_now(const struct look *look, const struct track *track)
{
	uint64_t head;

	look_read(look->fd, track->head_offset, &head, sizeof(head));
	return head_seq(head);
}

static void look_at_cursor(struct look *look, uint32_t e, uint32_t l, uint64_t cursor,
			   uint64_t head)
{
	const struct track *track = &look->tracks[e];
	uint32_t owner = look_owner(look, l);
	bool alive = look_holder(look, owner) == HOLDER_ALIVE;
	struct aioevt_shm_reader_look *seen;

	seen = look_grow(look, &look->out->readers, &look->out->n_readers, sizeof(*seen));
	if (!seen)
		return;
	*seen = (struct aioevt_shm_reader_look){
		.event = look->look_of[e], .listener = l, .port = owner,
		.pid = look_pid(look, owner), .alive = alive,
		.lag = head > cursor ? head - cursor : 0,
	};
	if (cursor > head + 1)
		report(look, PROBLEM, "cursor", look_state(look, e), l, "event \"%s\": the "
		       "reliable reader of process %d is %" PRIu64 " records ahead",
		       look_name(look, e), (int)seen->pid, cursor - head);
	else if (alive && cursor + track->depth < track->head)
		report(look, PROBLEM, "overtaken", look_state(look, e), l, "event \"%s\": the "
		       "reliable reader of process %d was overtaken", look_name(look, e),
		       (int)seen->pid);
	else if (alive && seen->lag)
		report(look, NOTE, "lag", look_state(look, e), l, "event \"%s\": the reliable "
		       "reader of process %d is %" PRIu64 " records behind, of %" PRIu32,
		       look_name(look, e), (int)seen->pid, seen->lag, track->depth);
}

static void look_at_reader(struct look *look, uint32_t e, const unsigned char *ctl,
			   uint32_t l, uint64_t head)
{
	uint64_t state = look_state(look, e);

	look_seen(look, e)->n_reliable++;
	if (look_owner(look, l) == NOBODY)
		report(look, PROBLEM, "reader", state, l, "event \"%s\" waits for listener %"
		       PRIu32 ", which nobody has", look_name(look, e), l);
	else if (!has_bit(&look_event(look, e)->listeners, l))
		report(look, PROBLEM, "reader", state, UINT64_C(1) << 32 | l, "event \"%s\" "
		       "waits for listener %" PRIu32 ", which does not listen to it",
		       look_name(look, e), l);
	look_at_cursor(look, e, l, cursor_of(look, ctl, l), head);
}

void look_at_readers(struct look *look, uint32_t e)
{
	const struct track *track = &look->tracks[e];
	unsigned char *ctl = malloc(look->lo.ctl_size);
	uint64_t head;

	if (!ctl) {
		look->err = -ENOMEM;
		return;
	}
	look_read(look->fd, track->ctl_offset, ctl, look->lo.ctl_size);
	head = head_now(look, track);
	for (uint32_t l = 0; l < look->lo.n_listeners; l++)
		if (has_bit(ctl + offsetof(struct event_ctl, reliable), l))
			look_at_reader(look, e, ctl, l, head);
	free(ctl);
}
