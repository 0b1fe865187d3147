/* SPDX-License-Identifier: MIT */
/* A dead process had taken all bodies of a ring: the next large emit reaps it and goes through. */

#include "bus.h"

#include "../shm/bus.h"
#include "body.h"
#include "event.h"

static unsigned char payload[300];

/* As one with a thread for each body, killed while all of them write. */
static int take_all(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_event *event = event_of(bus, "e");
	struct body body;
	uint32_t hint = 0;

	(void)arg;
	while (!body_prepare(bus, event->ring, payload, sizeof(payload), &hint, &body))
		;
	say(me, 'x');
	hear(me);
	return 0;
}

int main(void)
{
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;
	struct child child;

	bus_begin();
	bus = bus_small(8);
	event = event_of(bus, "e");
	child = spawn(take_all, NULL);
	check_eq(hear(&child), 'x');
	check_eq(aioevt_shm_emit(event, payload, sizeof(payload), NULL), -ENOBUFS);
	kill_child(&child);
	check_eq(aioevt_shm_emit(event, payload, sizeof(payload), NULL), 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return bus_end();
}
