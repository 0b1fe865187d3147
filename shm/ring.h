/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_RING_H
#define AIOEVT_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

struct guard;

/*
 * One process's view of a mapped ring. Everything that decides where to read or write was
 * copied from the file once and checked; only slots and head are read again.
 */
struct ring {
	struct ring_header *header;
	unsigned char *slots;
	uint64_t base;			/* first sequence number */
	uint64_t offset, size;		/* of the ring in the file, header included */
	uint32_t depth, shift, slot_size, inline_size;
	uint32_t n_bodies;
	void *mapping;
	size_t mapping_size;
	struct guard *guard;
};

/* ---- the words, see ring.c ------------------------------------------------------- */

#define SLOT_FREE	0u	/* only as the whole word 0: never claimed */
#define SLOT_WRITING	1u
#define SLOT_COMMITTED	2u
#define SLOT_VOID	3u
#define SLOT_PINNED	4u
#define SLOT_CLOSED	5u

#define SLOT_PHASE	UINT64_C(7)
#define SLOT_AFTER_VOID	UINT64_C(8)	/* the number one lap before is no record */
#define SLOT_PORT_SHIFT	4
#define SLOT_PORT_MASK	UINT64_C(0x3fff)
#define SLOT_LAP_SHIFT	18

#define SEQ_BITS	52
#define SEQ_MASK	((UINT64_C(1) << SEQ_BITS) - 1)
#define VOID_UNIT	(UINT64_C(1) << SEQ_BITS)
#define VOIDS_MASK	UINT64_C(0xfff)

static inline uint32_t slot_phase(uint64_t state)
{
	return (uint32_t)(state & SLOT_PHASE);
}

static inline uint32_t slot_port(uint64_t state)
{
	return (uint32_t)(state >> SLOT_PORT_SHIFT & SLOT_PORT_MASK);
}

static inline uint64_t slot_lap(uint64_t state)
{
	return state >> SLOT_LAP_SHIFT;
}

static inline uint64_t slot_word(uint64_t lap, uint32_t port, uint32_t phase, bool after_void)
{
	return lap << SLOT_LAP_SHIFT | (uint64_t)port << SLOT_PORT_SHIFT |
	       (after_void ? SLOT_AFTER_VOID : 0) | phase;
}

static inline uint64_t slot_with_phase(uint64_t state, uint32_t phase)
{
	return (state & ~SLOT_PHASE) | phase;
}

static inline uint64_t head_seq(uint64_t head)
{
	return head & SEQ_MASK;
}

/* Low bits only: ring_voids() tells the whole. */
static inline uint32_t head_low_voids(uint64_t head)
{
	return (uint32_t)(head >> SEQ_BITS);
}

static inline uint64_t ring_lap(const struct ring *r, uint64_t seq)
{
	return seq >> r->shift;
}

static inline struct slot *ring_slot(const struct ring *r, uint64_t seq)
{
	return (void *)(r->slots + (seq & (r->depth - 1)) * r->slot_size);
}

/* The oldest number that is held if @end is the next to be claimed. */
static inline uint64_t ring_oldest(const struct ring *r, uint64_t end)
{
	return end > r->base + r->depth ? end - r->depth : r->base;
}

/* ---- size and mapping ------------------------------------------------------------ */

/* Bytes of a ring's file region. */
uint64_t ring_region_size(const struct layout *lo, uint32_t depth);

/* Fill in a view of the ring at @header, which is mapped; *ret_ring->base is checked. */
int ring_view(const struct layout *lo, struct ring_header *header, uint64_t offset,
	      uint32_t depth, struct ring *ret_ring);

/*
 * Let the numbers of a fresh ring begin at @base, unless somebody did that already; then
 * at what he said. Nothing was emitted to it before. Returns 0, -EPROTO.
 */
int ring_begin(struct ring *r, uint64_t base);

/* ---- emitting -------------------------------------------------------------------- */

struct aioevt_shm;

struct claim {
	struct slot *slot;
	uint64_t seq;
	uint64_t state;			/* as I wrote it: WRITING */
	uint64_t head;			/* the head word before */
};

/*
 * Look for the next number. Returns 0 with *ret_seq and what its slot held in *ret_old, to
 * be passed to ring_claim(), or -EPIPE if the ring is closed, -ENOBUFS if all slots are
 * pinned by emitters that do not go on, -EPROTO, -EBUSY (see bounds.h).
 */
int ring_next(struct aioevt_shm *bus, const struct ring *r, struct claim *ret_claim,
	      uint64_t *ret_old);

/* Make it mine. False: somebody was faster, start again with ring_next(). */
bool ring_claim(const struct ring *r, uint32_t port, struct claim *claim, uint64_t old);

/* Fill in a slot that I claimed. */
void ring_fill(const struct ring *r, struct claim *claim, uint64_t time, const void *data,
	       uint32_t size);

/* Publish. False: it was revoked meanwhile; ring_give_back() it and claim anew. */
bool ring_commit(const struct ring *r, struct claim *claim);
void ring_give_back(const struct claim *claim);

/* Do not publish it after all; whether it was revoked or not. */
void ring_withdraw(const struct ring *r, const struct claim *claim);

/* Close the ring; *ret_end is the number it ends before. Returns 0, -EPROTO, -EBUSY. Repeatable. */
int ring_close(struct aioevt_shm *bus, const struct ring *r, uint64_t *ret_end);

/* The number that will be claimed next: no number at or after it was claimed before. */
int ring_frontier(const struct ring *r, uint64_t *ret_seq);

/* Before a number becomes void or pinned: see last_void in layout.h. */
void ring_note_void(const struct ring *r, uint64_t seq);

/* ---- reading, see ring-read.c ---------------------------------------------------- */

enum ring_look {
	LOOK_EMPTY,			/* not claimed yet */
	LOOK_RECORD,			/* there is a record */
	LOOK_VOID,			/* this number is no record */
	LOOK_BUSY,			/* an emitter is writing it */
	LOOK_GONE,			/* overtaken */
	LOOK_CLOSED,			/* the ring ends here */
};

/* What is at @seq. *ret_state is for ring_copy() and ring_revoke(). */
enum ring_look ring_look(const struct ring *r, uint64_t seq, uint64_t *ret_state);

/* Give up on the emitter of @seq, which LOOK_BUSY found: pinned, or void if it is dead. */
void ring_revoke(const struct ring *r, uint64_t seq, uint64_t state, bool dead);

/* Void whatever dead port @p was writing in the slots [@from, @to). */
void ring_void_port(const struct ring *r, uint32_t p, uint32_t from, uint32_t to);

struct ring_record {
	uint64_t time;
	uint32_t size;
	uint32_t body;			/* index + 1 of its body if size is over inline_size */
};

/*
 * Copy the record at @seq, whose slot held @state: what is inline of it into @buf, which
 * has @room bytes. False: it was overtaken meanwhile, nothing is valid. If it does not fit,
 * only *ret_record is filled in.
 */
bool ring_copy(const struct ring *r, uint64_t seq, uint64_t state, void *buf, size_t room,
	       struct ring_record *ret_record);

/* Does the slot of @seq still hold @state, in the order of all? For what came by pread. */
bool ring_still(const struct ring *r, uint64_t seq, uint64_t state);

/*
 * The head word, at least as new as all the claims that were seen, and how many of the numbers
 * below head_seq(*ret_head) - depth are no records. Returns 0, -EPROTO, -EBUSY.
 */
int ring_head(const struct ring *r, uint64_t *ret_head, uint64_t *ret_voids);

/* The latter, if head did not go on by thousands since @head was loaded. */
uint64_t ring_voids(const struct ring *r, uint64_t head);

/* How many numbers in [@from, @to) are no records, as far as it is decided. */
uint32_t ring_count_voids(const struct ring *r, uint64_t from, uint64_t to);

/*
 * How many numbers below @seq are no records, for good: what is being written below @seq is
 * revoked, so that it will be emitted anew at or after it. Only for @seq up to the frontier.
 * Returns 0, -EPROTO, -EBUSY.
 */
int ring_settle_voids(struct aioevt_shm *bus, const struct ring *r, uint64_t seq,
		      uint64_t *ret_voids);

#endif
