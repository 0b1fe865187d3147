/* SPDX-License-Identifier: MIT */
/*
 * The bus at the end: as if nobody had been there but for the events that are left, and every
 * byte of its file accounted for.
 */
#include "soak.h"
#include "check.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus.h"
#include "event.h"
#include "listener.h"
#include "port.h"
#include "registry-internal.h"

#define PAGE		4096u

/* A part of the file that may hold data, from a page's start on. */
struct part {
	uint64_t offset, size;
};

static struct part *parts;
static size_t n_parts, room;
static uint64_t allocated;		/* bytes that must have memory behind them */

static void may_hold(uint64_t offset, uint64_t size)
{
	if (n_parts == room) {
		room = room ? room * 2 : 1024;
		parts = realloc(parts, room * sizeof(*parts));
	}
	parts[n_parts++] = (struct part){ offset, round_up(size, PAGE) };
}

/* ---- rings --------------------------------------------------------------------------- */

/* A body holds as much as its record needs; one that is in no record a page at most. */
static void check_bodies(const struct aioevt_shm *bus, const struct ring *r, const char *name)
{
	uint64_t base = atomic_load(&r->header->body_base);
	uint32_t *size;

	if (!base) {
		for (uint32_t i = 0; i < r->n_bodies; i++)
			require(!atomic_load(&r->header->body_owner[i]));
		return;
	}
	size = calloc(r->n_bodies, sizeof(*size));
	for (uint32_t i = 0; i < r->depth; i++) {
		struct slot *slot = ring_slot(r, i);
		uint32_t body = atomic_load(&slot->body);

		if (!body)
			continue;
		if (body > r->n_bodies || size[body - 1])
			breach("%s: body %u is in two slots, or none such", name, body);
		size[body - 1] = atomic_load(&slot->size) > PAGE ? atomic_load(&slot->size) : PAGE;
	}
	for (uint32_t i = 0; i < r->n_bodies; i++) {
		if (atomic_load(&r->header->body_owner[i]) != (size[i] ? 1 : 0))
			breach("%s: body %u has owner %#x, is in %s", name, i,
			       atomic_load(&r->header->body_owner[i]), size[i] ? "a slot" : "no slot");
		may_hold(base + (uint64_t)i * bus->lo.body_stride, size[i] ? size[i] : PAGE);
	}
	free(size);
}

/* Settled slots, laps that fit to head. Returns how many records are held. */
static unsigned check_slots(const struct ring *r, const char *name, bool last)
{
	uint64_t head = atomic_load(&r->header->head), end = 0, seq, state;
	unsigned n = 0;

	require(!ring_frontier(r, &end));
	for (uint32_t i = 0; i < r->depth; i++) {
		state = atomic_load(&ring_slot(r, i)->state);
		if (slot_phase(state) == SLOT_WRITING || slot_phase(state) == SLOT_PINNED)
			breach("%s: slot %u is left at %#llx", name, i, (unsigned long long)state);
		seq = slot_lap(state) << r->shift | i;
		if (state && (seq > end || (seq == end && slot_phase(state) != SLOT_CLOSED) ||
			      end - seq > r->depth))
			breach("%s: slot %u is of number %llu, head %llu", name, i,
			       (unsigned long long)seq, (unsigned long long)end);
		if (slot_phase(state) == SLOT_CLOSED && last)
			breach("%s: its last ring is closed", name);
	}
	for (seq = ring_oldest(r, end); seq < end; seq++) {
		enum ring_look look = ring_look(r, seq, &state);

		if (look != LOOK_RECORD && look != LOOK_VOID)
			breach("%s: number %llu is neither record nor void: %d", name,
			       (unsigned long long)seq, look);
		n += look == LOOK_RECORD;
	}
	require(ring_voids(r, head) <= head_seq(head) - r->base);
	return n;
}

static unsigned check_rings(struct aioevt_shm_event *ev, struct audit *audit)
{
	const struct aioevt_shm *bus = ev->bus;
	unsigned held = 0, n = event_map_rings(ev->map);
	uint64_t end;

	for (unsigned k = 0; k < n; k++) {
		held += check_slots(&ev->map->ring[k], ev->name, k == n - 1);
		check_bodies(bus, &ev->map->ring[k], ev->name);
		require(k == n - 1 || !ring_frontier(&ev->map->ring[k], &end));
		if (k < n - 1 && ev->map->ring[k + 1].base != end)
			breach("%s: ring %u ends before %llu, the next begins at %llu", ev->name,
			       k, (unsigned long long)end,
			       (unsigned long long)ev->map->ring[k + 1].base);
	}
	/* Regions, also of a successor that was prepared and has not begun. */
	for (unsigned k = 0; k < MAX_RINGS; k++) {
		uint64_t word = atomic_load(&ev->map->event->ring[k]), size;

		if (!word)
			break;
		require(word != RING_SEALED);
		size = event_region_size(ev->bus, word, k == 0);
		require((word & ~(REGION_ALIGN - 1)) + size <=
			atomic_load(&bus->header->region_end));
		may_hold(word & ~(REGION_ALIGN - 1), size);
		allocated += size;
		audit->rings++;
	}
	return held;
}

/* ---- events -------------------------------------------------------------------------- */

static void check_bits(struct aioevt_shm_event *ev)
{
	for (uint32_t w = 0; w < ev->bus->lo.n_words; w++) {
		if (atomic_load(&ev->map->event->listeners[w]))
			breach("%s: listeners %#llx are left", ev->name, (unsigned long long)
			       atomic_load(&ev->map->event->listeners[w]));
		if (atomic_load(&ev->map->ctl->reliable[w]))
			breach("%s: reliable readers %#llx are left", ev->name,
			       (unsigned long long)atomic_load(&ev->map->ctl->reliable[w]));
	}
}

/* All that is held: readable, whole, in order. */
static void check_records(struct aioevt_shm *bus, const char *name, unsigned held)
{
	static struct payload payload;
	struct aioevt_shm_listener *l;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t last = 0;
	int r;

	require(!aioevt_shm_listener_new(bus, &l));
	r = aioevt_shm_listen(l, name, 0, AIOEVT_SHM_FROM_SEQ, 1, &sub);
	if (r)
		breach("listen to %s: %s", name, strerror(-r));
	while ((r = aioevt_shm_read(sub, &record, 1, &payload, sizeof(payload))) == 1) {
		payload_check(&record, event_by_name(name));
		require(record.seq > last);
		last = record.seq;
		held--;
	}
	if (r || held)
		breach("%s: the records held are %d more than were read: %d", name, (int)held, r);
	aioevt_shm_listener_free(l);
}

static void check_event(struct aioevt_shm *bus, const char *name, struct audit *audit)
{
	struct aioevt_shm_event *ev = open_event(bus, name, AIOEVT_SHM_EXISTING);
	unsigned held;

	if (!ev)
		breach("%s is listed and cannot be found", name);
	require(!event_map_all(ev->map));
	/* What a killed retirer left became LIVE as it was opened. */
	require(event_phase(registry_state(bus, ev->map->ref.index)) == EVENT_LIVE);
	check_bits(ev);
	held = check_rings(ev, audit);
	aioevt_shm_event_close(ev);
	check_records(bus, name, held);
	audit->events++;
	audit->records += held;
}

static void check_events(struct aioevt_shm *bus, struct audit *audit)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0, live = 0, linked = 0;

	while (aioevt_shm_event_next(bus, &walk, name) == 1)
		check_event(bus, name, audit);
	for (uint32_t i = 0; i < bus->lo.n_events; i++) {
		uint32_t phase = event_phase(registry_state(bus, i));

		if (phase != EVENT_FREE && phase != EVENT_LIVE)
			breach("event %u is left in phase %u", i, phase);
		live += phase == EVENT_LIVE;
	}
	for (uint32_t b = 0; b < bus->lo.n_buckets; b++)
		for (uint64_t link = atomic_load(&bus_buckets(bus)[b].link); link_index(link);
		     link = atomic_load(&bus_event(bus, link_index(link) - 1)->next)) {
			if (link & MARK || ++linked > live)
				breach("bucket %u leads to what is not there", b);
		}
	if (linked != live || live != audit->events)
		breach("%u events are live, %u linked, %u listed", live, linked, audit->events);
}

/* ---- ports and listeners ------------------------------------------------------------- */

static void check_ports(struct aioevt_shm *bus)
{
	for (uint32_t p = 0; p < bus->lo.n_listeners; p++) {
		struct port *port = bus_port(bus, p);

		if ((atomic_load(&port->state) & 0xff) != (p == bus->port_index))
			breach("port %u of %u is left: %#llx", p, atomic_load(&port->pid),
			       (unsigned long long)atomic_load(&port->state));
		require(!atomic_load(&port->pending_offset));
		for (uint32_t w = 0; w < bus->lo.n_events / 64; w++)
			if (atomic_load(&port->using[w]))
				breach("port %u still uses events %#llx of word %u", p,
				       (unsigned long long)atomic_load(&port->using[w]), w);
	}
	for (uint32_t l = 0; l < bus->lo.n_listeners; l++)
		if (atomic_load(&bus_listener(bus, l)->owner))
			breach("listener %u is left, of port %u", l,
			       atomic_load(&bus_listener(bus, l)->owner) - 1);
	for (uint32_t w = 0; w < bus->lo.n_words; w++)
		require(!atomic_load(&bus_patterns(bus)[w]));
}

/* ---- memory -------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool is_expected(uint64_t from, uint64_t to)
{
	/* Extents of two parts may touch. */
	for (size_t i = 0; i < n_parts && from < to; i++)
		if (from >= parts[i].offset && from < parts[i].offset + parts[i].size)
			from = parts[i].offset + parts[i].size;
	return from >= to;
}

static void check_memory(struct aioevt_shm *bus, struct audit *audit)
{
	uint64_t bodies = 0;
	struct stat st;
	off_t end = 0;

	may_hold(0, bus->lo.tables_end);
	allocated += bus->lo.tables_end;
	qsort(parts, n_parts, sizeof(*parts), by_offset);
	for (size_t i = 1; i < n_parts; i++)
		if (parts[i].offset < parts[i - 1].offset + parts[i - 1].size)
			breach("the file is used twice at %#llx",
			       (unsigned long long)parts[i].offset);
	for (;;) {
		off_t data = lseek(bus->fd, end, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			break;
		require(data >= 0);
		end = lseek(bus->fd, data, SEEK_HOLE);
		require(end > data);
		if (!is_expected((uint64_t)data, (uint64_t)end))
			breach("memory at %#llx to %#llx of the file is nobody's",
			       (unsigned long long)data, (unsigned long long)end);
		if ((uint64_t)data >= BODY_BASE)	/* the file may end within a page */
			bodies += round_up((uint64_t)(end - data), PAGE);
	}
	require(!fstat(bus->fd, &st));
	audit->memory = (uint64_t)st.st_blocks * 512;
	if (audit->memory != allocated + bodies)
		breach("the file takes %llu bytes; tables and rings need %llu, bodies %llu",
		       (unsigned long long)audit->memory, (unsigned long long)allocated,
		       (unsigned long long)bodies);
}

void audit_bus(struct aioevt_shm *bus, struct audit *ret_audit)
{
	struct audit audit = { 0 };

	bus_lock(bus);
	while (port_reap_all(bus))
		;
	registry_make_room(bus, 0);	/* buries what was on its way out */
	bus_unlock(bus);
	check_events(bus, &audit);
	check_ports(bus);
	check_memory(bus, &audit);
	free(parts);
	*ret_audit = audit;
}
