/* SPDX-License-Identifier: MIT */
/*
 * Name to event: a hash table of lists over a table of event slots. Memory is type-stable:
 * a slot is an event slot for ever, and its generation grows with each use. Here are the
 * words, the bits in use and the lists; create.c has an event's way in, bury.c its way out.
 *
 *   state = generation:32 | port:16 | phase:16
 *   FREE     nobody's         -> NEW, generation + 1, by its maker's CAS (take_slot)
 *   NEW      private          -> linked into its bucket, then LIVE by anyone who meets it
 *                             -> FREE by its maker (lost the race), or its maker's reaper
 *                             -> DEAD instead of LIVE if it starts below the floor, bury.c
 *   LIVE     can be found     -> RETIRING by who needs its place (registry_retire)
 *                             -> DEAD by who removes it (registry_kill); for good
 *   RETIRING can be found     -> LIVE by whoever uses it, or by its retirer if it is in use
 *                             -> DEAD by its retirer, whose port is in the word
 *   DEAD     cannot be found  -> GONE by anyone, once it is ended and unlinked
 *   GONE     nobody's to be   -> FREE by anyone (registry_bury), once no port uses it
 *
 * Lists are Harris's ("A Pragmatic Implementation of Non-Blocking Linked-Lists", 2001): a
 * link is generation:32 | index + 1:31 | mark:1. An event is put in at the head only, by a
 * CAS that fails if anybody was put in meanwhile: so no name is in a list twice. To
 * take one out, its next is marked first, so that nobody hangs anything behind it or
 * takes out its successor through it; then the link that leads to it is moved on.
 * A traveller that finds another generation than its link said starts again.
 *
 * Using an event: a port sets its bit in port->using (seq_cst), then looks at the state
 * (seq_cst): GONE and FREE mean it came too late. Who frees one makes it GONE (seq_cst), then
 * looks at all ports' bits (seq_cst). One of the two sees the other, so memory in use is
 * never freed and a stale mapping never touches a hole. (How many ports there are to look at
 * is part of this: raised before a port's first bit.) A dead port's bits count until it is
 * reaped. In the same way a user and a retirer (RETIRING, then the bits, then DEAD; and
 * the bit, then RETIRING back to LIVE) see each other: an open event is never retired.
 * A bit tells an index and no generation, so a process sets and clears it in one place: with
 * its one mapping of that index (event-map.c), which has a generation and counts its users.
 *
 * Ordering
 *   registry_link:A / walk:A        release/acquire: a linked event is complete.
 *   take_slot:A / walk:D            seq_cst: who sees any new content sees the generation.
 *   bus_raise:A, registry_use:A,B / registry_kill:A, registry_retire:A,B, bury:E,
 *       bus_ports_used:A, in_use:A   seq_cst store buffering, as told.
 * Progress  lock-free. Every restart of a walk means that another's insertion or removal
 *   was done. Nobody waits for the maker of a NEW event: it is not in the list.
 * Crash     a user killed anywhere leaves its bit to the reaper of its port. Makers are told
 *   of in create.c, who removes or retires in bury.c.
 */
#include "registry-internal.h"

#include <errno.h>

#include "event-map.h"
#include "siphash.h"

struct bucket *registry_bucket(struct aioevt_shm *bus, const struct name *name)
{
	uint64_t h = siphash_words(bus->lo.hash_key, name->words, NAME_WORDS);

	return &bus_buckets(bus)[h & (bus->lo.n_buckets - 1)];
}

uint64_t registry_state(struct aioevt_shm *bus, uint32_t index)
{
	/* walk:D  seq_cst, pairs with take_slot:A, registry_kill:A, registry_link:B, bury:B */
	return atomic_load_explicit(&bus_event(bus, index)->state, memory_order_seq_cst);
}

void registry_name(struct aioevt_shm *bus, uint32_t index, struct name *ret_name)
{
	struct event *ev = bus_event(bus, index);

	for (unsigned i = 0; i < NAME_WORDS; i++)
		/* registry_name:A  acquire, pairs with set_name:A */
		ret_name->words[i] = atomic_load_explicit(&ev->name[i], memory_order_acquire);
}

static bool name_is(struct event *ev, const struct name *name)
{
	for (unsigned i = 0; i < NAME_WORDS; i++)
		/* name_is:A  acquire, pairs with set_name:A */
		if (atomic_load_explicit(&ev->name[i], memory_order_acquire) !=
		    name->words[i])
			return false;
	return true;
}

/* ---- in use ---------------------------------------------------------------------- */

bool registry_is_live(struct aioevt_shm *bus, struct event_ref ref)
{
	uint64_t state = registry_state(bus, ref.index);

	return event_generation(state) == ref.generation && event_is_findable(state);
}

void registry_keep(struct aioevt_shm *bus, uint32_t index, uint64_t retiring)
{
	/* keep:A  seq_cst, pairs with registry_retire:A,B */
	atomic_compare_exchange_strong(&bus_event(bus, index)->state, &retiring,
			event_word(event_generation(retiring), 0, EVENT_LIVE));
}

void registry_use(struct aioevt_shm *bus, uint32_t index)
{
	/* registry_use:A  seq_cst, pairs with in_use:A */
	atomic_fetch_or(using_word(bus->port, index), bit_of(index));
}

bool registry_has_kept(struct aioevt_shm *bus, struct event_ref ref, bool even_dead)
{
	/* registry_use:B  is the load in registry_state(), pairs with registry_kill:A,
	 * registry_retire:A,B, bury:E */
	uint64_t state = registry_state(bus, ref.index);

	while (event_generation(state) == ref.generation &&
	       event_phase(state) == EVENT_RETIRING) {
		registry_keep(bus, ref.index, state);
		state = registry_state(bus, ref.index);
	}
	return event_generation(state) == ref.generation &&
	       (event_phase(state) == EVENT_LIVE ||
		(even_dead && event_phase(state) == EVENT_DEAD));
}

void registry_unuse(struct aioevt_shm *bus, uint32_t index)
{
	/* registry_unuse:A  seq_cst, pairs with in_use:A: my last access comes before the
	 * hole is punched */
	atomic_fetch_and(using_word(bus->port, index), ~bit_of(index));
}

static bool uses(struct aioevt_shm *bus, uint32_t p, uint32_t index)
{
	/* in_use:A  seq_cst, pairs with registry_use:A, registry_unuse:A */
	return atomic_load(using_word(bus_port(bus, p), index)) & bit_of(index);
}

bool registry_in_use(struct aioevt_shm *bus, uint32_t index)
{
	for (uint32_t p = 0; p < bus_ports_used(bus); p++)
		if (uses(bus, p, index))
			return true;
	return false;
}

bool registry_others_use(struct aioevt_shm *bus, uint32_t index)
{
	for (uint32_t p = 0; p < bus_ports_used(bus); p++)
		if (p != bus->port_index && uses(bus, p, index))
			return true;
	return false;
}

/* ---- the lists ---------------------------------------------------------------------- */

void registry_make_live(struct aioevt_shm *bus, struct bucket *bucket, uint32_t index,
			uint64_t fresh)
{
	struct event *ev = bus_event(bus, index);
	uint64_t first = event_first_number(bus, registry_floor_of(bucket));
	/* registry_link:E  relaxed: stored before registry_link:A; if it is of a later event,
	 * the CAS fails */
	bool late = atomic_load_explicit(&ev->start, memory_order_relaxed) < first;

	/* registry_link:B  seq_cst, pairs with walk:D */
	if (atomic_compare_exchange_strong(&ev->state, &fresh,
			event_word(event_generation(fresh), 0,
				   late ? EVENT_DEAD : EVENT_LIVE)) && !late)
		/* registry_link:D  seq_cst, pairs with pattern_scan:A: before anyone looks
		 * for listeners that have patterns */
		atomic_fetch_add(&bus->header->n_created, 1);
}

/*
 * One event of a list; dead ones are taken out if @help, else passed by. Returns 1 if it is
 * @name, 0 to go on (w moved), -EAGAIN to start again, or an error.
 */
static int walk_step(struct aioevt_shm *bus, struct bucket *bucket,
		     const struct name *name, bool help, struct walk *w)
{
	uint32_t index = link_index(w->link) - 1;
	struct event *ev;
	uint64_t next, state;
	bool same;

	if (index >= bus->lo.n_events)
		return -EPROTO;
	ev = bus_event(bus, index);
	/* walk:B  acquire, pairs with registry_link:C, mark_next:A */
	next = atomic_load_explicit(&ev->next, memory_order_acquire);
	same = name && name_is(ev, name);
	state = registry_state(bus, index);
	w->state = state;
	if (event_generation(state) != link_generation(w->link))
		return -EAGAIN;
	if (event_phase(state) > EVENT_GONE)
		return -EPROTO;
	if (event_phase(state) == EVENT_NEW)
		registry_make_live(bus, bucket, index, state);
	if (event_phase(state) == EVENT_DEAD && help)
		return registry_take_out(bus, bucket, w);
	if (event_phase(state) == EVENT_GONE || event_phase(state) == EVENT_FREE)
		return -EAGAIN;
	if (event_phase(state) != EVENT_DEAD && same)
		return 1;
	if (next & MARK && help)
		return -EAGAIN;
	w->from = &ev->next;
	w->link = next & ~MARK;
	return 0;
}

/*
 * Started again at the very place, link and state that made the walk start again before? What
 * was found there was on its way out of the list, and no link is ever made anew.
 */
static bool is_stuck(const struct walk *w, struct walk *last, unsigned *n_times)
{
	bool same = w->from == last->from && w->link == last->link && w->state == last->state;

	*n_times = same ? *n_times + 1 : 0;
	*last = *w;
	return *n_times >= MAX_STILL;
}

int registry_walk(struct aioevt_shm *bus, struct bucket *bucket, const struct name *name,
		  bool help, struct walk *ret_walk)
{
	struct walk last = { 0 };
	unsigned n_times = 0;

	for (unsigned round = 0; round < MAX_LOST_LONG; round++) {
		struct walk w = { .from = &bucket->link }, at;
		int r = 0;

		/* walk:A  acquire, pairs with registry_link:A, unlink:A */
		w.link = atomic_load_explicit(&bucket->link, memory_order_acquire);
		w.head = w.link;
		for (uint32_t n = 0; link_index(w.link) && !r; n++) {
			at = w;
			r = n > 2 * bus->lo.n_events ? -EPROTO :
			    walk_step(bus, bucket, name, help, &w);
			if (w.from == &bucket->link)
				w.head = w.link;
			if (r == 1)
				w.link = at.link;
		}
		if (r != -EAGAIN) {
			*ret_walk = w;
			return r;
		}
		if (is_stuck(&w, &last, &n_times))
			return -EPROTO;
	}
	return -EBUSY;
}

int registry_find(struct aioevt_shm *bus, const struct name *name,
		  struct event_ref *ret_ref)
{
	struct walk w;
	int r = registry_walk(bus, registry_bucket(bus, name), name, true, &w);

	if (r > 0) {
		ret_ref->index = link_index(w.link) - 1;
		ret_ref->generation = link_generation(w.link);
	}
	return r;
}
