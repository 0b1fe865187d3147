/* SPDX-License-Identifier: MIT */
/*
 * Payloads over the inline size. Each ring has depth + n_listeners bodies: places in the
 * file, max_payload bytes apart, without memory until written to. A body is
 *
 *   0                  free             -> OWNED by any emitter's CAS (take)
 *   LINKED             a slot's         -> OWNED by the emitter that claimed that slot
 *   OWNED | port << 2  an emitter's     -> LINKED or free by that emitter, or its reaper
 *
 * An emitter writes the payload into a body that it owns before it claims a slot, so a slot
 * is never in WRITING while a system call runs, and an emitter of 16 MiB is no easier to
 * overtake than one of 16 bytes. Then, in the slot it claimed, it swaps its body for the
 * one that was there, and frees that after the commit. A reader copies with pread and
 * looks at the slot again: a body changes only after its slot was claimed anew.
 *
 * Memory stays with a body of up to a page; more than that is punched out when freed. All of
 * them, with those of timers, may take large_budget bytes. Emitters look at what the file takes
 * before they write and count nothing, so there is no count for a killed one to leave wrong; some
 * that write at once may exceed the limit by a payload each.
 *
 * Ordering
 *   body_link:A / ring_copy:F   release/acquire as ring_fill.
 *   body_link:B, body_reap      the old body's owner word changes before the slot's, the new
 *       one's after it and before the commit: so at every point each body is free, in one
 *       slot, or owned by somebody; and after the commit, when the slot may be another's at
 *       any time, the emitter touches only the body that it took out.
 * Progress  take is lock-free: bodies outnumber the slots by one for each port.
 * Crash     a dead owner's bodies: those that a slot has become LINKED, the others are
 *   freed (body_reap, by the one reaper). References move only by claiming the slot, and
 *   a dead port claims none; who claims the slot meanwhile has made the body its own,
 *   and the reaper's CAS fails.
 */
#include "body.h"

#include <errno.h>
#include <unistd.h>

#include "bus-file.h"
#include "bus.h"
#include "region.h"
#include "registry.h"

#define LINKED		1u
#define OWNED		2u

static uint32_t owned_by(uint32_t port)
{
	return OWNED | port << 2;
}

static uint64_t stride(const struct aioevt_shm *bus)
{
	return bus->lo.body_stride;
}

/* Where the ring's bodies are; made on first use. Returns 0 or -EFBIG, -EPROTO. */
static int body_base(struct aioevt_shm *bus, const struct ring *r, uint64_t *ret_base)
{
	/* body_base:A  acquire, pairs with body_base:B */
	uint64_t base = atomic_load_explicit(&r->header->body_base, memory_order_acquire);
	uint64_t fresh, none = 0;
	int err;

	if (!base) {
		err = region_reserve_bodies(bus, r->n_bodies * stride(bus), &fresh);
		if (err < 0)
			return err;
		/* body_base:B  seq_cst, pairs with body_base:A: a loser's offsets stay unused */
		base = atomic_compare_exchange_strong(&r->header->body_base, &none, fresh) ?
		       fresh : none;
	}
	if (base < BODY_BASE || base % BODY_ALIGN ||
	    base > BODY_LIMIT - r->n_bodies * stride(bus))
		return -EPROTO;
	*ret_base = base;
	return 0;
}

/* Take a free body, from @hint on. */
static int take(struct aioevt_shm *bus, const struct ring *r, uint32_t hint,
		uint32_t *ret_index)
{
	for (uint32_t n = 0, i = hint; n < r->n_bodies; n++, i++) {
		uint32_t none = 0;

		if (i >= r->n_bodies)
			i = 0;
		/* take:A  relaxed: only the CAS below decides */
		if (atomic_load_explicit(&r->header->body_owner[i], memory_order_relaxed))
			continue;
		/* take:B  acquire, pairs with body_drop:A: its last user is done with it */
		if (atomic_compare_exchange_strong_explicit(&r->header->body_owner[i], &none,
				owned_by(bus->port_index), memory_order_acquire,
				memory_order_relaxed)) {
			*ret_index = i;
			return 0;
		}
	}
	return -ENOBUFS;
}

/* Needs no memory: a body of up to a page keeps what it has. */
static bool has_memory(struct aioevt_shm *bus, uint64_t offset, uint64_t size)
{
	return size <= BODY_ALIGN && lseek(bus->fd, (off_t)offset, SEEK_DATA) == (off_t)offset;
}

uint64_t body_lack(struct aioevt_shm *bus, uint64_t size)
{
	uint64_t limit = bus->lo.tables_end + bus->lo.large_budget;
	uint64_t memory = bus_memory(bus) + round_up(size, BODY_ALIGN);

	/* The rings are counted only when the file is larger than it may be without them. */
	if (memory > limit)
		limit += registry_memory(bus);
	return memory > limit ? memory - limit : 0;
}

int body_check_room(struct aioevt_shm *bus, uint64_t offset, uint64_t size)
{
	if (body_lack(bus, size) && !has_memory(bus, offset, size))
		return -ENOSPC;
	return region_check_memory(bus, size);
}

static int write_all(int fd, const unsigned char *data, size_t size, uint64_t offset)
{
	while (size) {
		ssize_t n = pwrite(fd, data, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EFBIG ? -EFBIG :
			       n < 0 && errno == EIO ? -EIO : -ENOSPC;
		data += n;
		offset += (size_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int body_prepare(struct aioevt_shm *bus, const struct ring *r, const void *data,
		 uint32_t size, uint32_t *hint, struct body *ret_body)
{
	int saved_errno = errno, err;
	uint64_t base, offset;
	uint32_t i = 0, written = 0;

	err = body_base(bus, r, &base);
	if (!err)
		err = take(bus, r, *hint, &i);
	if (err < 0)
		return err;
	offset = base + i * stride(bus);
	err = bus_file_limit(offset + size);
	if (!err)
		err = body_check_room(bus, offset, size);
	if (!err) {
		written = UINT32_MAX;
		err = write_all(bus->fd, data, size, offset);
	}
	errno = saved_errno;
	if (err < 0) {
		body_drop(bus, r, i, written);
		return err;
	}
	ret_body->index = i;
	ret_body->old = 0;
	*hint = i + 1;
	return 0;
}

static void set_owner(const struct ring *r, uint32_t index, uint32_t owner)
{
	/* body_link:B  release, pairs with body_reap:A */
	atomic_store_explicit(&r->header->body_owner[index], owner, memory_order_release);
}

/* What the slot has, now mine. index + 1, 0 for none or junk. */
static uint32_t adopt(struct aioevt_shm *bus, const struct ring *r, struct slot *slot)
{
	/* body_link:C  relaxed: the slot is mine, ring_claim:A was acquire */
	uint32_t old = atomic_load_explicit(&slot->body, memory_order_relaxed);

	if (old > r->n_bodies)
		return 0;
	if (old)
		set_owner(r, old - 1, owned_by(bus->port_index));
	return old;
}

static void set_link(struct slot *slot, uint32_t body)
{
	/* body_link:A  release, pairs with ring_copy:F, body_reap:B */
	atomic_store_explicit(&slot->body, body, memory_order_release);
}

void body_link(struct aioevt_shm *bus, const struct ring *r, struct slot *slot,
	       struct body *body)
{
	body->old = adopt(bus, r, slot);
	set_link(slot, body->index + 1);
	set_owner(r, body->index, LINKED);
}

void body_unlink(struct aioevt_shm *bus, const struct ring *r, struct slot *slot,
		 const struct body *body)
{
	set_owner(r, body->index, owned_by(bus->port_index));
	set_link(slot, body->old);
	if (body->old)
		set_owner(r, body->old - 1, LINKED);
}

void body_settle(struct aioevt_shm *bus, const struct ring *r, const struct body *body)
{
	if (body->old)
		body_drop(bus, r, body->old - 1, body->old_size);
}

void body_drop(struct aioevt_shm *bus, const struct ring *r, uint32_t index, uint32_t size)
{
	uint64_t base;

	if (size > BODY_ALIGN && !body_base(bus, r, &base))
		region_free(bus, base + index * stride(bus), stride(bus));
	/* body_drop:A  release, pairs with take:B */
	atomic_store_explicit(&r->header->body_owner[index], 0, memory_order_release);
}

int body_evict(struct aioevt_shm *bus, const struct ring *r, struct slot *slot,
	       struct body *ret_body)
{
	ret_body->old = adopt(bus, r, slot);
	if (ret_body->old)
		set_link(slot, 0);
	return ret_body->old != 0;
}

int body_read(struct aioevt_shm *bus, const struct ring *r, uint32_t body, void *buf,
	      uint32_t size)
{
	unsigned char *to = buf;
	uint64_t base, offset;
	int err = body_base(bus, r, &base);

	if (err < 0)
		return err;
	if (!body || body > r->n_bodies || size > bus->lo.max_payload)
		return -EPROTO;
	offset = base + (body - 1) * stride(bus);
	while (size) {
		ssize_t n = pread(bus->fd, to, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		to += n;
		offset += (size_t)n;
		size -= (uint32_t)n;
	}
	return 0;
}

/* Keep what a slot refers to. */
static void reap_link(const struct ring *r, uint32_t slot_index, uint32_t p)
{
	uint32_t dead = owned_by(p);
	/* body_reap:B  acquire, pairs with body_link:A */
	uint32_t body = atomic_load_explicit(&ring_slot(r, slot_index)->body,
					     memory_order_acquire);

	if (!body || body > r->n_bodies)
		return;
	/* body_reap:A  acq_rel, pairs with body_link:B */
	atomic_compare_exchange_strong_explicit(&r->header->body_owner[body - 1], &dead,
						LINKED, memory_order_acq_rel,
						memory_order_relaxed);
}

uint32_t body_reap_steps(const struct ring *r)
{
	/* body_reap:D  acquire, pairs with body_base:B; a dead port has none if there is no base */
	return atomic_load_explicit(&r->header->body_base, memory_order_acquire) ?
	       r->depth + r->n_bodies : r->depth;
}

/* One that no slot refers to. */
static void reap_body(struct aioevt_shm *bus, const struct ring *r, uint32_t i, uint32_t p)
{
	/* body_reap:C  acquire, pairs with body_link:B; nobody else changes it now */
	if (atomic_load_explicit(&r->header->body_owner[i], memory_order_acquire) == owned_by(p))
		body_drop(bus, r, i, UINT32_MAX);
}

void body_reap(struct aioevt_shm *bus, const struct ring *r, uint32_t p, uint32_t from,
	       uint32_t to)
{
	if (body_reap_steps(r) == r->depth)
		return;
	for (uint32_t i = from; i < to; i++) {
		if (i < r->depth)
			reap_link(r, i, p);
		else
			reap_body(bus, r, i - r->depth, p);
	}
}

static bool is_place(uint64_t base, uint64_t size)
{
	return base >= BODY_BASE && base % BODY_ALIGN == 0 && base <= BODY_LIMIT - size;
}

static uint64_t size_of_all(struct aioevt_shm *bus, uint32_t depth)
{
	return ((uint64_t)depth + bus->lo.n_listeners) * stride(bus);
}

uint64_t body_memory_all(struct aioevt_shm *bus, uint64_t base, uint32_t depth)
{
	uint64_t size = size_of_all(bus, depth);

	return is_place(base, size) ? region_memory(bus, base, size) : 0;
}

void body_free_all(struct aioevt_shm *bus, uint64_t base, uint32_t depth)
{
	uint64_t size = size_of_all(bus, depth);

	if (is_place(base, size))
		region_free(bus, base, size);
}
