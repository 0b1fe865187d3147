/* SPDX-License-Identifier: MIT */
/*
 * The only futex calls. Words are shared between processes, so never FUTEX_PRIVATE_FLAG
 * (futex(2)). FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, FUTEX_WAIT does not.
 */
#include "futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* 32-bit machines born after 2038 was thought of have only the time64 call. */
#if defined(SYS_futex_time64) && (!defined(SYS_futex) || __SIZEOF_LONG__ < 8)
#define FUTEX_CALL SYS_futex_time64
struct futex_timespec { int64_t tv_sec, tv_nsec; };
#else
#define FUTEX_CALL SYS_futex
struct futex_timespec { long tv_sec, tv_nsec; };
#endif

int futex_wait_bits(_Atomic uint32_t *word, uint32_t value, uint32_t bits, uint64_t deadline)
{
	struct futex_timespec ts, *tsp = NULL;
	int saved_errno = errno;
	long r;
	int err;

	if (deadline != UINT64_MAX) {
		ts.tv_sec = (__typeof__(ts.tv_sec))(deadline / NS_PER_S);
		ts.tv_nsec = (__typeof__(ts.tv_nsec))(deadline % NS_PER_S);
		tsp = &ts;
	}
	r = syscall(FUTEX_CALL, word, FUTEX_WAIT_BITSET, value, tsp, NULL, bits);
	err = r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
	errno = saved_errno;
	return err;
}

int futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline)
{
	return futex_wait_bits(word, value, FUTEX_BITSET_MATCH_ANY, deadline);
}

void futex_wake(_Atomic uint32_t *word, int n_waiters)
{
	int saved_errno = errno;

	syscall(FUTEX_CALL, word, FUTEX_WAKE, n_waiters, NULL, NULL, 0);
	errno = saved_errno;
}

void futex_wake_bits(_Atomic uint32_t *word, uint32_t bits)
{
	int saved_errno = errno;

	syscall(FUTEX_CALL, word, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, bits);
	errno = saved_errno;
}
