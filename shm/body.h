/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_BODY_H
#define AIOEVT_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "ring.h"

struct aioevt_shm;

/* One payload over the inline size, on its way into a ring. */
struct body {
	uint32_t index;			/* mine, holds the payload */
	uint32_t old;			/* index + 1 of what the slot had; 0: none */
	uint32_t old_size;
};

/*
 * Take a body of the ring and write the payload into it, before any slot is claimed.
 * *hint is where to look first. Returns 0, -ENOSPC, -EFBIG, -ENOBUFS, -EPROTO.
 */
int body_prepare(struct aioevt_shm *bus, const struct ring *r, const void *data,
		 uint32_t size, uint32_t *hint, struct body *ret_body);

/* Bytes that are too many for the budget of large payloads if @size more are written. */
uint64_t body_lack(struct aioevt_shm *bus, uint64_t size);

/*
 * May @size bytes be written at @offset, where bodies are? Returns 0, or -ENOSPC if large payloads
 * would then have more memory than the bus may spend on them, or the file system has clearly less
 * left. Clobbers errno.
 */
int body_check_room(struct aioevt_shm *bus, uint64_t offset, uint64_t size);

/* In the slot I claimed: put it in place of the old one; undo that; done after commit. */
void body_link(struct aioevt_shm *bus, const struct ring *r, struct slot *slot,
	       struct body *body);
void body_unlink(struct aioevt_shm *bus, const struct ring *r, struct slot *slot,
		 const struct body *body);
void body_settle(struct aioevt_shm *bus, const struct ring *r, const struct body *body);

/* Give up a prepared body that is not linked. */
void body_drop(struct aioevt_shm *bus, const struct ring *r, uint32_t index, uint32_t size);

/*
 * A record that is inline takes a slot whose old record left a body of more than a page:
 * unlink that. Returns whether there is something to drop after the commit.
 */
int body_evict(struct aioevt_shm *bus, const struct ring *r, struct slot *slot,
	       struct body *ret_body);

/* Read @size bytes of body @index + 1. Returns 0, or -EPROTO if there is no such body. */
int body_read(struct aioevt_shm *bus, const struct ring *r, uint32_t body, void *buf,
	      uint32_t size);

/*
 * Free whatever dead port @p had taken: in so many steps, of which this does [@from, @to). First
 * come those of the slots. What was done need not be done again.
 */
uint32_t body_reap_steps(const struct ring *r);
void body_reap(struct aioevt_shm *bus, const struct ring *r, uint32_t p, uint32_t from,
	       uint32_t to);

/* The memory that they take. @base is header->body_base. */
uint64_t body_memory_all(struct aioevt_shm *bus, uint64_t base, uint32_t depth);

/* Give all bodies' memory back: the ring goes. @base is header->body_base. */
void body_free_all(struct aioevt_shm *bus, uint64_t base, uint32_t depth);

#endif
