/* SPDX-License-Identifier: MIT */
/*
 * The ring, its states and its emitters: claim, fill, commit, step, close. ring-read.c has
 * its readers: look, copy, revoke. Slot of number s is s % depth, its lap s / depth.
 * tests/model/ring.pml is these two files as a model.
 *
 *   slot->state = lap:46 | owner's port:14 | after-void:1 | phase:3
 *   head        = voids:12 | next number:52
 *
 * Phases, for one lap of a slot, and who moves them:
 *   0         never claimed, in a fresh ring; stands for any earlier lap
 *   WRITING   claimed by its port, payload incomplete.     ring_claim: one emitter's CAS
 *   COMMITTED readable until the next lap                  ring_commit: its owner's CAS
 *   PINNED    no record; a live owner that was revoked     ring_revoke: any reader's CAS
 *             may still store into it                      ring_next: CAS by who laps on it
 *   VOID      no record, nobody stores into it             ring_give_back, ring_withdraw: its
 *                                                          owner's CAS
 *                                                          any CAS, if the owner is dead
 *   CLOSED    no number from here on is in this ring       ring_close: anyone's CAS
 * COMMITTED and VOID, and all phases of a dead owner, may be claimed at the next lap.
 * WRITING and PINNED of a live owner are carried to the next lap as PINNED: only their
 * owner may ever free the slot, so no two processes store into it at once. One stopped
 * thread takes one slot away, no more.
 *
 * The slot is the truth about a claim; head follows it. Number h can be claimed only when
 * h - 1 was: ring_next() offers slot(head), and head moves on only past a slot that is at
 * head's lap. So head is behind the claims by one at most, and anyone may push it.
 *
 * Counting what is lost: after-void says that the number one lap before was no record, and
 * each step of head adds it up. So ring_voids() is how many of the numbers below
 * head - depth were no records, and a reader that was overtaken knows exactly how many
 * records it missed, whatever was killed in between. Head has room for the low 12 bits;
 * header->voids has all of them, raised to what head is about to have before each step
 * that counts one. So it is ahead by one at most, and the low bits tell by how much.
 *
 * Ordering
 *   ring_claim:A / ring_fill:A,B,D,E / ring_copy:A-F, ring_look:A   see ring-read.c.
 *   ring_commit:A / ring_look:A   release/acquire: COMMITTED seen means contents seen.
 *   ring_commit:A / bell_arm:A   seq_cst: half of the wake protocol, bell.c.
 *   ring_next:A / ring_frontier:A    seq_cst: half of the registration of reliable
 *       readers, reliable.c.
 *   ring_step:A / ring_next:A        release/acquire on head.
 * Progress  ring_next and ring_claim are lock-free as long as fewer than half of the slots
 *   are being written at once: a retry means that another emitter, or closer, got its step
 *   done, and of those that pin each other's numbers one gets through. Who finds all slots
 *   pinned says so (-ENOBUFS). ring_commit does one CAS, and helps with one or two.
 * Crash     an emitter killed after ring_claim leaves WRITING: readers and lapping emitters
 *   pin it, and void it once its port is known to be dead. Killed after ring_commit
 *   and before ring_step: the next emitter steps head. Stopped instead of killed: the
 *   same, until it goes on, fails its commit and gives the slot back.
 */
#include "ring.h"

#include <errno.h>
#include <string.h>

#include "bounds.h"
#include "port.h"

static uint64_t header_size(const struct layout *lo, uint32_t depth)
{
	/* Slots start on a pair of lines: what is fetched with a line is the next one. */
	return round_up(sizeof(struct ring_header) +
			4 * ((uint64_t)depth + lo->n_listeners), 2 * LINE);
}

uint64_t ring_region_size(const struct layout *lo, uint32_t depth)
{
	return header_size(lo, depth) + (uint64_t)depth * lo->slot_size;
}

int ring_view(const struct layout *lo, struct ring_header *header, uint64_t offset,
	      uint32_t depth, struct ring *ret_ring)
{
	struct ring r = {
		.header = header, .offset = offset,
		.size = ring_region_size(lo, depth), .depth = depth,
		.shift = (uint32_t)__builtin_ctz(depth), .slot_size = lo->slot_size,
		.inline_size = lo->inline_size, .n_bodies = depth + lo->n_listeners,
	};

	/* ring_view:A  acquire, pairs with ring_begin:A */
	r.base = atomic_load_explicit(&header->base, memory_order_acquire);
	if (header->depth != depth || header->slot_size != lo->slot_size ||
	    r.base > SEQ_MASK)
		return -EPROTO;
	r.slots = (unsigned char *)header + header_size(lo, depth);
	*ret_ring = r;
	return 0;
}

int ring_begin(struct ring *r, uint64_t base)
{
	uint64_t none = 0;

	/* ring_begin:B  relaxed: A publishes it; a failure means it was done */
	atomic_compare_exchange_strong_explicit(&r->header->head, &none, base,
						memory_order_relaxed, memory_order_relaxed);
	none = 0;
	/* ring_begin:A  seq_cst, pairs with ring_view:A, ring_begin:A, event_map_all:A */
	atomic_compare_exchange_strong_explicit(&r->header->base, &none, base,
						memory_order_seq_cst, memory_order_acquire);
	r->base = none ? none : base;
	return r->base <= SEQ_MASK ? 0 : -EPROTO;
}

static void raise(_Atomic uint64_t *word, uint64_t least)
{
	/* raise:A  relaxed: only the CAS below decides */
	uint64_t n = atomic_load_explicit(word, memory_order_relaxed);

	/* raise:B  release, pairs with ring_count_voids:A */
	while (n < least && !atomic_compare_exchange_weak_explicit(word, &n, least,
				memory_order_release, memory_order_relaxed))
		;
}

/* All voids of @head, of which it holds the low bits, by a count that is a little off. */
static uint64_t voids_at(uint64_t voids, uint64_t head)
{
	uint32_t ahead = (uint32_t)(voids - head_low_voids(head)) & VOIDS_MASK;

	return ahead <= VOIDS_MASK / 2 ? voids - ahead : voids + (VOIDS_MASK + 1 - ahead);
}

uint64_t ring_voids(const struct ring *r, uint64_t head)
{
	/* ring_voids:A  acquire, pairs with count_void:C; off by what was stepped since */
	return voids_at(atomic_load_explicit(&r->header->voids, memory_order_acquire), head);
}

/*
 * Before @head is stepped past a number that counts one void more: raise header->voids to
 * that. False if head was stepped meanwhile: then @head's low bits say nothing any more
 * about the voids that were loaded. A CAS from exactly those, and not a raise to a higher
 * value, because head cannot pass before voids has risen: who comes late, fails.
 */
static bool count_void(const struct ring *r, uint64_t head)
{
	/* count_void:A  acquire, pairs with count_void:C */
	uint64_t voids = atomic_load_explicit(&r->header->voids, memory_order_acquire);
	uint64_t wanted = voids_at(voids, head) + 1;

	/* count_void:B  acquire, pairs with ring_step:A: head is not older than voids */
	if (atomic_load_explicit(&r->header->head, memory_order_acquire) != head)
		return false;
	if (voids < wanted)
		/* count_void:C  acq_rel, pairs with count_void:A, ring_voids:A; a failure means
		 * that another did it */
		atomic_compare_exchange_strong_explicit(&r->header->voids, &voids, wanted,
							memory_order_acq_rel,
							memory_order_relaxed);
	return true;
}

/* Push head past the slot of its number, which is at @state. */
static void ring_step(const struct ring *r, uint64_t head, uint64_t state)
{
	uint64_t next = (head & ~SEQ_MASK) | ((head + 1) & SEQ_MASK);

	if (state & SLOT_AFTER_VOID) {
		if (!count_void(r, head))
			return;
		next += VOID_UNIT;
	}
	/* ring_step:A  release, pairs with ring_next:A, count_void:B: the claim comes first. A
	 * failure means that another stepped it. */
	atomic_compare_exchange_strong_explicit(&r->header->head, &head, next,
						memory_order_release,
						memory_order_relaxed);
}

void ring_note_void(const struct ring *r, uint64_t seq)
{
	raise(&r->header->last_void, seq);
}

/*
 * @seq's slot has an unfinished number of a lap ago. If its emitter lives, carry it to
 * this lap as PINNED and return false; if it is dead, the slot can be claimed.
 */
static bool ring_lap_on(struct aioevt_shm *bus, const struct ring *r, uint64_t head,
			struct slot *slot, uint64_t old)
{
	uint64_t seq = head_seq(head), pinned;

	ring_note_void(r, seq);
	if (port_is_dead(bus, slot_port(old)))
		return true;
	pinned = slot_word(ring_lap(r, seq), slot_port(old), SLOT_PINNED, true);
	/* ring_next:C  acq_rel, pairs with ring_give_back:A, ring_commit:A */
	if (atomic_compare_exchange_strong_explicit(&slot->state, &old, pinned,
						    memory_order_acq_rel,
						    memory_order_relaxed))
		ring_step(r, head, pinned);
	return false;
}

int ring_next(struct aioevt_shm *bus, const struct ring *r, struct claim *ret_claim,
	      uint64_t *ret_old)
{
	uint64_t head, seq, lap, old;
	struct rounds rounds = { 0 };
	struct slot *slot;
	uint32_t pins = 0;
	int err = 0;

	while (!err) {
		/* ring_next:A  seq_cst, pairs with ring_step:A, ring_frontier:A */
		head = atomic_load_explicit(&r->header->head, memory_order_seq_cst);
		seq = head_seq(head);
		lap = ring_lap(r, seq);
		slot = ring_slot(r, seq);
		if (__builtin_expect(seq < r->base, 0))
			return -EPROTO;		/* a truncated file is zeros */
		/* ring_next:B  acquire, pairs with ring_claim:A, ring_commit:A,
		 * ring_give_back:A */
		old = atomic_load_explicit(&slot->state, memory_order_acquire);
		ret_claim->seq = seq;
		ret_claim->slot = slot;
		ret_claim->head = head;

		if (slot_lap(old) == lap) {
			if (slot_phase(old) == SLOT_CLOSED)
				return -EPIPE;
			ring_step(r, head, old);
			err = rounds_lose(&rounds, head, old);
		} else if (old && slot_lap(old) != lap - 1) {
			/* A newer lap means that head has moved; what has not is broken.
			 * ring_next:D  seq_cst, as A */
			if (head == atomic_load_explicit(&r->header->head,
							 memory_order_seq_cst))
				return -EPROTO;
			err = rounds_lose(&rounds, head, old);
		} else if (slot_phase(old) == SLOT_COMMITTED ||
			   slot_phase(old) == SLOT_VOID || !old ||
			   ring_lap_on(bus, r, head, slot, old)) {
			*ret_old = old;
			return 0;
		} else if (++pins > 2 * r->depth) {
			return -ENOBUFS;
		}
	}
	return err;
}

static bool is_record(uint64_t state)
{
	return !state || slot_phase(state) == SLOT_COMMITTED;
}

bool ring_claim(const struct ring *r, uint32_t port, struct claim *claim, uint64_t old)
{
	claim->state = slot_word(ring_lap(r, claim->seq), port, SLOT_WRITING,
				 !is_record(old));
	/* ring_claim:A  acq_rel, pairs with ring_next:B, ring_look:A, ring_copy:D: what is
	 * stored into the slot from here on comes after it */
	return atomic_compare_exchange_strong_explicit(&claim->slot->state, &old,
						       claim->state, memory_order_acq_rel,
						       memory_order_relaxed);
}

static void store_payload(struct slot *slot, const void *data, uint32_t size)
{
	const unsigned char *from = data;
	uint64_t word;
	uint32_t i;

	for (i = 0; i + 8 <= size; i += 8) {
		memcpy(&word, from + i, 8);
		/* ring_fill:D  release, pairs with ring_copy:C */
		atomic_store_explicit(&slot->payload[i / 8], word, memory_order_release);
	}
	if (i < size) {
		word = 0;
		memcpy(&word, from + i, size - i);
		/* ring_fill:E  release, pairs with ring_copy:C */
		atomic_store_explicit(&slot->payload[i / 8], word, memory_order_release);
	}
}

void ring_fill(const struct ring *r, struct claim *claim, uint64_t time, const void *data,
	       uint32_t size)
{
	/* ring_fill:A  release, pairs with ring_copy:A */
	atomic_store_explicit(&claim->slot->time, time, memory_order_release);
	/* ring_fill:B  release, pairs with ring_copy:B */
	atomic_store_explicit(&claim->slot->size, size, memory_order_release);
	if (size <= r->inline_size)
		store_payload(claim->slot, data, size);
}

bool ring_commit(const struct ring *r, struct claim *claim)
{
	uint64_t mine = claim->state;

	/* ring_commit:A  seq_cst, pairs with ring_look:A and, as half of the wake protocol,
	 * with bell_arm:A: either this emitter sees the sleeper or the sleeper sees
	 * this record. tests/model/wake.pml */
	if (!atomic_compare_exchange_strong_explicit(&claim->slot->state, &mine,
			slot_with_phase(mine, SLOT_COMMITTED), memory_order_seq_cst,
			memory_order_relaxed))
		return false;
	ring_step(r, claim->head, claim->state);
	return true;
}

void ring_give_back(const struct claim *claim)
{
	/* ring_give_back:B  relaxed: only the CAS below decides */
	uint64_t now = atomic_load_explicit(&claim->slot->state, memory_order_relaxed);

	/* Pinned, at my lap or a later one; who laps on it meanwhile makes this fail. */
	while (slot_phase(now) == SLOT_PINNED && slot_port(now) == slot_port(claim->state))
		/* ring_give_back:A  release, pairs with ring_next:B: my last store into the
		 * slot comes before another's first */
		if (atomic_compare_exchange_weak_explicit(&claim->slot->state, &now,
				slot_with_phase(now, SLOT_VOID), memory_order_release,
				memory_order_relaxed))
			return;
}

void ring_withdraw(const struct ring *r, const struct claim *claim)
{
	uint64_t mine = claim->state;

	ring_note_void(r, claim->seq);
	/* ring_withdraw:A  acq_rel, pairs with ring_next:B, ring_revoke:A: as ring_give_back:A */
	if (!atomic_compare_exchange_strong_explicit(&claim->slot->state, &mine,
			slot_with_phase(mine, SLOT_VOID), memory_order_acq_rel,
			memory_order_relaxed))
		ring_give_back(claim);
}

static bool close_at(const struct ring *r, const struct claim *claim, uint64_t old)
{
	uint64_t closed = slot_word(ring_lap(r, claim->seq), 0, SLOT_CLOSED, !is_record(old));

	/* ring_close:A  seq_cst, pairs with ring_look:A, ring_next:B; seq_cst for the wake that
	 * follows, as ring_commit:A */
	return atomic_compare_exchange_strong(&claim->slot->state, &old, closed);
}

int ring_close(struct aioevt_shm *bus, const struct ring *r, uint64_t *ret_end)
{
	struct rounds rounds = { 0 };
	struct claim claim;
	uint64_t old;
	int err;

	do {
		err = ring_next(bus, r, &claim, &old);
		if (err < 0 && err != -EPIPE)
			return err;
		if (err == -EPIPE || close_at(r, &claim, old)) {
			*ret_end = claim.seq;
			return 0;
		}
		err = rounds_lose(&rounds, claim.seq, old);
	} while (!err);
	return err;
}

int ring_frontier(const struct ring *r, uint64_t *ret_seq)
{
	struct rounds rounds = { 0 };
	uint64_t head, seq, state;
	int err;

	do {
		/* ring_frontier:A  seq_cst, pairs with ring_next:A, ring_step:A */
		head = atomic_load_explicit(&r->header->head, memory_order_seq_cst);
		seq = head_seq(head);
		if (seq < r->base)
			return -EPROTO;
		/* ring_frontier:B  acquire, pairs with ring_claim:A */
		state = atomic_load_explicit(&ring_slot(r, seq)->state, memory_order_acquire);
		if (slot_lap(state) < ring_lap(r, seq) || !state ||
		    slot_phase(state) == SLOT_CLOSED) {
			*ret_seq = seq;
			return 0;
		}
		if (slot_lap(state) == ring_lap(r, seq))
			ring_step(r, head, state);
		/* ring_frontier:C  seq_cst, as ring_next:D: what has not moved is broken */
		else if (head == atomic_load_explicit(&r->header->head, memory_order_seq_cst))
			return -EPROTO;
		err = rounds_lose(&rounds, head, state);
	} while (!err);
	return err;
}
