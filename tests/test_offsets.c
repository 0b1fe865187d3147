/* SPDX-License-Identifier: MIT */
/* Offsets that are used up stay so, however often more are asked for; what is there stays. */

#include "bus.h"

#include "../shm/bus.h"

#define LARGE	300u
#define TRIES	100u

static unsigned char payload[LARGE], seen[LARGE];

static struct aioevt_shm_sub *listen_to(struct aioevt_shm_listener *listener, const char *name)
{
	struct aioevt_shm_sub *sub = NULL;

	check_eq(aioevt_shm_listen(listener, name, 0, AIOEVT_SHM_FROM_NEW, 0, &sub), 0);
	return sub;
}

int main(void)
{
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_event *old, *event, *none = NULL;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm *bus;
	uint64_t bodies, regions;

	bus_begin();
	bus = bus_small(8);
	memset(payload, 'x', sizeof(payload));
	listener = listener_of(bus);
	sub = listen_to(listener, "old");
	old = event_of(bus, "old");
	event = event_of(bus, "new");
	check_eq(aioevt_shm_emit(old, payload, LARGE, NULL), 0);

	/* as after so many events with large payloads that there is no place for one more */
	bodies = BODY_LIMIT - bus->lo.body_stride;
	atomic_store(&bus->header->body_end, bodies);
	for (unsigned i = 0; i < TRIES; i++)
		check_eq(aioevt_shm_emit(event, payload, LARGE, NULL), -EFBIG);
	check_eq(atomic_load(&bus->header->body_end), bodies);
	check_eq(aioevt_shm_emit(event, "small", 5, NULL), 0);
	check_eq(aioevt_shm_emit(old, payload, LARGE, NULL), 0);

	regions = REGION_LIMIT;
	atomic_store(&bus->header->region_end, regions);
	for (unsigned i = 0; i < TRIES; i++)
		check_eq(aioevt_shm_event_open(bus, "more", 0, &none), -EFBIG);
	check_eq(atomic_load(&bus->header->region_end), regions);

	for (unsigned i = 0; i < 2; i++) {
		check_eq(aioevt_shm_read(sub, &record, 1, seen, sizeof(seen)), 1);
		check_mem(seen, record.size, payload, LARGE);
	}
	aioevt_shm_event_close(old);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return bus_end();
}
