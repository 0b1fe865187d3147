/* SPDX-License-Identifier: MIT */
/*
 * A participant that is killed, or stopped, at each instruction of reaping a dead one. What
 * is dead holds up nobody meanwhile; killed, the reaper's work is repeated and the bus is
 * clean of both; stopped, it costs the bus one port until it goes on.
 */
#include "freeze.h"

#include "body.h"
#include "port.h"
#include "region.h"

/*
 * The dead one: in the midst of an emit, with a payload in a body, a reliable reader in the
 * way, a pattern, an event that it was making, and a region that no event has yet.
 */
static struct corpse {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
} corpse;

/* Half an emit of a large payload. */
static void claim_and_link(void)
{
	static unsigned char data[FREEZE_LARGE];
	struct event_map *map = corpse.event->map;
	const struct ring *ring = event_map_last(map);
	uint32_t hint = 0;
	struct body body, spare;
	struct claim claim;
	uint64_t old;

	check_eq(body_prepare(corpse.bus, ring, data, sizeof(data), &hint, &body), 0);
	check_eq(body_prepare(corpse.bus, ring, data, sizeof(data), &hint, &spare), 0);
	check_eq(ring_next(corpse.bus, ring, &claim, &old), 0);
	check(ring_claim(ring, corpse.bus->port_index, &claim, old));
	ring_fill(ring, &claim, 1, data, sizeof(data));
	body_link(corpse.bus, ring, claim.slot, &body);
}

/* Half a new event, as its maker leaves it before the link: registry.c. */
static void begin_event(void)
{
	struct aioevt_shm *bus = corpse.bus;
	uint32_t i = bus_events_used(bus);
	struct event_map *map;
	struct event_ref ref;
	struct event *ev;

	for (uint32_t k = 0; k < i; k++)
		if (event_phase(registry_state(bus, k)) == EVENT_FREE)
			i = k;
	bus_raise(&bus->header->events_hw, i + 1);
	ev = bus_event(bus, i);
	atomic_store(&ev->state, event_word(event_generation(registry_state(bus, i)) + 1,
					    bus->port_index, EVENT_NEW));
	for (unsigned k = 0; k < MAX_RINGS; k++)
		atomic_store(&ev->ring[k], 0);
	for (unsigned k = 0; k < NAME_WORDS; k++)
		atomic_store(&ev->name[k], k ? 0 : 0x7803);
	ref = (struct event_ref){ i, event_generation(registry_state(bus, i)) };
	check_eq(event_region_new(bus, ref, &map), 0);
}

static int be_corpse(struct child *me, void *arg)
{
	uint64_t offset;

	(void)arg;
	corpse.bus = bus_open(NULL);
	corpse.event = event_of(corpse.bus, "frozen");
	corpse.listener = listener_of(corpse.bus);
	check_eq(aioevt_shm_listen(corpse.listener, "frozen", AIOEVT_SHM_RELIABLE,
				   AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	check_eq(aioevt_shm_listen(corpse.listener, "no.>", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	begin_event();
	check_eq(region_new(corpse.bus, 65536, &offset), 0);
	claim_and_link();
	say(me, 'd');
	hear(me);
	return 0;
}

static void lay_out_corpse(void)
{
	struct child child = spawn(be_corpse, NULL);

	check_eq(hear(&child), 'd');
	kill_child(&child);
}

/* ---- the operation ----------------------------------------------------------------------- */

static void reap_them(void)
{
	pthread_mutex_lock(&victim.bus->lock);
	freeze_told->value[0] = (uint64_t)port_reap_all(victim.bus);
	pthread_mutex_unlock(&victim.bus->lock);
	freeze_told->err = 0;
}

/* The same in many pieces, each of which lets go of the right. */
static void reap_piecewise(void)
{
	bool done, any = false;

	pthread_mutex_lock(&victim.bus->lock);
	for (uint32_t p = 0; p < bus_ports_used(victim.bus); p++)
		while (p != victim.bus->port_index &&
		       port_reap_some(victim.bus, p, 200, &done) && !(any |= done))
			;
	pthread_mutex_unlock(&victim.bus->lock);
	freeze_told->value[0] = any;
	freeze_told->err = 0;
}

/* It attaches before there is anything to reap: an attach reaps, too. */
static void ready_reaper(void)
{
	victim_attach();
	lay_out_corpse();
}

/* One who goes on may have been told to leave it to others, that reaped it meanwhile. */
static void verify_reaped(void)
{
	check_eq(freeze_told->err, 0);
	check(freeze_told->value[0] <= 1);
}

/* ---- attaching over the dead --------------------------------------------------------------- */

static void attach(void)
{
	freeze_told->err = aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &victim.bus);
}

static void verify_attached(void)
{
	struct aioevt_shm_info info;

	check_eq(freeze_told->err, 0);
	check_eq(aioevt_shm_get_info(victim.bus, &info), 0);
	victim.event = event_of(victim.bus, "frozen");
}

int main(void)
{
	struct freeze reap_op = {
		.what = "reap a dead port", .ready = ready_reaper, .act = reap_them,
		.verify = verify_reaped, .share = 6,
	};
	struct freeze pieces_op = {
		.what = "reap a dead port, in pieces", .ready = ready_reaper,
		.act = reap_piecewise, .verify = verify_reaped, .share = 6,
	};
	struct freeze attach_op = {
		.what = "attach, with a dead port to reap", .ready = lay_out_corpse,
		.act = attach, .verify = verify_attached, .share = 4,
	};
	struct crew_config config = CREW_CONFIG(FREEZE_LARGE, .flags = 0);

	freeze_begin();
	crew_begin(&config);
	freeze_run(&reap_op);
	freeze_run(&pieces_op);
	freeze_run(&attach_op);
	crew_end();
	return freeze_end();
}
