/* SPDX-License-Identifier: MIT */
/*
 * What a dead participant held, given back. port->using says which events it had open:
 * it set the bit before it touched anything of the event, so nothing of it is elsewhere.
 * The bits are cleared last, so an event stays in place while it is cleaned. Timers that it
 * scheduled stay: they are the bus's.
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

/* An event that is scribbled on is left as it is: the port must not be lost for it. */
static int reap_event(struct aioevt_shm *bus, uint32_t p, uint32_t index)
{
	struct event_map *map;
	int err = event_map_for_reaper(bus, index, &map);

	if (err < 0)
		return err == -ENOENT ? 0 : err;
	err = event_map_all(map);
	for (unsigned k = 0; !err && k < event_map_rings(map); k++) {
		body_reap(bus, &map->ring[k], p);
		ring_void_port(&map->ring[k], p);
	}
	if (!err) {
		reap_bits(map, p);
		firing_settle(map);
		timer_mend(bus, index, map->ref.generation);
	}
	event_map_drop(map);
	return err == -EPROTO ? 0 : err;
}

static int reap_events(struct aioevt_shm *bus, uint32_t p)
{
	struct port *port = bus_port(bus, p);

	for (uint32_t w = 0; w < bus->lo.n_events / 64; w++) {
		/* reap_events:A  acquire, pairs with registry_use:A */
		uint64_t bits = atomic_load_explicit(&port->using[w], memory_order_acquire);

		for (; bits; bits &= bits - 1) {
			int err = reap_event(bus, p,
					     w * 64 + (uint32_t)__builtin_ctzll(bits));

			if (err < 0)
				return err;
		}
	}
	return 0;
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
static void reap_listeners(struct aioevt_shm *bus, uint32_t p)
{
	for (uint32_t l = 0; l < bus_listeners_used(bus); l++) {
		struct listener *sh = bus_listener(bus, l);

		if (!owns_listener(bus, p, l))
			continue;
		reap_resting(bus, l);
		/* reap_listener:B  release, pairs with ring_patterns:A */
		atomic_fetch_and_explicit(&bus_patterns(bus)[l / 64],
					  ~bit_of(l), memory_order_release);
		/* reap_listener:D  release, pairs with listener_take:A */
		atomic_store_explicit(&sh->owner, 0, memory_order_release);
	}
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

static void clear_uses(struct aioevt_shm *bus, struct port *port)
{
	for (uint32_t w = 0; w < bus->lo.n_events / 64; w++)
		/* clear_uses:A  seq_cst, pairs with in_use:A */
		atomic_store(&port->using[w], 0);
}

/* The events that it was making. What is in a broken list stays, as above. */
static void reap_new(struct aioevt_shm *bus, uint32_t p)
{
	unsigned n_broken = 0;

	for (uint32_t i = 0; i < bus_events_used(bus) && n_broken < MAX_BROKEN; i++)
		n_broken += registry_reap_new(bus, i, p) < 0;
}

int reap_belongings(struct aioevt_shm *bus, uint32_t p)
{
	struct port *port = bus_port(bus, p);
	int err = reap_events(bus, p);

	if (err < 0)
		return err;
	timer_reap(bus, p);
	reap_listeners(bus, p);
	reap_new(bus, p);
	reap_region(bus, port);
	clear_uses(bus, port);
	return 0;
}
