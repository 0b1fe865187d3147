/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_REAP_H
#define AIOEVT_REAP_H

#include <stdint.h>

struct aioevt_shm;

/*
 * Clean up after dead port @p: its numbers in flight, bodies, listeners, patterns, cursors,
 * events in the making, memory in the making, uses. The caller holds the port's lock, so
 * there is one at a time; every step may be repeated. Returns 0, or -ENOMEM, -EPROTO:
 * then the port stays DEAD for another to try.
 */
int reap_belongings(struct aioevt_shm *bus, uint32_t p);

#endif
