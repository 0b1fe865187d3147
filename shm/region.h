/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_REGION_H
#define AIOEVT_REGION_H

#include <stdint.h>

struct aioevt_shm;

/*
 * Take @size bytes of the file, at an offset that was never used before, all zeros and with
 * memory behind them. It is noted at my port until region_settle(), so that my reaper
 * can give it back. Returns 0, -ENOSPC, -EFBIG. Call with bus->lock held.
 */
int region_new(struct aioevt_shm *bus, uint64_t size, uint64_t *ret_offset);

/* May I make one? Returns 0, or the error that region_new() would return but for memory. */
int region_check(struct aioevt_shm *bus, uint64_t size);

/* The region that was made last is in its place now. */
void region_settle(struct aioevt_shm *bus);

/*
 * Give memory back, whole pages only: @size is a multiple of REGION_ALIGN for a region, of
 * BODY_ALIGN for a body. The offset stays unused for ever; may be repeated.
 */
void region_free(struct aioevt_shm *bus, uint64_t offset, uint64_t size);

/* Bytes of that part of the file that were written to, and have memory. */
uint64_t region_memory(struct aioevt_shm *bus, uint64_t offset, uint64_t size);

/* Bytes that the file system has left, as far as it tells; UINT64_MAX if it has no limit. */
uint64_t region_memory_left(struct aioevt_shm *bus);

/*
 * -ENOSPC if the file system has clearly less than @size bytes left. A request that cannot
 * succeed must not take from others what there is, not even until it fails.
 */
int region_check_memory(struct aioevt_shm *bus, uint64_t size);

/* Take @size bytes of offsets for bodies, without memory. Returns 0 or -EFBIG. */
int region_reserve_bodies(struct aioevt_shm *bus, uint64_t size, uint64_t *ret_offset);

#endif
