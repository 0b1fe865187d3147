/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_REAP_H
#define AIOEVT_REAP_H

#include <stdint.h>

struct aioevt_shm;

/*
 * Clean up after dead port @p: its numbers in flight, bodies, listeners, patterns, cursors,
 * events in the making, memory in the making, uses; with some @n_steps of work, each of which
 * looks at a few words, or go on with it. The caller holds the port's lock, so there is one at a
 * time; every step may be repeated. Returns 1 if all is done, 0 if something is left, or -ENOMEM,
 * -EPROTO: then, too, the port stays DEAD for another to go on.
 */
int reap_belongings(struct aioevt_shm *bus, uint32_t p, uint64_t n_steps);
#define REAP_ALL	UINT64_MAX

#endif
