/* SPDX-License-Identifier: MIT */
/*
 * What a dead participant held, given back, piece by piece. port->using says which events it
 * had open: it set the bit before it touched anything of the event, so nothing of it is elsewhere.
 * The order is: timers, events, listeners, events and memory in the making.
 *
 * An event's bit is cleared when the event was cleaned, so it stays in place until then. Timers
 * come before: that of a participant that was killed before it lowered its event's due shows in
 * the due before the event may be retired. Timers that were scheduled stay: they are the bus's.
 * Listeners come after the events, because their owner tells which bits and cursors are the dead
 * port's.
 *
 * Where it goes on: events that were cleaned have no bit, listeners no owner. Within one event,
 * and after the timers,
 *
 *   port->reaped = index of the event:32 | begun:1 | ring:3 | step:28
 *
 * tells what was done: what is before it in the order above is clean and stays so, because
 * nobody but the dead port puts anything under its tag. It is stored after the work, so a
 * reaper that is killed has done more than it says, and that is done again. Before the port is
 * FREE the word is 0.
 *
 * Ordering
 *   reaped:B / reaped:A         release/acquire; the right lock orders reapers too.
 *   clear_use:A / in_use:A      seq_cst: what was done to the event comes before it may go.
 * Progress  each call does a step at least, however few it is given, so it ends. A piece costs
 *   its steps, one step too many of the larger kind (a listener: a look at each event; the last
 *   piece: two of them), and the kernel's time for the mapping of an event.
 */
#include "reap.h"

#include <errno.h>

#include "body.h"
#include "bus.h"
#include "event-map.h"
#include "port.h"
#include "registry-internal.h"
#include "reliable.h"
#include "region.h"
#include "timer.h"

#define REAPED_BEGUN		(UINT64_C(1) << 31)
#define REAPED_RING_SHIFT	28
#define REAPED_RING_MASK	7u
#define REAPED_STEP_MASK	((1u << REAPED_RING_SHIFT) - 1)
#define EVENT_STEPS		256u	/* what it costs to map one, in steps */

static_assert(MAX_RINGS <= REAPED_RING_MASK + 1 &&
	      2 * MAX_DEPTH + MAX_LISTENERS <= REAPED_STEP_MASK, "layout");

static bool owns_listener(struct aioevt_shm *bus, uint32_t p, uint32_t l)
{
	/* reap_listener:A  acquire, pairs with listener_take:A */
	return atomic_load_explicit(&bus_listener(bus, l)->owner,
				    memory_order_acquire) == p + 1;
}

/* Take the dead port's listeners off an event. */
static void reap_bits(struct event_map *map, uint32_t p)
{
	struct aioevt_shm *bus = map->bus;

	for (uint32_t l = 0; l < bus_listeners_used(bus); l++) {
		uint64_t bit = bit_of(l);

		if (!owns_listener(bus, p, l))
			continue;
		/* reap_bits:A  relaxed: an optimization; a dead port's bit does not change */
		if (atomic_load_explicit(&map->ctl->reliable[l / 64],
					 memory_order_relaxed) & bit)
			reliable_unregister(map, l);
		/* reap_bits:B  release, pairs with listeners_ring:B */
		atomic_fetch_and_explicit(&map->event->listeners[l / 64], ~bit,
					  memory_order_release);
	}
}

/* Work under way. */
struct piece {
	struct aioevt_shm *bus;
	struct port *port;		/* whose owner is dead */
	uint32_t p;
	uint64_t left;			/* steps */
};

static void spend(struct piece *piece, uint64_t n)
{
	piece->left = piece->left > n ? piece->left - n : 0;
}

static uint64_t load_reaped(const struct port *port)
{
	/* reaped:A  acquire, pairs with reaped:B */
	return atomic_load_explicit(&port->reaped, memory_order_acquire);
}

static void store_reaped(struct port *port, uint64_t word)
{
	/* reaped:B  release, pairs with reaped:A */
	atomic_store_explicit(&port->reaped, word, memory_order_release);
}

static uint64_t reaped_word(uint32_t index, unsigned ring, uint32_t step)
{
	return (uint64_t)index << 32 | REAPED_BEGUN | (uint64_t)ring << REAPED_RING_SHIFT | step;
}

/* From *@step on. Returns whether that was all. */
static bool reap_ring(struct piece *piece, const struct ring *ring, uint32_t *step)
{
	uint32_t n_steps = body_reap_steps(ring), to;

	to = n_steps > *step && n_steps - *step > piece->left ?
	     *step + (uint32_t)piece->left : n_steps;
	body_reap(piece->bus, ring, piece->p, *step, to);
	ring_void_port(ring, piece->p, *step, to);
	spend(piece, to > *step ? to - *step : 0);
	*step = to;
	return to == n_steps;
}

/* Returns 1 if that was all of its rings. */
static int reap_rings(struct piece *piece, struct event_map *map)
{
	uint64_t word = load_reaped(piece->port);
	bool is_this = word >> 32 == map->ref.index;
	unsigned k = is_this ? word >> REAPED_RING_SHIFT & REAPED_RING_MASK : 0;
	uint32_t step = is_this ? word & REAPED_STEP_MASK : 0;
	int err = event_map_all(map);

	if (err < 0)
		return err;
	for (; k < event_map_rings(map); k++, step = 0)
		if (!reap_ring(piece, &map->ring[k], &step)) {
			store_reaped(piece->port, reaped_word(map->ref.index, k, step));
			return 0;
		}
	return 1;
}

/*
 * Returns 1 if it is clean. An event that is scribbled on is left as it is: the port must not be
 * lost for it.
 */
static int reap_event(struct piece *piece, uint32_t index)
{
	struct event_map *map;
	int r = event_map_for_reaper(piece->bus, index, &map);

	if (r < 0)
		return r == -ENOENT ? 1 : r;
	r = reap_rings(piece, map);
	if (r > 0) {
		reap_bits(map, piece->p);
		firing_settle(map);
		timer_mend(piece->bus, index, map->ref.generation);
	}
	event_map_drop(map);
	return r == -EPROTO ? 1 : r;
}

static void clear_use(struct port *port, uint32_t index)
{
	/* clear_use:A  seq_cst, pairs with in_use:A */
	atomic_fetch_and(using_word(port, index), ~bit_of(index));
}

static int reap_events(struct piece *piece)
{
	for (uint32_t w = 0; w < piece->bus->lo.n_events / 64; w++) {
		/* reap_events:A  acquire, pairs with registry_use:A */
		uint64_t bits = atomic_load_explicit(&piece->port->using[w],
						     memory_order_acquire);

		for (; bits; bits &= bits - 1) {
			uint32_t index = w * 64 + (uint32_t)__builtin_ctzll(bits);
			int r = piece->left ? reap_event(piece, index) : 0;

			if (r <= 0)
				return r;
			clear_use(piece->port, index);
			spend(piece, EVENT_STEPS);
		}
	}
	return 1;
}

/*
 * A listener that has, or had, patterns may rest on events that it did not have open: rest.c.
 * Its bit among the patterns does not tell: it is cleared first, while the listener goes.
 */
static void reap_resting(struct aioevt_shm *bus, uint32_t l)
{
	uint64_t bit = bit_of(l);

	for (uint32_t i = 0; i < bus_events_used(bus); i++) {
		_Atomic uint64_t *word = &bus_event(bus, i)->listeners[l / 64];

		/* reap_resting:A  relaxed: a dead port's bit does not change */
		if (atomic_load_explicit(word, memory_order_relaxed) & bit)
			/* reap_resting:B  release, pairs with listeners_ring:B */
			atomic_fetch_and_explicit(word, ~bit, memory_order_release);
	}
}

/* Its listeners: no event has their bits after this. */
static int reap_listeners(struct piece *piece)
{
	struct aioevt_shm *bus = piece->bus;

	for (uint32_t l = 0; l < bus_listeners_used(bus); l++) {
		struct listener *sh = bus_listener(bus, l);

		if (!owns_listener(bus, piece->p, l))
			continue;
		if (!piece->left)
			return 0;
		reap_resting(bus, l);
		/* reap_listener:B  release, pairs with ring_patterns:A */
		atomic_fetch_and_explicit(&bus_patterns(bus)[l / 64],
					  ~bit_of(l), memory_order_release);
		/* reap_listener:D  release, pairs with listener_take:A */
		atomic_store_explicit(&sh->owner, 0, memory_order_release);
		spend(piece, bus_events_used(bus) + 1);
	}
	return 1;
}

static void reap_region(struct aioevt_shm *bus, struct port *port)
{
	/* pending:A  acquire, pairs with region_new:B, region_settle:A */
	uint64_t offset = atomic_load_explicit(&port->pending_offset, memory_order_acquire);
	/* pending:B  relaxed: A's acquire orders it */
	uint64_t size = atomic_load_explicit(&port->pending_size, memory_order_relaxed);

	if (offset >= bus->lo.tables_end && offset % REGION_ALIGN == 0 &&
	    size <= event_region_max(bus) && offset <= REGION_LIMIT - REGION_ALIGN - size &&
	    !registry_has_region(bus, offset, round_up(size, REGION_ALIGN)))
		region_free(bus, offset, round_up(size, REGION_ALIGN));
	/* pending:C  release, pairs with pending:A */
	atomic_store_explicit(&port->pending_offset, 0, memory_order_release);
}

/* The events that it was making. What is in a broken list stays, as above. */
static void reap_new(struct aioevt_shm *bus, uint32_t p)
{
	unsigned n_broken = 0;

	for (uint32_t i = 0; i < bus_events_used(bus) && n_broken < MAX_BROKEN; i++)
		n_broken += registry_reap_new(bus, i, p) < 0;
}

static void reap_timers(struct piece *piece)
{
	if (load_reaped(piece->port))
		return;
	timer_reap(piece->bus, piece->p);
	spend(piece, bus_timers_used(piece->bus));
	store_reaped(piece->port, reaped_word(0, 0, 0));
}

int reap_belongings(struct aioevt_shm *bus, uint32_t p, uint64_t n_steps)
{
	struct piece piece = { .bus = bus, .port = bus_port(bus, p), .p = p, .left = n_steps };
	int r;

	reap_timers(&piece);
	r = reap_events(&piece);
	if (r > 0)
		r = reap_listeners(&piece);
	if (r > 0 && !piece.left)
		r = 0;
	if (r <= 0)
		return r;
	reap_new(bus, p);
	reap_region(bus, piece.port);
	store_reaped(piece.port, 0);
	return 1;
}
