/* SPDX-License-Identifier: MIT */
/*
 * The readers of a ring: look, copy, revoke, void, and count what is void. The states and
 * who moves them, and how voids are counted for good, are told in ring.c.
 *
 * CLOSED takes the slot of the record one lap before, but nothing is stored into it: a
 * reader that needs that record finds it there still (ring_look).
 *
 * A slot is read like a seqlock: state, contents, state again. Contents are stored with
 * release and loaded with acquire, word by word: a reader that saw one new word must
 * see at least the claim that came before it when it loads the state again.
 *
 * Ordering
 *   ring_claim:A / ring_fill:A,B,D,E / ring_copy:A-F, ring_look:A   as just told.
 *   ring_still:A / ring_claim:A   the same for a body that came by a system call.
 *   ring_revoke:A / ring_commit:A   acq_rel: one of the two wins.
 *   ring_head:A,B / ring_step:A   release/acquire: the two heads stand around the voids, so
 *       these are of a time when head had not gone on by more than its low bits can tell.
 * Progress  ring_look, ring_revoke are wait-free. A reader that is overtaken while copying
 *   retries; emitters then have made a lap of progress.
 * Crash     a reader killed anywhere leaves nothing: last_void is raised before a number
 *   becomes void, and if it does not, that costs a scan.
 */
#include "ring.h"

#include <errno.h>
#include <string.h>

#include "bounds.h"
#include "port.h"

enum ring_look ring_look(const struct ring *r, uint64_t seq, uint64_t *ret_state)
{
	uint64_t lap = ring_lap(r, seq);
	/* ring_look:A  seq_cst, pairs with ring_commit:A, ring_close:A, ring_claim:A; seq_cst
	 * because it is the sleeper's last look, see bell_arm:A */
	uint64_t state = atomic_load_explicit(&ring_slot(r, seq)->state,
					      memory_order_seq_cst);

	*ret_state = state;
	if (!state || slot_lap(state) < lap)
		return LOOK_EMPTY;
	if (slot_phase(state) == SLOT_CLOSED && slot_lap(state) == lap + 1 &&
	    seq >= r->base)
		return state & SLOT_AFTER_VOID ? LOOK_VOID : LOOK_RECORD;
	if (slot_lap(state) > lap)
		return LOOK_GONE;
	switch (slot_phase(state)) {
	case SLOT_WRITING:
		return LOOK_BUSY;
	case SLOT_COMMITTED:
		return LOOK_RECORD;
	case SLOT_CLOSED:
		return LOOK_CLOSED;
	default:
		return LOOK_VOID;
	}
}

void ring_revoke(const struct ring *r, uint64_t seq, uint64_t state, bool dead)
{
	ring_note_void(r, seq);
	/* ring_revoke:A  acq_rel, pairs with ring_next:B, ring_commit:A: one of the two wins */
	atomic_compare_exchange_strong_explicit(&ring_slot(r, seq)->state, &state,
			slot_with_phase(state, dead ? SLOT_VOID : SLOT_PINNED),
			memory_order_acq_rel, memory_order_relaxed);
}

void ring_void_port(const struct ring *r, uint32_t p, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to && i < r->depth; i++) {
		struct slot *slot = ring_slot(r, i);
		/* ring_void_port:A  acquire, pairs with ring_claim:A */
		uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);

		while ((slot_phase(state) == SLOT_WRITING ||
			slot_phase(state) == SLOT_PINNED) && slot_port(state) == p) {
			ring_note_void(r, slot_lap(state) << r->shift | i);
			/* ring_void_port:B  acq_rel, pairs with ring_next:B; a failure means
			 * that an emitter carried or claimed it */
			if (atomic_compare_exchange_strong_explicit(&slot->state, &state,
					slot_with_phase(state, SLOT_VOID),
					memory_order_acq_rel, memory_order_acquire))
				break;
		}
	}
}

static void load_payload(const struct slot *slot, unsigned char *to, uint32_t size)
{
	uint64_t word;
	uint32_t i;

	for (i = 0; i + 8 <= size; i += 8) {
		/* ring_copy:C  acquire, pairs with ring_fill:D,E */
		word = atomic_load_explicit(&slot->payload[i / 8], memory_order_acquire);
		memcpy(to + i, &word, 8);
	}
	if (i < size) {
		/* ring_copy:E  acquire, pairs with ring_fill:D,E */
		word = atomic_load_explicit(&slot->payload[i / 8], memory_order_acquire);
		memcpy(to + i, &word, size - i);
	}
}

bool ring_copy(const struct ring *r, uint64_t seq, uint64_t state, void *buf, size_t room,
	       struct ring_record *ret_record)
{
	struct slot *slot = ring_slot(r, seq);
	struct ring_record record;

	/* ring_copy:A  acquire, pairs with ring_fill:A */
	record.time = atomic_load_explicit(&slot->time, memory_order_acquire);
	/* ring_copy:B  acquire, pairs with ring_fill:B */
	record.size = atomic_load_explicit(&slot->size, memory_order_acquire);
	/* ring_copy:F  acquire, pairs with body_link:A */
	record.body = atomic_load_explicit(&slot->body, memory_order_acquire);
	if (record.size <= r->inline_size && record.size <= room)
		load_payload(slot, buf, record.size);
	*ret_record = record;
	/* ring_copy:D  relaxed: the acquire loads above keep it behind them; pairs with
	 * ring_claim:A */
	return atomic_load_explicit(&slot->state, memory_order_relaxed) == state;
}

bool ring_still(const struct ring *r, uint64_t seq, uint64_t state)
{
	/* ring_still:A  seq_cst, pairs with ring_claim:A: a read-modify-write cannot be done
	 * before the system call that read the body, and reads the newest value */
	return atomic_fetch_or_explicit(&ring_slot(r, seq)->state, 0,
					memory_order_seq_cst) == state;
}

int ring_head(const struct ring *r, uint64_t *ret_head, uint64_t *ret_voids)
{
	struct rounds rounds = { 0 };
	uint64_t seq, head, voids, now;
	int err = ring_frontier(r, &seq);

	while (!err) {
		/* ring_head:A  acquire, pairs with ring_step:A */
		head = atomic_load_explicit(&r->header->head, memory_order_acquire);
		voids = ring_voids(r, head);
		/* ring_head:B  acquire, pairs with ring_step:A: if I was stopped in between
		 * and head went on by half of what its low bits tell, they told nothing */
		now = atomic_load_explicit(&r->header->head, memory_order_acquire);
		if (head_seq(now) - head_seq(head) < VOIDS_MASK / 2) {
			*ret_head = head;
			*ret_voids = voids;
			return 0;
		}
		err = rounds_lose(&rounds, head, now);
	}
	return err;
}

/* ---- counting voids -------------------------------------------------------------- */

static bool was_void(const struct ring *r, uint64_t seq)
{
	/* was_void:A  acquire, pairs with ring_revoke:A, ring_next:C, ring_void_port:B */
	uint64_t state = atomic_load_explicit(&ring_slot(r, seq)->state,
					      memory_order_acquire);

	if (slot_lap(state) == ring_lap(r, seq))
		return slot_phase(state) == SLOT_VOID || slot_phase(state) == SLOT_PINNED;
	return slot_lap(state) == ring_lap(r, seq) + 1 && state & SLOT_AFTER_VOID;
}

uint32_t ring_count_voids(const struct ring *r, uint64_t from, uint64_t to)
{
	uint32_t n = 0;

	/* ring_count_voids:A  acquire, pairs with raise:B */
	if (atomic_load_explicit(&r->header->last_void, memory_order_acquire) < from)
		return 0;
	for (; from < to; from++)
		n += was_void(r, from);
	return n;
}

/*
 * @seq is being written and its number is below a reader's: it shall not become a record. Once
 * is enough: if it is another's word by now, it is not being written any more.
 */
static void revoke_writing(struct aioevt_shm *bus, const struct ring *r, uint64_t seq)
{
	uint64_t state;

	if (ring_look(r, seq, &state) == LOOK_BUSY)
		ring_revoke(r, seq, state, port_is_dead(bus, slot_port(state)));
}

int ring_settle_voids(struct aioevt_shm *bus, const struct ring *r, uint64_t seq,
		      uint64_t *ret_voids)
{
	uint64_t head, oldest, n;
	int err = ring_head(r, &head, &n);

	/* Again if emitters went round twice meanwhile: was_void() sees one lap back. */
	for (unsigned i = 0; !err && i < MAX_LOST_LONG; i++) {
		oldest = ring_oldest(r, head_seq(head));
		if (seq > oldest && seq - oldest > r->depth)
			return -EPROTO;		/* head fell back: scribbled */
		for (uint64_t s = oldest; s < seq; s++) {
			revoke_writing(bus, r, s);
			n += was_void(r, s);
		}
		*ret_voids = n;
		err = ring_head(r, &head, &n);
		if (err || ring_oldest(r, head_seq(head)) < oldest + r->depth)
			return err;
	}
	return err < 0 ? err : -EBUSY;
}
