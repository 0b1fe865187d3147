/* SPDX-License-Identifier: MIT */
/*
 * A ring whose bytes are the input's, in memory of exactly its size, so that a byte read or
 * written beside it is seen. Its readers and its emitters do what they do, and a bus is there
 * for the bodies and the ports.
 */
#include <fcntl.h>
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "input.h"
#include "../../shm/body.h"
#include "../../shm/bus.h"

static struct aioevt_shm *bus;
static unsigned char buf[65536];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;

	(void)argc, (void)argv;
	config.n_events = config.n_listeners = 64;
	config.depth = 8;
	config.max_payload = sizeof(buf);
	if (aioevt_shm_open(NULL, &config, AIOEVT_SHM_ANONYMOUS, &bus) < 0)
		broken("opening the bus");
	return 0;
}

/* A plausible word for a slot: a lap near that of @seq. */
static void fill_slots(struct ring *r, struct input *in, uint64_t seq)
{
	for (uint32_t i = 0; i < r->depth; i++) {
		struct slot *slot = ring_slot(r, i);
		uint8_t lap = take_byte(in), how = take_byte(in), size = take_byte(in);
		uint64_t state = slot_word(ring_lap(r, seq) + (uint64_t)(int64_t)(int8_t)lap / 64,
					   how >> 4 & 3, how & 7, how & 8);

		if (how & 64)
			state = take(in, 8);
		atomic_store(&slot->state, how & 128 ? 0 : state);
		atomic_store(&slot->size, size & 128 ? (uint32_t)take(in, 4) : size);
		atomic_store(&slot->body, lap & 32 ? (uint32_t)take(in, 4) : how % 8);
	}
}

static void read_at(struct ring *r, uint64_t seq)
{
	struct ring_record record;
	unsigned char *exact;
	uint64_t state;
	enum ring_look look;

	look = ring_look(r, seq, &state);
	if (look == LOOK_BUSY)
		ring_revoke(r, seq, state, seq & 1);
	if (look != LOOK_RECORD || !ring_copy(r, seq, state, buf, sizeof(buf), &record))
		return;
	exact = malloc(record.size % 256 + 1);
	if (ring_copy(r, seq, state, exact, record.size % 256, &record) &&
	    record.size <= sizeof(buf) && record.size > r->inline_size)
		TIMED(body_read(bus, r, record.body, buf, record.size));
	free(exact);
	ring_still(r, seq, state);
}

static void emit_one(struct ring *r, size_t size)
{
	struct body body = { 0 };
	struct claim claim;
	uint64_t old;
	uint32_t hint = 0;
	int err = 0;

	if (size > r->inline_size)
		TIMED(err = body_prepare(bus, r, buf, (uint32_t)size, &hint, &body));
	if (err < 0)
		return;
	TIMED(err = ring_next(bus, r, &claim, &old));
	if (err < 0 || !ring_claim(r, bus->port_index, &claim, old))
		return;
	ring_fill(r, &claim, 1, buf, (uint32_t)size);
	if (size > r->inline_size)
		body_link(bus, r, claim.slot, &body);
	if (!ring_commit(r, &claim))
		ring_give_back(&claim);
	if (size > r->inline_size)
		body_settle(bus, r, &body);
}

static void use(struct ring *r, uint64_t seq)
{
	uint64_t head = 0, frontier = 0, voids = 0, end;
	int err = -1;

	TIMED(ring_head(r, &head, &voids));
	TIMED(ring_frontier(r, &frontier));
	TIMED(ring_settle_voids(bus, r, seq, &voids));
	TIMED(ring_settle_voids(bus, r, frontier, &voids));
	TIMED(ring_count_voids(r, ring_oldest(r, head_seq(head)), head_seq(head)));
	for (uint64_t s = seq - 2; s != seq + r->depth; s++)
		read_at(r, s);
	for (unsigned i = 0; i < 4; i++) {
		emit_one(r, 7 + i * 40);
		read_at(r, seq + i);
	}
	TIMED(ring_void_port(r, 2, 0, r->depth));
	TIMED(body_reap(bus, r, 2, 0, body_reap_steps(r)));
	TIMED(err = ring_close(bus, r, &end));
	if (!err)
		TIMED(ring_settle_voids(bus, r, end, &voids));
	/* Head was set back after somebody took a place by it. */
	TIMED(ring_settle_voids(bus, r, SEQ_MASK, &voids));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input in = { bytes, bytes + size };
	uint32_t depth = 8u << take_byte(&in) % 3;
	size_t region = ring_region_size(&bus->lo, depth);
	struct ring_header *header = aligned_alloc(64, round_up(region, 64));
	uint64_t base, seq, lag;
	struct ring r;

	memset(header, 0, region);
	header->depth = depth;
	header->slot_size = bus->lo.slot_size;
	base = take(&in, 7);
	lag = take_byte(&in);
	seq = base + take_byte(&in);
	atomic_store(&header->base, lag & 1 ? base : base & SEQ_MASK);
	atomic_store(&header->head, lag & 2 ? take(&in, 8) : seq & SEQ_MASK);
	atomic_store(&header->last_void, lag & 4 ? UINT64_MAX : take_byte(&in));
	atomic_store(&header->voids, lag & 8 ? take(&in, 8) : 0);
	atomic_store(&header->body_base, lag & 16 ? take(&in, 8) : lag & 32 ? BODY_BASE : 0);
	if (ring_view(&bus->lo, header, 0, depth, &r) == 0) {
		fill_slots(&r, &in, seq);
		for (uint32_t i = 0; i < r.n_bodies && in.pos < in.end; i++)
			atomic_store(&header->body_owner[i], (uint32_t)take_byte(&in));
		if (!r.base)
			TIMED(ring_begin(&r, seq));
		if (in.pos < in.end)	/* the rest is put over it all */
			memcpy((unsigned char *)header + (lag & 64 ? 128 : 0), in.pos,
			       (size_t)(in.end - in.pos) < region - 128 ?
			       (size_t)(in.end - in.pos) : region - 128);
		use(&r, seq & SEQ_MASK);
	}
	free(header);
	/* Its bodies. The file is sealed against shrinking. */
	if (fallocate(bus->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)bus->lo.tables_end, INT64_MAX - (off_t)bus->lo.tables_end) < 0)
		broken("fallocate");
	return 0;
}
