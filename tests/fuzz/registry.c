/* SPDX-License-Identifier: MIT */
/*
 * The registry's own calls over tables that were scribbled on: find, make, use, retire, bury,
 * reap. Only the tables are overwritten, so that lists and states are reached that do not come
 * about by chance.
 */
#include <errno.h>
#include <inttypes.h>

#include "small-bus.h"
#include "../../shm/port.h"

static struct name some_name(uint8_t n)
{
	static const char *const known[] = {
		"lapped", "reliable", "removed", "unfinished", "p.1", "p.2", "grown", "large",
	};
	struct name name;
	char text[16];

	snprintf(text, sizeof(text), "r.%u", n % 100);
	if (name_pack(n & 128 ? known[n % 8] : text, &name) < 0)
		broken("name_pack");
	return name;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	small_bus_build();
	return 0;
}

static void get(struct aioevt_shm *bus, uint8_t arg, bool create)
{
	struct name name = some_name(arg);
	struct event_map *map = NULL;
	bool created;
	int err = -1;

	TIMED(err = registry_get(bus, &name, create, &map, &created));
	if (!err)
		TIMED(event_map_put(map));
}

static void call(struct aioevt_shm *bus, uint8_t what, uint8_t arg)
{
	struct name name = some_name(arg);
	struct event_ref ref;

	switch (what % 9) {
	case 0:
		TIMED(registry_find(bus, &name, &ref));
		break;
	case 1:
		get(bus, arg, false);
		break;
	case 2:
		get(bus, arg, true);
		break;
	case 3:
		TIMED(registry_free_memory(bus, (uint64_t)arg << 10, arg & 1, 1));
		break;
	case 4:
		TIMED(registry_bury(bus, arg % bus->lo.n_events));
		break;
	case 5:
		TIMED(registry_reap_new(bus, arg % bus->lo.n_events, arg & 1));
		break;
	case 6:
		TIMED(port_reap(bus, arg % bus->lo.n_listeners));
		break;
	case 7:
		if (registry_find(bus, &name, &ref) > 0)
			TIMED(registry_kill(bus, ref));
		break;
	default:
		TIMED(registry_make_room(bus, (uint64_t)arg << 12));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input in = { bytes, bytes + size };
	struct aioevt_shm *bus = NULL;

	small_bus_restore();
	if (take_byte(&in) & 1 &&
	    aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &bus) < 0)
		broken("opening a bus that nobody scribbled on");
	for (unsigned n = 0; in.pos < in.end && n < 64; n++) {
		uint8_t code = take_byte(&in);

		if (code < 160) {
			small_bus_poke_tables(&in);
			continue;
		}
		if (!bus)
			TIMED(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &bus));
		if (!bus)
			continue;
		bus_lock(bus);
		call(bus, code, take_byte(&in));
		bus_unlock(bus);
	}
	for (unsigned i = 0; bus && i < 9; i++) {
		bus_lock(bus);
		call(bus, (uint8_t)i, 128 + (uint8_t)i);
		call(bus, (uint8_t)i, (uint8_t)i);
		bus_unlock(bus);
	}
	aioevt_shm_close(bus);
	small_bus_check_memory();
	return 0;
}
