/* SPDX-License-Identifier: MIT */
/*
 * Space in the file. An offset is handed out by one CAS and never again, so a stale
 * mapping, or a process that was stopped inside a system call, can never touch another
 * event's bytes; giving memory back is punching a hole (fallocate(2)), which may be done
 * twice. Memory comes by fallocate too, so a full file system says ENOSPC here and not
 * SIGBUS later.
 *
 * Ordering  region_new:A is a counter: each caller gets its own range, nothing hangs on it.
 *   region_new:B / pending:A  release/acquire on the port's pending words.
 * Offsets run out. A counter is never raised past its limit, however often that is tried: it
 * would come round, to bytes that others have.
 *
 * Progress  lock-free, but for the time the kernel takes.
 * Crash     killed after A: an unused offset. Killed before region_settle(): the port's
 *   reaper finds the region in the pending words and frees it unless an event has it.
 */
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bus-file.h"
#include "bus.h"

#define SMALL		65536u		/* bytes that may be tried for without asking */

uint64_t region_memory_left(struct aioevt_shm *bus)
{
	struct statvfs st;
	int saved_errno = errno, r = fstatvfs(bus->fd, &st);

	errno = saved_errno;
	/* tmpfs without a limit has no blocks at all */
	return r < 0 || !st.f_blocks ? UINT64_MAX : (uint64_t)st.f_bavail * st.f_frsize;
}

int region_check_memory(struct aioevt_shm *bus, uint64_t size)
{
	return size > SMALL && region_memory_left(bus) < size - SMALL ? -ENOSPC : 0;
}

uint64_t region_memory(struct aioevt_shm *bus, uint64_t offset, uint64_t size)
{
	uint64_t bytes = 0, end = offset + size;
	int saved_errno = errno;

	while (offset < end) {
		off_t from = lseek(bus->fd, (off_t)offset, SEEK_DATA), to;

		if (from < 0 || (uint64_t)from >= end)
			break;
		to = lseek(bus->fd, from, SEEK_HOLE);
		if (to <= from)
			break;
		offset = (uint64_t)to < end ? (uint64_t)to : end;
		bytes += offset - (uint64_t)from;
	}
	errno = saved_errno;
	return bytes;
}

static int give_memory(int fd, uint64_t offset, uint64_t size)
{
	int err = bus_file_allocate(fd, offset, size);

	return err == -EDQUOT || err == -ENOMEM ? -ENOSPC : err;
}

/* Where a counter of offsets may stand. */
struct range {
	uint64_t from, limit, align;
};

/* Raise @counter by @size, a part of its range. Returns 0, or -EFBIG (used up), -EPROTO. */
static int reserve(_Atomic uint64_t *counter, uint64_t size, const struct range *range,
		   uint64_t *ret_offset)
{
	/* region_new:E  relaxed: only the CAS below decides */
	uint64_t offset = atomic_load_explicit(counter, memory_order_relaxed);

	for (;;) {
		if (offset < range->from || offset % range->align)
			return -EPROTO;
		if (offset > range->limit - size)
			return -EFBIG;
		/* region_new:A  relaxed: only that it counts */
		if (atomic_compare_exchange_weak_explicit(counter, &offset, offset + size,
							  memory_order_relaxed,
							  memory_order_relaxed))
			break;
	}
	*ret_offset = offset;
	return 0;
}

/* Offsets nobody ever had: what I could not use the last time, or new ones. */
static int take_offsets(struct aioevt_shm *bus, uint64_t size, uint64_t *ret_offset)
{
	const struct range range = { bus->lo.tables_end, REGION_LIMIT, REGION_ALIGN };
	int err;

	if (bus->spare_size < size) {
		err = reserve(&bus->header->region_end, size, &range, &bus->spare_offset);
		if (err < 0)
			return err;
		bus->spare_size = size;
	}
	*ret_offset = bus->spare_offset;
	return bus_file_limit(bus->spare_offset + size);
}

int region_check(struct aioevt_shm *bus, uint64_t size)
{
	/* region_new:D  relaxed: what it is just now */
	uint64_t end = atomic_load_explicit(&bus->header->region_end, memory_order_relaxed);

	size = round_up(size, REGION_ALIGN);
	if (bus->spare_size >= size)
		end = bus->spare_offset;
	return end > REGION_LIMIT - size ? -EFBIG : bus_file_limit(end + size);
}

int region_new(struct aioevt_shm *bus, uint64_t size, uint64_t *ret_offset)
{
	struct port *port = bus->port;
	uint64_t offset;
	int err = region_check_memory(bus, size);

	if (err < 0)
		return err;
	err = take_offsets(bus, round_up(size, REGION_ALIGN), &offset);
	if (err < 0)
		return err;
	/* region_new:C  relaxed: read only if B's store was seen */
	atomic_store_explicit(&port->pending_size, size, memory_order_relaxed);
	/* region_new:B  release, pairs with pending:A */
	atomic_store_explicit(&port->pending_offset, offset, memory_order_release);
	err = give_memory(bus->fd, offset, size);
	if (err < 0) {
		region_free(bus, offset, round_up(size, REGION_ALIGN));
		region_settle(bus);
		return err;
	}
	bus->spare_size = 0;
	*ret_offset = offset;
	return 0;
}

void region_settle(struct aioevt_shm *bus)
{
	/* region_settle:A  release, pairs with pending:A: the event that has the region was
	 * published before */
	atomic_store_explicit(&bus->port->pending_offset, 0, memory_order_release);
}

void region_free(struct aioevt_shm *bus, uint64_t offset, uint64_t size)
{
	int saved_errno = errno;

	while (fallocate(bus->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)offset, (off_t)size) < 0 && errno == EINTR)
		;
	errno = saved_errno;
}

int region_reserve_bodies(struct aioevt_shm *bus, uint64_t size, uint64_t *ret_offset)
{
	const struct range range = { BODY_BASE, BODY_LIMIT, BODY_ALIGN };

	return reserve(&bus->header->body_end, size, &range, ret_offset);
}
