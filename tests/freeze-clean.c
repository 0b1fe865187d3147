/* SPDX-License-Identifier: MIT */
/* What a victim left behind: nothing, once its port was reaped. */
#include "freeze.h"

#include "port.h"
#include "timer.h"

/* A lap of small records: bodies of more than a page are given back. */
static void shrink(void)
{
	uint32_t size = crew.config.size;

	crew.config.size = FREEZE_SMALL;
	crew_laps();
	crew.config.size = size;
}

static void reap_all(void)
{
	pthread_mutex_lock(&crew.bus->lock);
	port_reap_all(crew.bus);
	pthread_mutex_unlock(&crew.bus->lock);
}

static bool is_port_taken(uint32_t p)
{
	return atomic_load(&bus_port(crew.bus, p)->state) & 0xff;
}

static void check_ports(void)
{
	for (uint32_t p = 0; p < bus_ports_used(crew.bus); p++) {
		struct port *port = bus_port(crew.bus, p);

		check_eq(atomic_load(&port->pending_offset), 0);
		for (uint32_t w = 0; w < crew.bus->lo.n_events / 64 && !is_port_taken(p); w++)
			check_eq(atomic_load(&port->using[w]), 0);
	}
}

/* A listener's bit stands nowhere once it is free. */
static void check_listeners(void)
{
	for (uint32_t l = 0; l < bus_listeners_used(crew.bus); l++) {
		uint32_t owner = atomic_load(&bus_listener(crew.bus, l)->owner);

		if (owner) {
			check(is_port_taken(owner - 1));
			continue;
		}
		check(!(atomic_load(&bus_patterns(crew.bus)[l / 64]) & bit_of(l)));
		check(!(atomic_load(&crew.event->map->ctl->reliable[l / 64]) & bit_of(l)));
		for (uint32_t i = 0; i < bus_events_used(crew.bus); i++)
			if (event_is_findable(registry_state(crew.bus, i)))
				check(!(atomic_load(&bus_event(crew.bus, i)->listeners[l / 64]) &
					bit_of(l)));
	}
}

static void check_events(void)
{
	for (uint32_t i = 0; i < bus_events_used(crew.bus); i++) {
		uint32_t phase = event_phase(registry_state(crew.bus, i));

		check(phase == EVENT_FREE || phase == EVENT_LIVE);
	}
}

/* Each body is free, or in exactly one slot. */
static void check_bodies(const struct ring *r)
{
	for (uint32_t i = 0; i < r->n_bodies; i++) {
		uint32_t owner = atomic_load(&r->header->body_owner[i]), n = 0;

		check(owner <= 1);
		for (uint32_t s = 0; s < r->depth; s++)
			n += atomic_load(&ring_slot(r, s)->body) == i + 1;
		check_eq(n, owner);
	}
}

static void check_rings(void)
{
	struct event_map *map = crew.event->map;

	check_eq(event_map_all(map), 0);
	for (unsigned k = 0; k < event_map_rings(map); k++) {
		for (uint32_t i = 0; i < map->ring[k].depth; i++) {
			uint32_t phase = slot_phase(atomic_load(&ring_slot(&map->ring[k], i)->state));

			check(phase != SLOT_WRITING && phase != SLOT_PINNED);
		}
		check_bodies(&map->ring[k]);
	}
}

/* No timer is left, nor an attempt to fire one, nor a due. */
static void check_timers(void)
{
	for (uint32_t i = 0; i < crew.bus->lo.n_timers; i++)
		check_eq(timer_phase(atomic_load(&bus_timer(crew.bus, i)->state)), TIMER_FREE);
	for (uint32_t i = 0; i < bus_events_used(crew.bus); i++)
		if (event_is_findable(registry_state(crew.bus, i))) {
			check_eq(due_ticks(timer_due(bus_event(crew.bus, i))), 0);
			check_eq(atomic_load(&bus_event(crew.bus, i)->firing), 0);
		}
}

/* Whoever makes an event buries what others left on the way out. */
static void make_and_remove(void)
{
	struct aioevt_shm_event *ev = event_of(crew.bus, "clean.event");

	check_eq(aioevt_shm_event_remove(crew.bus, "clean.event"), 0);
	aioevt_shm_event_close(ev);
}

void census_take(struct census *ret_census)
{
	reap_all();
	make_and_remove();		/* ends what was removed by halves: emitters go on */
	shrink();
	make_and_remove();
	crew_rest();
	check_eq(aioevt_shm_get_info(crew.bus, &ret_census->info), 0);
}

/* Where there is memory, and which events know of it. */
static void show_memory(void)
{
	off_t at = 0;

	while ((at = lseek(crew.bus->fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(crew.bus->fd, at, SEEK_HOLE);

		fprintf(stderr, "memory at %#jx, %jd bytes\n", (intmax_t)at,
			(intmax_t)(end - at));
		at = end;
	}
	for (uint32_t i = 0; i < bus_events_used(crew.bus); i++) {
		fprintf(stderr, "event %u: state %#" PRIx64 ", rings", i,
			registry_state(crew.bus, i));
		for (unsigned k = 0; k < MAX_RINGS; k++)
			fprintf(stderr, " %#" PRIx64,
				atomic_load(&bus_event(crew.bus, i)->ring[k]));
		for (uint32_t p = 0; p < bus_ports_used(crew.bus); p++)
			if (atomic_load(&bus_port(crew.bus, p)->using[i / 64]) & bit_of(i))
				fprintf(stderr, ", used by port %u", p);
		fprintf(stderr, "\n");
	}
}

void census_check(const struct census *before)
{
	struct census now;

	reap_all();
	check_rings();
	census_take(&now);
	check_eq(now.info.ports_used, before->info.ports_used);
	check_eq(now.info.listeners_used, before->info.listeners_used);
	check_eq(now.info.events_used, before->info.events_used);
	if (now.info.memory != before->info.memory)
		show_memory();
	check_eq(now.info.memory, before->info.memory);
	check_ports();
	check_listeners();
	check_events();
	check_timers();
}
