/* SPDX-License-Identifier: MIT */
/*
 * Room for what is new: a slot of the table of events, the budget of rings, that of large
 * payloads, the blocks of the file system. When it lacks, idle events are retired, the one that was last used longest ago
 * first. An event is idle if no participant has it open and it has no timer.
 *
 * A request that cannot succeed costs nobody anything. So before the first event is retired,
 * the request is compared with what all idle events would give, and is refused if that does
 * not suffice, or if the new ring could not be mapped or the file is not allowed to grow. (The
 * comparison is of one moment: participants that open idle events meanwhile, or take the
 * memory that was given back, may still make the request fail.)
 *
 * What costs nobody anything comes first: DEAD events are buried, and before idle events are
 * found not to suffice, dead participants are reaped.
 *
 * The file system is asked how much it has left. It may refuse nevertheless, because of a
 * quota or the system's own limits, of which statvfs(2) tells nothing. Then what was asked for
 * has to come from idle events as a whole. If large payloads alone have used up their budget,
 * an event that holds none is not retired for one.
 *
 * Ordering  registry_retire:A,B, in_use:A / registry_use:A,B   see registry.c.
 * Progress  lock-free, but for the kernel's time: a round that retires nothing found that
 *   another process opened the event, or retired it.
 * Crash     a retirer killed leaves RETIRING, which is as good as LIVE; see bury.c for the rest.
 */
#include "registry-internal.h"

#include <errno.h>
#include <sys/mman.h>

#include "body.h"
#include "event-map.h"
#include "port.h"
#include "region.h"
#include "timer.h"

/* ---- idle events --------------------------------------------------------------------- */

struct idle_walk {
	uint64_t used[MAX_EVENTS / 64];	/* by any port */
	uint32_t next;
};

static void begin_walk(struct aioevt_shm *bus, struct idle_walk *walk)
{
	walk->next = 0;
	for (uint32_t w = 0; w < bus->lo.n_events / 64; w++)
		walk->used[w] = 0;
	for (uint32_t p = 0; p < bus_ports_used(bus); p++)
		for (uint32_t w = 0; w < bus->lo.n_events / 64; w++)
			/* in_use:B  relaxed: registry_in_use() looks again */
			walk->used[w] |= atomic_load_explicit(&bus_port(bus, p)->using[w],
							      memory_order_relaxed);
}

static bool next_idle(struct aioevt_shm *bus, struct idle_walk *walk, struct event_ref *ret_ref)
{
	while (walk->next < bus_events_used(bus)) {
		uint32_t i = walk->next++;
		uint64_t state = registry_state(bus, i);

		if (!event_is_findable(state) || walk->used[i / 64] & bit_of(i) ||
		    timer_any(bus, i, event_generation(state)))
			continue;
		*ret_ref = (struct event_ref){ i, event_generation(state) };
		return true;
	}
	return false;
}

static uint64_t ring_bytes(struct aioevt_shm *bus, uint32_t index)
{
	uint64_t bytes = 0, rings[MAX_RINGS];

	registry_copy_rings(bus_event(bus, index), rings);
	for (unsigned k = 0; k < MAX_RINGS && rings[k] > RING_SEALED; k++)
		if (event_region_is_sane(bus, rings[k], k == 0))
			bytes += event_region_size(bus, rings[k], k == 0);
	return bytes;
}

static uint64_t body_bytes(struct aioevt_shm *bus, uint32_t index)
{
	uint64_t bytes = 0, rings[MAX_RINGS];

	registry_copy_rings(bus_event(bus, index), rings);
	for (unsigned k = 0; k < MAX_RINGS && rings[k] > RING_SEALED; k++)
		bytes += event_region_bodies(bus, rings[k], k == 0);
	return bytes;
}

uint64_t registry_memory(struct aioevt_shm *bus)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < bus_events_used(bus); i++)
		if (event_phase(registry_state(bus, i)) != EVENT_FREE)
			bytes += ring_bytes(bus, i);
	return bytes;
}

/* What all idle events have. */
struct stock {
	uint32_t n;
	uint64_t bytes;			/* of their rings */
	struct event_ref oldest;	/* the one that was last used longest ago */
};

static void take_stock(struct aioevt_shm *bus, bool only_with_bodies, struct stock *ret_stock)
{
	struct stock stock = { 0 };
	uint64_t oldest = UINT64_MAX;
	struct idle_walk walk;
	struct event_ref ref;

	begin_walk(bus, &walk);
	while (next_idle(bus, &walk, &ref)) {
		/* oldest_idle:A  relaxed: which one is a matter of taste */
		uint64_t last = atomic_load_explicit(&bus_event(bus, ref.index)->last_used,
						     memory_order_relaxed);

		if (only_with_bodies && !body_bytes(bus, ref.index))
			continue;
		if (!stock.n++ || last < oldest) {
			oldest = last;
			stock.oldest = ref;
		}
		stock.bytes += ring_bytes(bus, ref.index);
	}
	*ret_stock = stock;
}

/* Memory that lacks. */
struct lack {
	uint64_t any;			/* bytes, of rings or large payloads */
	uint64_t bodies;		/* bytes of large payloads among them */
};

static uint64_t subtract(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Would all idle events make up for it? Their bodies are looked for last. */
static bool would_suffice(struct aioevt_shm *bus, const struct stock *stock, struct lack lack)
{
	struct idle_walk walk;
	struct event_ref ref;

	lack.any = subtract(lack.any, stock->bytes);
	begin_walk(bus, &walk);
	while ((lack.any || lack.bodies) && next_idle(bus, &walk, &ref)) {
		uint64_t bytes = body_bytes(bus, ref.index);

		lack.any = subtract(lack.any, bytes);
		lack.bodies = subtract(lack.bodies, bytes);
	}
	return !lack.any && !lack.bodies;
}

/* Kill an event that nobody uses. False: somebody does, or did it. */
static bool retire(struct aioevt_shm *bus, struct event_ref ref)
{
	_Atomic uint64_t *word = &bus_event(bus, ref.index)->state;
	uint64_t retiring = event_word(ref.generation, bus->port_index, EVENT_RETIRING);
	uint64_t state = registry_state(bus, ref.index);

	if (event_generation(state) != ref.generation || !event_is_findable(state))
		return false;
	/* registry_retire:A  seq_cst, pairs with registry_use:B, keep:A */
	if (!atomic_compare_exchange_strong(word, &state, retiring))
		return false;
	/* Who schedules for it uses it; so its timers are looked for after that. */
	if (registry_in_use(bus, ref.index) ||
	    timer_any(bus, ref.index, ref.generation)) {
		registry_keep(bus, ref.index, retiring);
		return false;
	}
	/* registry_retire:B  seq_cst, pairs with registry_use:B, keep:A */
	if (!atomic_compare_exchange_strong(word, &retiring,
					    event_word(ref.generation, 0, EVENT_DEAD)))
		return false;
	registry_bury(bus, ref.index);
	return true;
}

/* ---- the table, and the budget ------------------------------------------------------- */

/* What a scan of the table found. */
struct census {
	uint64_t bytes;			/* of all rings */
	uint32_t n_buried;		/* events that were DEAD, and are no more */
	uint32_t free_index;		/* a free slot; n_events if none */
};

static void take_census(struct aioevt_shm *bus, struct census *ret_census)
{
	struct census c = { .free_index = bus->lo.n_events };
	uint32_t used = bus_events_used(bus);
	unsigned n_broken = 0;

	for (uint32_t i = 0; i < used; i++) {
		uint64_t state = registry_state(bus, i);

		if (n_broken < MAX_BROKEN && (event_phase(state) == EVENT_DEAD ||
					      event_phase(state) == EVENT_GONE)) {
			n_broken += registry_bury(bus, i) < 0;
			state = registry_state(bus, i);
			c.n_buried += event_phase(state) == EVENT_FREE;
		}
		if (event_phase(state) != EVENT_FREE)
			c.bytes += ring_bytes(bus, i);
		else if (c.free_index == bus->lo.n_events && !bus->maps[i])
			c.free_index = i;
	}
	/*
	 * The first that was never taken; any if the mark is scribbled on. What I have open is
	 * not free, whatever a scribbled table says.
	 */
	for (uint32_t i = used; c.free_index == bus->lo.n_events && i < bus->lo.n_events; i++)
		if (event_phase(registry_state(bus, i)) == EVENT_FREE && !bus->maps[i])
			c.free_index = i;
	*ret_census = c;
}

/* A ring larger than the budget may stand alone. */
static bool is_within_budget(struct aioevt_shm *bus, uint64_t others, uint64_t size)
{
	return !others || others + size <= bus->lo.ring_budget;
}

static bool has_room(struct aioevt_shm *bus, const struct census *census, uint64_t size,
		     bool with_slot)
{
	return (!with_slot || census->free_index < bus->lo.n_events) &&
	       is_within_budget(bus, census->bytes, size);
}

/* Would there be room if all idle events went? */
static bool would_have_room(struct aioevt_shm *bus, const struct census *census,
			    const struct stock *stock, uint64_t size)
{
	struct lack lack = { .any = subtract(size, region_memory_left(bus)) };

	return stock->n && would_suffice(bus, stock, lack) &&
	       is_within_budget(bus, subtract(census->bytes, stock->bytes), size);
}

/* Could I use a new region of @size bytes? */
static int check_region(struct aioevt_shm *bus, uint64_t size)
{
	int saved_errno = errno, err = region_check(bus, size);
	void *p;

	if (err < 0)
		return err;
	p = size > SIZE_MAX / 2 ? MAP_FAILED :
	    mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	errno = saved_errno;
	if (p == MAP_FAILED)
		return -ENOMEM;
	munmap(p, size);
	return 0;
}

static int make_room(struct aioevt_shm *bus, uint64_t size, bool with_slot,
		     struct census *ret_census)
{
	bool may_retire = false;

	/* One idle event goes with each, and others may take the room. */
	for (unsigned round = 0; round < MAX_LOST_LONG + bus->lo.n_events; round++) {
		struct stock stock;
		int err;

		take_census(bus, ret_census);
		if (has_room(bus, ret_census, size, with_slot))
			return 0;
		err = may_retire ? 0 : check_region(bus, size);
		if (err < 0)
			return err;
		may_retire = true;
		take_stock(bus, false, &stock);
		if (would_have_room(bus, ret_census, &stock, size))
			retire(bus, stock.oldest);
		else if (!port_reap_all(bus))
			return -ENOSPC;
	}
	return -EBUSY;
}

int registry_make_room(struct aioevt_shm *bus, uint64_t size)
{
	struct census c;

	return make_room(bus, size, false, &c);
}

int registry_find_slot(struct aioevt_shm *bus, uint64_t size, uint32_t *ret_index)
{
	struct census c;
	int err = make_room(bus, size, true, &c);

	*ret_index = c.free_index;
	return err;
}

/* ---- memory -------------------------------------------------------------------------- */

/* Retire the oldest until that makes up for @lack. Returns whether any was retired. */
static bool retire_for(struct aioevt_shm *bus, struct lack lack)
{
	bool is_done = false;

	for (unsigned round = 0; round < MAX_LOST_LONG && (lack.any || lack.bodies); round++) {
		uint64_t rings, bodies;
		struct stock stock;

		take_stock(bus, !lack.any, &stock);
		if (!stock.n)
			break;
		rings = ring_bytes(bus, stock.oldest.index);
		bodies = body_bytes(bus, stock.oldest.index);
		if (!retire(bus, stock.oldest))
			continue;
		lack.any = subtract(lack.any, rings + bodies);
		lack.bodies = subtract(lack.bodies, bodies);
		is_done = true;
	}
	return is_done;
}

int registry_free_memory(struct aioevt_shm *bus, uint64_t size, bool for_body, unsigned n_tries)
{
	int n_reaped = port_reap_all(bus);
	struct census census;
	struct stock stock;
	struct lack lack;

	take_census(bus, &census);	/* what is DEAD is buried */
	lack.any = subtract(size, region_memory_left(bus));
	lack.bodies = for_body ? body_lack(bus, size) : 0;
	if (!lack.any && !lack.bodies) {
		if (n_reaped || census.n_buried || !n_tries)
			return 0;
		lack.any = size;	/* refused for a reason that is not told */
	}
	take_stock(bus, false, &stock);
	if (!stock.n || !would_suffice(bus, &stock, lack))
		return -ENOSPC;
	return retire_for(bus, lack) ? 0 : -ENOSPC;
}
