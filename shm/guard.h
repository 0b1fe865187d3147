/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_GUARD_H
#define AIOEVT_GUARD_H

#include <stddef.h>
#include <stdint.h>

struct guard;

/*
 * From now on the @size bytes mapped at @p are a bus's: a SIGBUS in them stores EPROTO into
 * *@broken, if aioevt_shm_guard_sigbus() was called. NULL: no memory. guard_drop() comes
 * before munmap(2) and takes NULL.
 */
struct guard *guard_take(void *p, size_t size, _Atomic uint32_t *broken);
void guard_drop(struct guard *guard);

/* In a child made by fork(2): make the list its own. Any later call does nothing. */
void guard_after_fork(void);

#endif
