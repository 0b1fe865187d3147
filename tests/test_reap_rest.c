/* SPDX-License-Identifier: MIT */
/*
 * A listener with a pattern that is killed while it frees itself, when its pattern is dropped
 * and it still rests on events: its reaper takes its bit off all of them.
 */
#include "bus.h"

#include "../shm/bus.h"
#include "event.h"
#include "listener.h"
#include "port.h"
#include "rest.h"

#define MANY	48u

static struct aioevt_shm_event *open_job(struct aioevt_shm *bus, unsigned i)
{
	char name[32];

	snprintf(name, sizeof(name), "job.%u", i);
	return event_of(bus, name);
}

/* The first step of aioevt_shm_listener_free(). */
static int victim(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_listener *l = listener_of(bus);

	(void)arg;
	check_eq(aioevt_shm_listen(l, "job.*", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	check(l->n_subs > MAX_AWAKE + 1);
	pattern_drop_all(l);
	say(me, 'x');
	hear(me);
	return 0;
}

static uint32_t count_listeners(struct aioevt_shm *bus)
{
	struct aioevt_shm_event_info info;
	uint32_t n = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct aioevt_shm_event *ev = open_job(bus, i);

		check_eq(aioevt_shm_event_get_info(ev, &info), 0);
		n += info.n_listeners;
		aioevt_shm_event_close(ev);
	}
	return n;
}

int main(void)
{
	struct aioevt_shm *bus;
	struct child child;

	bus_begin();
	bus = bus_small(8);
	check_eq(count_listeners(bus), 0);
	child = spawn(victim, NULL);
	check_eq(hear(&child), 'x');
	check_eq(count_listeners(bus), MANY);
	kill_child(&child);
	bus_lock(bus);
	check_eq(port_reap_all(bus), 1);
	bus_unlock(bus);
	check_eq(count_listeners(bus), 0);
	aioevt_shm_close(bus);
	return bus_end();
}
