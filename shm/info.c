/* SPDX-License-Identifier: MIT */
#include "bus.h"
#include "registry.h"

static uint32_t count_events(struct aioevt_shm *bus)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < bus_events_used(bus); i++)
		n += event_is_findable(registry_state(bus, i));
	return n;
}

static uint32_t count_ports(struct aioevt_shm *bus)
{
	uint32_t n = 0;

	for (uint32_t p = 0; p < bus_ports_used(bus); p++)
		/* count_ports:A  relaxed: for people to read */
		n += (atomic_load_explicit(&bus_port(bus, p)->state,
					   memory_order_relaxed) & 0xff) != 0;
	return n;
}

static uint32_t count_listeners(struct aioevt_shm *bus)
{
	uint32_t n = 0;

	for (uint32_t l = 0; l < bus_listeners_used(bus); l++)
		/* count_listeners:B  relaxed: for people to read */
		n += atomic_load_explicit(&bus_listener(bus, l)->owner,
					  memory_order_relaxed) != 0;
	return n;
}

int aioevt_shm_get_info(struct aioevt_shm *bus, struct aioevt_shm_info *ret_info)
{
	const struct layout *lo;
	int err = ret_info ? bus_check(bus) : -EINVAL;

	if (err < 0)
		return err;
	lo = &bus->lo;
	*ret_info = (struct aioevt_shm_info){
		.n_events = lo->n_events, .n_listeners = lo->n_listeners,
		.depth = lo->depth, .inline_size = lo->inline_size,
		.max_payload = lo->max_payload, .port = bus->port_index,
		.ring_budget = lo->ring_budget, .large_budget = lo->large_budget,
		.memory = bus_memory(bus),
		.events_used = count_events(bus), .ports_used = count_ports(bus),
		.listeners_used = count_listeners(bus),
	};
	return bus_result(bus, 0);
}
