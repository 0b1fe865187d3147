/* SPDX-License-Identifier: MIT */
/* The death of a participant costs others a bounded piece of work each, until all is reaped. */

#include "bus.h"

#include "../shm/bus.h"
#include "body.h"
#include "event.h"
#include "port.h"

#define DEEP	8192u
#define LARGE	300u

static unsigned char large[LARGE];
static unsigned n_events;

/* Many events, one of them deep, each with a large record, a body and a number in flight. */
static int be_corpse(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_open(NULL);
	char name[32];

	(void)arg;
	for (unsigned i = 0; i < n_events; i++) {
		struct aioevt_shm_event *event;
		uint32_t hint = 0;
		struct claim claim;
		struct body body;
		uint64_t old;

		snprintf(name, sizeof(name), "e.%u", i);
		event = event_of(bus, name);
		if (!i && n_events > 4)
			check_eq(aioevt_shm_event_grow(event, DEEP), 0);
		check_eq(aioevt_shm_emit(event, large, LARGE, NULL), 0);
		check_eq(body_prepare(bus, event->ring, large, LARGE, &hint, &body), 0);
		check_eq(ring_next(bus, event->ring, &claim, &old), 0);
		check(ring_claim(event->ring, bus->port_index, &claim, old));
	}
	listener_of(bus);
	check_eq(write(me->out, &bus->port_index, sizeof(bus->port_index)),
		 sizeof(bus->port_index));
	hear(me);
	return 0;
}

static unsigned count_uses(struct aioevt_shm *bus, uint32_t p)
{
	unsigned n = 0;

	for (uint32_t w = 0; w < bus->lo.n_events / 64; w++)
		n += (unsigned)__builtin_popcountll(atomic_load(&bus_port(bus, p)->using[w]));
	return n;
}

static uint32_t phase_of(struct aioevt_shm *bus, uint32_t p)
{
	return (uint32_t)atomic_load(&bus_port(bus, p)->state) & 0xff;
}

/* Who attaches meanwhile does a piece, and gets another port. Returns how many uses that ended. */
static unsigned attach(struct aioevt_shm *bus, uint32_t p)
{
	unsigned before = count_uses(bus, p);
	struct aioevt_shm *other = bus_open(NULL);

	check(other->port_index != p);
	aioevt_shm_close(other);
	return before - count_uses(bus, p);
}

static void check_clean(struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;
	char name[32];

	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	for (unsigned i = 0; i < n_events; i++) {
		struct aioevt_shm_event *event;
		uint64_t state;

		snprintf(name, sizeof(name), "e.%u", i);
		event = event_of(bus, name);
		for (uint32_t b = 0; b < event->ring->n_bodies; b++)
			check(atomic_load(&event->ring->header->body_owner[b]) <= 1);
		check_eq(ring_look(event->ring, event->ring->base + 1, &state), LOOK_VOID);
		aioevt_shm_event_close(event);
	}
}

static uint32_t lay_out_corpse(unsigned n)
{
	struct child child;
	uint32_t p;

	n_events = n;
	child = spawn(be_corpse, NULL);
	check_eq(read(child.in, &p, sizeof(p)), sizeof(p));
	kill_child(&child);
	return p;
}

/* Step by step: none is left out where one piece ends and the next begins. */
static void test_single_steps(void)
{
	struct aioevt_shm *bus = bus_small(8);
	uint32_t p = lay_out_corpse(4);
	bool done = false;

	bus_lock(bus);
	while (!done)
		check(port_reap_some(bus, p, 1, &done));
	bus_unlock(bus);
	check_eq(phase_of(bus, p), PORT_FREE);
	check_clean(bus);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_attaching(void)
{
	struct aioevt_shm *bus = bus_small(1024);
	uint32_t p = lay_out_corpse(40);
	unsigned n_pieces = 1, most = 0;

	check_eq(count_uses(bus, p), n_events);
	attach(bus, p);
	check_eq(phase_of(bus, p), PORT_DEAD);
	check_eq(count_uses(bus, p), n_events);	/* the deep one takes several pieces */
	check(atomic_load(&bus_port(bus, p)->reaped) != 0);
	while (phase_of(bus, p) == PORT_DEAD) {
		unsigned n = attach(bus, p);

		most = n > most ? n : most;
		check(++n_pieces < 1000);
	}
	check_eq(count_uses(bus, p), 0);
	check_eq(atomic_load(&bus_port(bus, p)->reaped), 0);
	check(most && most <= 8);
	check(n_pieces > n_events / 8 + 2 * DEEP / 2048);
	check_clean(bus);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	test_attaching();
	test_single_steps();
	return bus_end();
}
