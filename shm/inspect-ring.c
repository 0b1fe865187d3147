/* SPDX-License-Identifier: MIT */
/* The slots of a ring. ring.c tells their words, inspect.c the rules. */
#include "inspect-ring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "event-map-internal.h"
#include "registry.h"

#define MAX_SLOTS_SEEN	10000u
#define CHUNK		(1u << 18)

/* ---- reading -------------------------------------------------------------------------- */

static bool read_slots(struct scan *scan)
{
	uint32_t stride = scan->look->lo.slot_size, batch = CHUNK / stride;
	unsigned char *chunk = malloc(CHUNK);
	int fd = scan->look->fd;

	scan->slots = malloc((size_t)scan->depth * sizeof(struct slot));
	for (uint32_t i = 0; chunk && scan->slots && i < scan->depth; i += batch) {
		uint32_t n = scan->depth - i < batch ? scan->depth - i : batch;

		look_read(fd, scan->slots_at + (uint64_t)i * stride, chunk, (size_t)n * stride);
		for (uint32_t k = 0; k < n; k++)
			memcpy(&scan->slots[i + k], chunk + (size_t)k * stride,
			       sizeof(struct slot));
	}
	free(chunk);
	return chunk && scan->slots;
}

static bool read_owners(struct scan *scan)
{
	if (!get64(&scan->header.body_base))
		return true;
	scan->owners = malloc(scan->n_bodies * sizeof(*scan->owners));
	scan->linked = calloc(scan->n_bodies, sizeof(*scan->linked));
	if (!scan->owners || !scan->linked)
		return false;
	look_read(scan->look->fd, scan->at + offsetof(struct ring_header, body_owner),
		  scan->owners, scan->n_bodies * sizeof(*scan->owners));
	return true;
}

static bool read_all(struct scan *scan)
{
	uint64_t head;

	if (!read_slots(scan) || !read_owners(scan)) {
		scan->look->err = -ENOMEM;
		return false;
	}
	look_read(scan->look->fd, scan->at + offsetof(struct ring_header, head), &head,
		  sizeof(head));
	scan->head = head_seq(get64(&scan->header.head));
	scan->head_after = head_seq(head);
	scan->quiet = scan->head == scan->head_after;
	return true;
}

/* ---- slots ---------------------------------------------------------------------------- */

static bool is_still(const struct scan *scan, uint32_t i)
{
	uint64_t state;

	look_read(scan->look->fd, scan->slots_at + (uint64_t)i * scan->look->lo.slot_size,
		  &state, sizeof(state));
	return state == state_of(scan, i);
}

/* WRITING or PINNED: by whom? */
static void look_at_held(struct scan *scan, uint32_t i)
{
	struct look *look = scan->look;
	uint64_t state = state_of(scan, i), seq = to_user(scan, seq_of(scan, i));
	bool pinned = slot_phase(state) == SLOT_PINNED;
	uint32_t p = slot_port(state);
	enum holder holder = look_holder(look, p);
	struct aioevt_shm_slot_look *seen;

	if (!is_still(scan, i))
		return;
	if (holder == HOLDER_NONE)
		ring_problem(scan, "held-slot", i, "record %" PRIu64 " is being written by port "
			     "%" PRIu32 ", which nobody has", seq, p);
	else
		report(look, NOTE, "held-slot", scan->at, i, "event \"%s\": record %" PRIu64
		       " %s by process %d%s", look_name(look, scan->event), seq,
		       pinned ? "was given up; its place is held" : "is being written",
		       (int)look_pid(look, p), holder == HOLDER_DEAD ? ", dead" : "");
	if (look->out->n_slots >= MAX_SLOTS_SEEN)
		return;
	seen = look_grow(look, &look->out->slots, &look->out->n_slots, sizeof(*seen));
	if (seen)
		*seen = (struct aioevt_shm_slot_look){
			.event = look->look_of[scan->event],
			.phase = pinned ? "pinned" : "writing", .seq = seq, .port = p,
			.pid = look_pid(look, p), .alive = holder == HOLDER_ALIVE,
		};
}

/* Never claimed: right only if its first number is still to come. */
static void look_at_unclaimed(struct scan *scan, uint32_t i)
{
	uint64_t base = get64(&scan->header.base);
	uint64_t first = base + ((i - base) & (scan->depth - 1));

	if (first < scan->head)
		ring_problem(scan, "slot", i, "the place of record %" PRIu64 " is empty",
			     to_user(scan, first));
}

static void look_at_closed(struct scan *scan, uint32_t i)
{
	uint64_t state = look_state(scan->look, scan->event);

	if (event_is_findable(state) && !scan->has_next)
		ring_problem(scan, "closed", i, "ring %" PRIu32 " is closed, and none follows",
			     scan->extent->ring);
}

static void look_at_slot(struct scan *scan, uint32_t i)
{
	uint64_t state = state_of(scan, i), seq = seq_of(scan, i);
	uint32_t phase = slot_phase(state);

	if (!state) {
		look_at_unclaimed(scan, i);
		return;
	}
	if (phase == SLOT_FREE || phase > SLOT_CLOSED)
		ring_problem(scan, "slot", i, "place %" PRIu32 " of ring %" PRIu32
			     " holds 0x%" PRIx64 ", which is no state", i,
			     scan->extent->ring, state);
	else if (seq > scan->head_after)
		ring_problem(scan, "head", i, "record %" PRIu64 " was claimed, and the head is "
			     "behind, at %" PRIu64, to_user(scan, seq),
			     to_user(scan, scan->head_after));
	else if (seq + scan->depth < scan->head || seq < get64(&scan->header.base))
		ring_problem(scan, "slot", i, "place %" PRIu32 " of ring %" PRIu32 " holds "
			     "record %" PRIu64 ", and the head is at %" PRIu64, i,
			     scan->extent->ring, to_user(scan, seq),
			     to_user(scan, scan->head));
	else if (phase == SLOT_WRITING || phase == SLOT_PINNED)
		look_at_held(scan, i);
	else if (phase == SLOT_CLOSED)
		look_at_closed(scan, i);
}

/* ---- the whole ------------------------------------------------------------------------ */

/* Voids below head - depth; the header counts them ahead of the head by one at most. */
static uint64_t count_old_voids(struct scan *scan)
{
	uint64_t voids = get64(&scan->header.voids);
	uint32_t low = head_low_voids(get64(&scan->header.head));
	uint64_t ahead = (voids - low) & VOIDS_MASK;

	if (scan->quiet && ahead > 1)
		ring_problem(scan, "voids", 0, "%" PRIu64 " numbers that are no records are "
			     "counted, the head has %" PRIu32, voids & VOIDS_MASK, low);
	return ahead <= 1 && voids >= ahead ? voids - ahead : voids;
}

static bool was_void(const struct scan *scan, uint64_t seq)
{
	uint64_t state = state_of(scan, (uint32_t)(seq & (scan->depth - 1)));
	uint64_t lap = seq >> scan->shift;

	if (slot_lap(state) == lap)
		return slot_phase(state) == SLOT_VOID || slot_phase(state) == SLOT_PINNED;
	return slot_lap(state) == lap + 1 && state & SLOT_AFTER_VOID;
}

static void count_records(struct scan *scan)
{
	struct aioevt_shm_event_look *seen = look_seen(scan->look, scan->event);
	uint64_t base = get64(&scan->header.base), voids = count_old_voids(scan);
	uint64_t seq = scan->head > base + scan->depth ? scan->head - scan->depth : base;

	for (; seq < scan->head; seq++) {
		uint32_t i = (uint32_t)(seq & (scan->depth - 1));
		bool held = seq_of(scan, i) == seq &&
			    slot_phase(state_of(scan, i)) == SLOT_COMMITTED;

		voids += was_void(scan, seq);
		if (held && get64(&scan->slots[i].time) > seen->last_time)
			seen->last_time = get64(&scan->slots[i].time);
	}
	if (scan->head - base >= voids)
		seen->n_records += scan->head - base - voids;
	if (scan->extent->ring < seen->n_rings)
		return;
	seen->n_rings = scan->extent->ring + 1;
	seen->depth = scan->depth;
	scan->look->tracks[scan->event].depth = scan->depth;
	scan->look->tracks[scan->event].head = scan->head;
	scan->look->tracks[scan->event].head_offset =
		scan->at + offsetof(struct ring_header, head);
}

/* Is there a ring, one that began? */
static bool look_at_ring_header(struct scan *scan)
{
	const struct ring_header *h = &scan->header;
	uint64_t base = get64(&h->base);

	if (h->depth != scan->depth || h->slot_size != scan->look->lo.slot_size ||
	    base > SEQ_MASK || (!base && !scan->extent->ring)) {
		ring_problem(scan, "ring", scan->extent->ring, "ring %" PRIu32 " at 0x%" PRIx64
			     " is not there", scan->extent->ring, scan->at);
		return false;
	}
	if (base && head_seq(get64(&h->head)) < base) {
		ring_problem(scan, "head", UINT64_MAX, "the head of ring %" PRIu32
			     " is below its first record", scan->extent->ring);
		return false;
	}
	return base;
}

static void look_at_ring(struct look *look, const struct extent *extent)
{
	const struct event *ev = look_event(look, extent->event);
	uint32_t k = extent->ring;
	struct scan scan = {
		.look = look, .extent = extent, .event = extent->event,
		.at = extent->start + (k ? 0 : look->lo.ctl_size),
		.depth = ring_depth(get64(&ev->ring[k])),
		.has_next = k + 1 < MAX_RINGS && get64(&ev->ring[k + 1]) > RING_SEALED,
	};

	scan.shift = (uint32_t)__builtin_ctz(scan.depth);
	scan.n_bodies = scan.depth + look->lo.n_listeners;
	scan.slots_at = scan.at + ring_region_size(&look->lo, scan.depth) -
			(uint64_t)scan.depth * look->lo.slot_size;
	if (!k)
		look->tracks[extent->event].ctl_offset = extent->start;
	look_read(look->fd, scan.at, &scan.header, sizeof(scan.header));
	if (look_at_ring_header(&scan) && read_all(&scan)) {
		for (uint32_t i = 0; i < scan.depth; i++)
			look_at_slot(&scan, i);
		scan_bodies(&scan);
		count_records(&scan);
	}
	free(scan.slots);
	free(scan.owners);
	free(scan.linked);
}

void look_at_rings(struct look *look)
{
	struct extents *regions = &look->regions;

	extents_sort(look, regions, "ring");
	look->left = look->out->memory > look->lo.tables_end ?
		     look->out->memory - look->lo.tables_end : 0;
	for (size_t i = 0; i < regions->n && !look->err; i++) {
		const struct extent *at = &regions->at[i];
		uint64_t size = at->end - at->start;

		if (at->loose)
			look_at_loose_bodies(look, at);
		if (at->loose || at->overlaps)
			continue;
		if (size > look->left) {
			report(look, PROBLEM, "missing-memory", at->start, 0, "event \"%s\": "
			       "ring %" PRIu32 " takes %" PRIu64 " bytes, which the file has "
			       "no memory for", look_name(look, at->event), at->ring, size);
			continue;
		}
		look->left -= size;
		look_at_ring(look, at);
	}
	for (size_t i = 0; i < look->out->n_events && !look->err; i++) {
		uint32_t e = look->out->events[i].index;

		if (look->tracks[e].ctl_offset && look->tracks[e].head_offset)
			look_at_readers(look, e);
	}
	extents_sort(look, &look->bodies, "bodies");
}
