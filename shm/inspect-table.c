/* SPDX-License-Identifier: MIT */
/* Header, ports, listeners and the lists of events. See inspect.c. */
#include "inspect.h"

#include <inttypes.h>
#include <stdlib.h>

#include "name.h"
#include "port.h"
#include "registry.h"
#include "siphash.h"

/* ---- header --------------------------------------------------------------------------- */

static void look_at_mark(struct look *look, const void *mark, uint32_t most, const char *what)
{
	if (get32(mark) > most)
		report(look, PROBLEM, "header", get32(mark), most,
		       "%s ever used: %" PRIu32 " of %" PRIu32, what, get32(mark), most);
}

bool look_at_header(struct look *look)
{
	const struct bus_header *h = &look->header;
	const struct layout *lo = &look->lo;
	uint64_t regions = get64(&h->region_end), bodies = get64(&h->body_end);

	if ((uint64_t)look->st.st_size < lo->tables_end) {
		report(look, PROBLEM, "truncated", 0, 0, "the file has %" PRIu64
		       " bytes, its tables alone %" PRIu64, (uint64_t)look->st.st_size,
		       lo->tables_end);
		return false;
	}
	if ((uint64_t)look->st.st_blocks * 512 < lo->tables_end)
		report(look, PROBLEM, "missing-memory", 0, 0, "the tables have holes: "
		       "%" PRIu64 " bytes of memory for %" PRIu64,
		       (uint64_t)look->st.st_blocks * 512, lo->tables_end);
	if (get32(&h->removed) && look->st.st_nlink)
		report(look, PROBLEM, "header", 0, 0,
		       "it is marked as removed, but the file is there");
	if (!look->st.st_nlink)
		report(look, NOTE, "removed", 0, 0, "the file was removed meanwhile");
	look_at_mark(look, &h->ports_hw, lo->n_listeners, "ports");
	look_at_mark(look, &h->listeners_hw, lo->n_listeners, "listeners");
	look_at_mark(look, &h->events_hw, lo->n_events, "events");
	look_at_mark(look, &h->timers_hw, lo->n_timers, "timers");
	if (regions < lo->tables_end || regions % REGION_ALIGN || regions > REGION_LIMIT)
		report(look, PROBLEM, "header", 1, 0, "the end of the rings, 0x%" PRIx64
		       ", is none", regions);
	if (bodies < BODY_BASE || bodies % BODY_ALIGN || bodies > BODY_LIMIT)
		report(look, PROBLEM, "header", 2, 0, "the end of the bodies, 0x%" PRIx64
		       ", is none", bodies);
	return true;
}

/* ---- ports ---------------------------------------------------------------------------- */

static uint32_t count_uses(const struct look *look, uint32_t p)
{
	const struct port *port = look_port(look, p);
	uint32_t n = 0;

	for (uint32_t w = 0; w < look->lo.n_events / 64; w++)
		n += (uint32_t)__builtin_popcountll(get64(&port->using[w]));
	return n;
}

/* A free port shall have nothing: nobody would ever give it back. */
static void look_at_free_port(struct look *look, uint32_t p)
{
	const struct port *port = look_port(look, p);

	if (count_uses(look, p))
		report(look, PROBLEM, "free-port", p, 0, "port %" PRIu32 ", which nobody "
		       "has, keeps %" PRIu32 " events open", p, count_uses(look, p));
	if (get64(&port->pending_offset))
		report(look, PROBLEM, "free-port", p, 1, "port %" PRIu32 ", which nobody "
		       "has, is making a ring", p);
}

/* Memory that a port is about to give to an event. */
static void add_pending(struct look *look, uint32_t p)
{
	const struct port *port = look_port(look, p);
	uint64_t offset = get64(&port->pending_offset), size = get64(&port->pending_size);

	if (!offset)
		return;
	look->in_flux = true;
	if (offset < look->lo.tables_end || offset % REGION_ALIGN || offset >= REGION_LIMIT ||
	    size > REGION_LIMIT - offset) {
		report(look, PROBLEM, "port", p, 1, "port %" PRIu32 " is making a ring of %"
		       PRIu64 " bytes at 0x%" PRIx64 ", which is no place for one", p, size,
		       offset);
		return;
	}
	extents_add(look, &look->regions, (struct extent){
			.start = offset, .end = offset + size, .event = NOBODY,
			.loose = true });
}

static void look_at_taken_port(struct look *look, uint32_t p, enum holder holder)
{
	const struct port *port = look_port(look, p);
	struct aioevt_shm_port_look *seen = look_grow(look, &look->out->ports,
						      &look->out->n_ports, sizeof(*seen));

	if (!seen)
		return;
	seen->port = p;
	seen->state = holder == HOLDER_ALIVE ? AIOEVT_SHM_PORT_ALIVE : AIOEVT_SHM_PORT_DEAD;
	seen->pid = look_pid(look, p);
	seen->since = get64(&port->since);
	seen->n_events = count_uses(look, p);
	look->out->n_alive += holder == HOLDER_ALIVE;
	add_pending(look, p);
	if (p >= get32(&look->header.ports_hw))
		report(look, PROBLEM, "port", p, 2, "port %" PRIu32 " is taken, and ports are "
		       "looked at below %" PRIu32 " only", p,
		       get32(&look->header.ports_hw));
	if (holder == HOLDER_DEAD)
		report(look, NOTE, "dead-port", p, 0, "port %" PRIu32 ": process %d is dead or "
		       "left; the next who comes by cleans up", p, (int)seen->pid);
}

static void look_at_port(struct look *look, uint32_t p)
{
	uint32_t phase = (uint32_t)(get64(&look_port(look, p)->state) & 0xff);
	bool present = port_is_present(look->fd, p);

	if (phase == PORT_TAKEN || phase == PORT_DEAD) {
		look->holders[p] = phase == PORT_TAKEN && present ? HOLDER_ALIVE :
								    HOLDER_DEAD;
		look_at_taken_port(look, p, look->holders[p]);
		return;
	}
	if (phase != PORT_FREE) {
		report(look, PROBLEM, "port", p, 0, "port %" PRIu32 " is in state %" PRIu32
		       ", which is none", p, phase);
		return;
	}
	look_at_free_port(look, p);
	if (present)
		report(look, NOTE, "held-port", p, 0, "port %" PRIu32 ", which nobody has, is "
		       "locked: somebody stopped as he came or went", p);
}

void look_at_ports(struct look *look)
{
	for (uint32_t p = 0; p < look->lo.n_listeners; p++) {
		look_at_port(look, p);
		if (port_is_handled(look->fd, p))
			report(look, NOTE, "held-port", p, 1, "port %" PRIu32
			       " is being taken or cleaned", p);
	}
}

/* ---- listeners ------------------------------------------------------------------------ */

static void count_listener(struct look *look, uint32_t p)
{
	struct aioevt_shm_inspection *out = look->out;

	out->n_listeners++;
	for (size_t i = 0; i < out->n_ports; i++)
		if (out->ports[i].port == p)
			out->ports[i].n_listeners++;
}

static void look_at_listener(struct look *look, uint32_t l)
{
	uint32_t owner = look_owner(look, l);

	if (owner == NOBODY) {
		if (has_bit(look->tables + look->lo.patterns, l))
			report(look, PROBLEM, "listener", l, 0, "listener %" PRIu32
			       ", which nobody has, has patterns", l);
		return;
	}
	count_listener(look, owner);
	if (look_holder(look, owner) == HOLDER_NONE)
		report(look, PROBLEM, "listener", l, 1, "listener %" PRIu32 " belongs to port "
		       "%" PRIu32 ", which nobody has", l, owner);
	if (l >= get32(&look->header.listeners_hw))
		report(look, PROBLEM, "listener", l, 2, "listener %" PRIu32 " is taken, and "
		       "listeners are looked at below %" PRIu32 " only", l,
		       get32(&look->header.listeners_hw));
}

void look_at_listeners(struct look *look)
{
	for (uint32_t l = 0; l < look->lo.n_listeners; l++)
		look_at_listener(look, l);
}

/* ---- lists ---------------------------------------------------------------------------- */

#define MARK	UINT64_C(1)

static uint32_t index_of(uint64_t link)
{
	return ((uint32_t)link >> 1) - 1;
}

static uint32_t right_bucket(const struct look *look, const struct event *ev)
{
	uint64_t words[NAME_WORDS];

	memcpy(words, &ev->name, sizeof(words));
	return (uint32_t)(siphash_words(look->lo.hash_key, words, NAME_WORDS) &
			  (look->lo.n_buckets - 1));
}

/* Is an event before @e in the list of @b that can be found by the same name? */
static bool is_twice(const struct look *look, uint32_t b, uint32_t e)
{
	uint32_t i = index_of(get64(&look_bucket(look, b)->link));

	for (uint32_t n = 0; i != e && i < look->lo.n_events && n < look->lo.n_events; n++) {
		const struct event *ev = look_event(look, i);

		if (event_is_findable(get64(&ev->state)) &&
		    !memcmp(&ev->name, &look_event(look, e)->name, sizeof(ev->name)))
			return true;
		i = index_of(get64(&ev->next));
	}
	return false;
}

static void look_at_linked(struct look *look, uint32_t b, uint32_t e, uint64_t link)
{
	const struct event *ev = look_event(look, e);
	uint64_t state = get64(&ev->state);
	uint32_t phase = event_phase(state);

	if (event_generation(state) != (uint32_t)(link >> 32) || phase == EVENT_FREE ||
	    phase == EVENT_GONE)
		report(look, PROBLEM, "list", link, b, "list %" PRIu32 " leads to place %"
		       PRIu32 ", where its event is no more", b, e);
	else if (right_bucket(look, ev) != b)
		report(look, PROBLEM, "list", link, b, "event \"%s\" is in list %" PRIu32
		       ", its name belongs into %" PRIu32, look_name(look, e), b,
		       right_bucket(look, ev));
	else if (event_is_findable(state) && is_twice(look, b, e))
		report(look, PROBLEM, "twice", link, b, "event \"%s\" is there twice",
		       look_name(look, e));
	if (event_is_findable(state) && get64(&ev->next) & MARK)
		report(look, PROBLEM, "list", link, UINT32_MAX, "event \"%s\" is taken out of "
		       "its list, but not dead", look_name(look, e));
}

static void look_at_list(struct look *look, uint32_t b)
{
	uint64_t link = get64(&look_bucket(look, b)->link) & ~MARK;

	while (index_of(link) != NOBODY) {
		uint32_t e = index_of(link);

		if (e >= look->lo.n_events) {
			report(look, PROBLEM, "list", link, b, "list %" PRIu32
			       " leads out of the table", b);
			return;
		}
		if (look->list_of[e] == b + 1) {
			report(look, PROBLEM, "endless", link, b, "list %" PRIu32
			       " does not end: place %" PRIu32 " comes again", b, e);
			return;
		}
		if (look->list_of[e]) {
			report(look, PROBLEM, "list", link, b, "place %" PRIu32
			       " is in two lists, %" PRIu32 " and %" PRIu32, e,
			       look->list_of[e] - 1, b);
			return;
		}
		look->list_of[e] = b + 1;
		look_at_linked(look, b, e, link);
		link = get64(&look_event(look, e)->next) & ~MARK;
	}
}

void look_at_lists(struct look *look)
{
	for (uint32_t b = 0; b < look->lo.n_buckets; b++)
		look_at_list(look, b);
	for (uint32_t e = 0; e < look->lo.n_events; e++) {
		uint64_t state = look_state(look, e);

		if (look->list_of[e])
			continue;
		if (event_is_findable(state))
			report(look, PROBLEM, "list", state, e, "event \"%s\" is in no list, "
			       "so that nobody finds it", look_name(look, e));
		/* In a list, whoever comes by finishes it. */
		if (event_phase(state) == EVENT_NEW &&
		    look_holder(look, event_port(state)) == HOLDER_NONE)
			report(look, PROBLEM, "unfinished", state, e, "event \"%s\", place %"
			       PRIu32 ", is being made by port %" PRIu32
			       ", which nobody has", look_name(look, e), e,
			       event_port(state));
	}
}
