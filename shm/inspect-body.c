/* SPDX-License-Identifier: MIT */
/* The bodies of a ring. body.c tells their words, inspect.c the rules. */
#include "inspect-ring.h"

#include <inttypes.h>

#define LINKED		1u
#define OWNED		2u

static void look_at_link(struct scan *scan, uint32_t i)
{
	uint32_t body = get32(&scan->slots[i].body), size = get32(&scan->slots[i].size);
	bool record = slot_phase(state_of(scan, i)) == SLOT_COMMITTED;
	const struct layout *lo = &scan->look->lo;

	if (record && size > lo->max_payload)
		ring_problem(scan, "size", i, "record %" PRIu64 " has %" PRIu32 " bytes, over "
			     "the limit of %" PRIu32, to_user(scan, seq_of(scan, i)), size,
			     lo->max_payload);
	if (body > scan->n_bodies || (body && !scan->owners) ||
	    (record && size > lo->inline_size && !body))
		ring_problem(scan, "body", i, "record %" PRIu64 ": it is at body %" PRIu32
			     ", which is none", to_user(scan, seq_of(scan, i)), body);
	else if (body)
		scan->linked[body - 1]++;
}

static void look_at_body(struct scan *scan, uint32_t b)
{
	uint32_t owner = scan->owners[b], p = owner >> 2, n = scan->linked[b];
	enum holder holder = look_holder(scan->look, p);

	if (owner && owner != LINKED && ((owner & 3) != OWNED || holder == HOLDER_NONE))
		ring_problem(scan, "body", UINT64_C(1) << 32 | b, "body %" PRIu32 " belongs to "
			     "port %" PRIu32 ", which nobody has", b + 1, p);
	else if (n > 1)
		ring_problem(scan, "body", UINT64_C(2) << 32 | b, "body %" PRIu32 " is in %"
			     PRIu32 " places", b + 1, n);
	else if (owner == LINKED && !n)
		ring_problem(scan, "body", UINT64_C(3) << 32 | b, "body %" PRIu32 " is in no "
			     "place, and not free", b + 1);
	else if (!owner && n)
		ring_problem(scan, "body", UINT64_C(4) << 32 | b, "body %" PRIu32 " is free, and "
			     "in a place", b + 1);
	else if (owner && owner != LINKED && holder == HOLDER_DEAD)
		report(scan->look, NOTE, "dead-body", scan->at, b, "event \"%s\": body %" PRIu32
		       " belongs to process %d, dead", look_name(scan->look, scan->event),
		       b + 1, (int)look_pid(scan->look, p));
}

/* May bodies be there? */
static bool is_place(const struct look *look, uint64_t base, uint64_t size)
{
	return base >= BODY_BASE && base % BODY_ALIGN == 0 && base <= BODY_LIMIT - size &&
	       base + size <= get64(&look->header.body_end);
}

void scan_bodies(struct scan *scan)
{
	uint64_t base = get64(&scan->header.body_base);
	uint64_t size = (uint64_t)scan->n_bodies * scan->look->lo.body_stride;

	for (uint32_t i = 0; scan->quiet && i < scan->depth; i++)
		look_at_link(scan, i);
	if (!base)
		return;
	if (!is_place(scan->look, base, size)) {
		ring_problem(scan, "body", UINT64_C(5) << 32, "its bodies are at 0x%" PRIx64
			     ", which is no place for them", base);
		return;
	}
	extents_add(scan->look, &scan->look->bodies, (struct extent){
			.start = base, .end = base + size, .event = scan->event,
			.ring = scan->extent->ring });
	for (uint32_t b = 0; scan->quiet && b < scan->n_bodies; b++)
		look_at_body(scan, b);
}

void look_at_loose_bodies(struct look *look, const struct extent *extent)
{
	uint64_t at = extent->start + (extent->ring ? 0 : look->lo.ctl_size), size;
	struct ring_header header;

	if (extent->event == NOBODY)
		return;
	look_read(look->fd, at, &header, sizeof(header));
	size = ((uint64_t)header.depth + look->lo.n_listeners) * look->lo.body_stride;
	if (header.depth > MAX_DEPTH || !is_place(look, get64(&header.body_base), size))
		return;
	extents_add(look, &look->bodies, (struct extent){
			.start = get64(&header.body_base),
			.end = get64(&header.body_base) + size, .event = extent->event,
			.ring = extent->ring, .loose = true });
}
