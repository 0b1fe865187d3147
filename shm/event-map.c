/* SPDX-License-Identifier: MIT */
/*
 * Using and mapping events, and their regions made and freed. ring[0] of an event is the region
 * with its struct event_ctl and first ring; a ring may get a successor, see grow.c.
 *
 * Ordering
 *   set_ring:A, prepare:A / load_ring:A   release/acquire: its header is complete. (That of
 *       ring[0] is written after, but found by others only once registry_link:A published it.)
 *   map_region:A / event_map_rings:A   release/acquire, between threads of this process.
 * Progress  lock-free, but for the kernel's time and bus_lock().
 * Crash     a region that was made and not published is in the port's pending words.
 */
#include "event-map-internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"
#include "clock.h"
#include "region.h"
#include "registry-internal.h"

#define PAGE		4096u
#define MIN_LOG2	3u

uint64_t event_region_size(struct aioevt_shm *bus, uint64_t ring, bool first)
{
	return round_up((first ? bus->lo.ctl_size : 0) +
			ring_region_size(&bus->lo, ring_depth(ring)), PAGE);
}

uint64_t event_region_max(struct aioevt_shm *bus)
{
	uint64_t first = event_region_size(bus, make_word(0, bus->lo.depth), true);

	return first > bus->lo.ring_budget ? first : bus->lo.ring_budget;
}

bool event_region_is_sane(struct aioevt_shm *bus, uint64_t word, bool first)
{
	uint64_t offset = ring_offset(word), size = event_region_size(bus, word, first);

	return (word & (REGION_ALIGN - 1)) <= MAX_LOG2 && (word & LOG2_MASK) >= MIN_LOG2 &&
	       size <= event_region_max(bus) && offset >= bus->lo.tables_end &&
	       offset <= REGION_LIMIT - size;
}

/* ---- mapping ----------------------------------------------------------------------- */

/* Does the file reach that far? Beyond its end, and where it has no memory, is SIGBUS. */
static bool is_in_file(struct aioevt_shm *bus, uint64_t word, uint64_t size)
{
	struct stat st;

	return size <= SIZE_MAX / 2 && !fstat(bus->fd, &st) &&
	       (uint64_t)st.st_size >= ring_offset(word) + size &&
	       (uint64_t)st.st_blocks * 512 >= bus->lo.tables_end + size;
}

/* Map the region of ring @k, which is @word. */
static int map_region(struct event_map *map, unsigned k, uint64_t word)
{
	struct aioevt_shm *bus = map->bus;
	uint64_t size = event_region_size(bus, word, k == 0);
	struct ring *ring = &map->ring[k];
	struct guard *guard;
	unsigned char *p;
	void *region;
	int err;

	if (!event_region_is_sane(bus, word, k == 0) || !is_in_file(bus, word, size))
		return -EPROTO;
	err = bus_map(bus, ring_offset(word), size, &region, &guard);
	if (err < 0)
		return err;
	p = region;
	err = ring_view(&bus->lo, (void *)(p + (k ? 0 : bus->lo.ctl_size)),
			ring_offset(word) + (k ? 0 : bus->lo.ctl_size), ring_depth(word),
			ring);
	if (err < 0) {
		bus_unmap(p, size, guard);
		return err;
	}
	ring->mapping = p;
	ring->mapping_size = size;
	ring->guard = guard;
	if (!k) {
		map->ctl = (void *)p;
		map->observers = &map->ctl->reliable[bus->lo.n_words];
		map->cursors = (void *)(p + bus->lo.ctl_size - bus->lo.n_listeners * 8);
	}
	return 0;
}

static void add_ring(struct event_map *map)
{
	/* map_region:A  release, pairs with event_map_rings:A */
	atomic_fetch_add_explicit(&map->n_rings, 1, memory_order_release);
}

int event_map_successor(struct event_map *map)
{
	unsigned k = event_map_rings(map);
	uint64_t word = k < MAX_RINGS ? load_ring(map->event, k) : RING_SEALED;
	int err;

	if (word <= RING_SEALED)
		return 0;
	if (map->ring[k].mapping)
		return 1;
	err = map_region(map, k, word);
	return err < 0 ? err : 1;
}

int event_map_begin(struct event_map *map, uint64_t end)
{
	int err = ring_begin(&map->ring[event_map_rings(map)], end);

	if (!err)
		add_ring(map);
	return err;
}

static uint64_t load_head(const struct event_map *map)
{
	/* load_head:A  relaxed: only whether it has moved */
	return atomic_load_explicit(&event_map_last(map)->header->head,
				    memory_order_relaxed);
}

static struct event_map *map_alloc(struct aioevt_shm *bus, struct event_ref ref)
{
	struct event_map *map = calloc(1, sizeof(*map));

	if (map) {
		map->bus = bus;
		map->ref = ref;
		map->refs = 1;
		map->event = bus_event(bus, ref.index);
	}
	return map;
}

/* The first use of an index by this process. */
static struct event_map *map_new(struct aioevt_shm *bus, struct event_ref ref)
{
	struct event_map *map = map_alloc(bus, ref);

	assert(!bus->maps[ref.index]);
	if (map) {
		bus->maps[ref.index] = map;
		registry_use(bus, ref.index);
	}
	return map;
}

int event_map_hold(struct aioevt_shm *bus, struct event_ref ref, bool even_dead,
		   struct event_map **ret_map)
{
	struct event_map *map = bus->maps[ref.index];

	/* The event that is open keeps its place, so that of another generation went. */
	if (map && map->ref.generation != ref.generation)
		return -ENOENT;
	if (map) {
		map->refs++;
	} else {
		map = map_new(bus, ref);
		if (!map)
			return -ENOMEM;
		if (!registry_has_kept(bus, ref, even_dead)) {
			event_map_drop(map);
			return -ENOENT;
		}
	}
	*ret_map = map;
	return 0;
}

void event_map_drop(struct event_map *map)
{
	struct aioevt_shm *bus = map->bus;
	uint32_t index = map->ref.index;
	bool is_mine = !map->is_borrowed;

	if (--map->refs)
		return;
	for (unsigned k = 0; k < MAX_RINGS; k++)
		if (map->ring[k].mapping)
			bus_unmap(map->ring[k].mapping, map->ring[k].mapping_size,
				  map->ring[k].guard);
	free(map);
	if (is_mine) {
		bus->maps[index] = NULL;
		registry_unuse(bus, index);
	}
}

/* Map what began. The word of ring 0 is there, or the event is scribbled on. */
int event_map_all(struct event_map *map)
{
	for (;;) {
		unsigned k = event_map_rings(map);
		int r = event_map_successor(map);

		if (r <= 0)
			return r < 0 ? r : k ? 0 : -EPROTO;
		/* event_map_all:A  seq_cst, pairs with ring_begin:A: reliable_register() looks
		 * for rings that began before an emitter saw the old epoch */
		map->ring[k].base = atomic_load_explicit(&map->ring[k].header->base,
							 memory_order_seq_cst);
		if (!map->ring[k].base)
			return k ? 0 : -EPROTO;
		if (map->ring[k].base > SEQ_MASK)
			return -EPROTO;
		add_ring(map);
	}
}

int event_map_get(struct aioevt_shm *bus, struct event_ref ref, struct event_map **ret_map)
{
	struct event_map *map;
	int err = event_map_hold(bus, ref, false, &map);

	if (err < 0)
		return err;
	if (!event_map_rings(map)) {
		err = event_map_all(map);
		if (err < 0) {
			event_map_drop(map);
			return err;
		}
		map->first_head = load_head(map);
	}
	*ret_map = map;
	return 0;
}

/* A process that attaches has to reap before it has a port, and with it bits. */
int event_map_for_reaper(struct aioevt_shm *bus, uint32_t index, struct event_map **ret_map)
{
	uint64_t state = registry_state(bus, index);
	struct event_ref ref = { index, event_generation(state) };
	struct event_map *map;

	if (!event_is_findable(state) && event_phase(state) != EVENT_DEAD)
		return -ENOENT;
	if (bus->maps[index])
		return event_map_hold(bus, ref, true, ret_map);
	map = map_alloc(bus, ref);
	if (!map)
		return -ENOMEM;
	map->is_borrowed = true;
	*ret_map = map;
	return 0;
}

void event_map_put(struct event_map *map)
{
	struct aioevt_shm *bus = map->bus;
	uint32_t index = map->ref.index;
	bool is_last = map->refs == 1;

	if (is_last && (map->was_used || load_head(map) != map->first_head))
		/* oldest_idle:B  relaxed: which one is a matter of taste */
		atomic_store_explicit(&map->event->last_used,
				      clock_ns(CLOCK_MONOTONIC_COARSE),
				      memory_order_relaxed);
	event_map_drop(map);
	if (is_last)
		registry_bury(bus, index);
}

/* ---- regions ------------------------------------------------------------------------ */

int event_region_write_header(struct aioevt_shm *bus, uint64_t at, uint32_t depth)
{
	struct ring_header header = { .depth = depth, .slot_size = bus->lo.slot_size };
	ssize_t n = pwrite(bus->fd, &header, sizeof(header), (off_t)at);

	return n == sizeof(header) ? 0 : n < 0 ? -errno : -EIO;
}

int event_region_new(struct aioevt_shm *bus, struct event_ref ref, struct event_map **ret_map)
{
	struct event_map *map = map_new(bus, ref);
	uint64_t offset, word = make_word(0, bus->lo.depth);
	int err;

	if (!map)
		return -ENOMEM;
	err = region_new(bus, event_region_size(bus, word, true), &offset);
	if (!err) {
		word = make_word(offset, bus->lo.depth);
		/* set_ring:A  release, pairs with copy_rings:A: from here on it is found by
		 * who cleans up the slot */
		atomic_store_explicit(&map->event->ring[0], word, memory_order_release);
		err = event_region_write_header(bus, offset + bus->lo.ctl_size, bus->lo.depth);
	}
	if (!err)
		err = map_region(map, 0, word);
	if (err < 0) {
		event_map_drop(map);
		return err;
	}
	add_ring(map);
	*ret_map = map;
	return 0;
}

uint64_t event_first_number(const struct aioevt_shm *bus, uint64_t floor)
{
	uint64_t bias = seq_bias(&bus->lo);

	return floor > bias ? floor & SEQ_MASK : bias;
}

/* Called again with a higher floor if its maker has to walk again: it is private still. */
void event_region_start(struct event_map *map, uint64_t floor)
{
	struct ring *ring = &map->ring[0];

	ring->base = event_first_number(map->bus, floor);
	/* event_region_start:C  relaxed: as A */
	atomic_store_explicit(&map->event->start, ring->base, memory_order_relaxed);
	/* event_region_start:A  relaxed: private, registry_link:A publishes it */
	atomic_store_explicit(&ring->header->head, ring->base, memory_order_relaxed);
	/* event_region_start:B  release, pairs with ring_view:A, event_map_all:A */
	atomic_store_explicit(&ring->header->base, ring->base, memory_order_release);
}

/*
 * Is there a ring of that size? A word that was scribbled on must not cost other events their
 * memory. The first ring of an event whose maker did not get far has no header yet.
 */
static bool has_header(struct aioevt_shm *bus, const struct ring_header *header, uint32_t depth)
{
	if (!header->depth && !header->slot_size)
		return depth == bus->lo.depth;
	return header->depth == depth && header->slot_size == bus->lo.slot_size;
}

/* Not mapped: it may be a hole already, where a mapping could raise SIGBUS. */
static bool read_header(struct aioevt_shm *bus, uint64_t ring, bool first,
			struct ring_header *ret_header)
{
	uint64_t at = ring_offset(ring) + (first ? bus->lo.ctl_size : 0);

	return event_region_is_sane(bus, ring, first) &&
	       pread(bus->fd, ret_header, sizeof(*ret_header), (off_t)at) ==
	       sizeof(*ret_header) && has_header(bus, ret_header, ring_depth(ring));
}

uint64_t event_region_bodies(struct aioevt_shm *bus, uint64_t ring, bool first)
{
	struct ring_header header;

	if (!read_header(bus, ring, first, &header))
		return 0;
	/* event_region_free:B  relaxed: a private copy */
	return body_memory_all(bus, atomic_load_explicit(&header.body_base,
				memory_order_relaxed), ring_depth(ring));
}

void event_region_free(struct aioevt_shm *bus, uint64_t ring, bool first)
{
	struct ring_header header;

	if (!read_header(bus, ring, first, &header))
		return;
	/* event_region_free:A  relaxed: a private copy */
	body_free_all(bus, atomic_load_explicit(&header.body_base, memory_order_relaxed),
		      ring_depth(ring));
	region_free(bus, ring_offset(ring),
		    round_up(event_region_size(bus, ring, first), REGION_ALIGN));
}
