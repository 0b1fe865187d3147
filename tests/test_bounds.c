/* SPDX-License-Identifier: MIT */
/* Many rounds of a loop that gets on are no damage: in a ring of 2^20 slots, which has no more. */
#include "bus.h"

#include "../shm/bus.h"
#include "event.h"
#include "ring.h"

#define DEPTH	1048576u

static struct aioevt_shm *bus;

/* A reader that wants later records only passes all that the ring holds. */
static void test_skipped(void)
{
	struct aioevt_shm_event *ev = event_of(bus, "skipped");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	char buf[8];

	check_eq(aioevt_shm_listen(listener, "skipped", 0, AIOEVT_SHM_FROM_SEQ, DEPTH + 10,
				   &sub), 0);
	for (unsigned i = 1; i < DEPTH + 10; i++)
		check_eq(aioevt_shm_emit(ev, "x", 1, NULL), 0);
	check_eq(aioevt_shm_wait(listener, 0, &sub), -ETIMEDOUT);
	check_eq(aioevt_shm_emit(ev, "x", 1, NULL), 0);
	check_eq(aioevt_shm_wait(listener, 0, &sub), 0);
	check_eq(aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)), 1);
	check_eq(record.seq, DEPTH + 10);
	check_eq(record.missed, 0);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(ev);
}

/* An emitter that finds every slot taken by one that is stopped says just that. */
static void test_pinned(void)
{
	struct aioevt_shm_event *ev = event_of(bus, "pinned");
	const struct ring *ring = ev->ring;

	for (uint64_t seq = ring->base; seq < ring->base + DEPTH; seq++)
		atomic_store(&ring_slot(ring, seq)->state,
			     slot_word(ring_lap(ring, seq) - 1, bus->port_index, SLOT_WRITING,
				       false));
	check_eq(aioevt_shm_emit(ev, "x", 1, NULL), -ENOBUFS);
	aioevt_shm_event_close(ev);
}

int main(void)
{
	struct aioevt_shm_config config = bus_config(64, 64, DEPTH);

	bus_begin();
	config.inline_size = 40;
	bus = bus_open(&config);
	test_skipped();
	check_eq(aioevt_shm_event_remove(bus, "skipped"), 0);
	test_pinned();
	aioevt_shm_close(bus);
	return bus_end();
}
