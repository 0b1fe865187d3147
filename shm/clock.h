/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_CLOCK_H
#define AIOEVT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_S	UINT64_C(1000000000)
#define RECHECK_NS	NS_PER_S		/* the longest sleep without looking */

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/*
 * A coarse clock stands still between two ticks, up to 10 ms, and ticks come late on a virtual machine.
 * A time that was read from the precise clock can be ahead of it by so much.
 */
#define COARSE_LAG_NS	(NS_PER_S / 10)

/*
 * Has CLOCK_MONOTONIC reached @deadline? Asks the coarse clock, a fourth of the price, and only near
 * the deadline the precise one: the kernel ends a sleep by that, while the coarse one still says no.
 */
static inline bool clock_has_reached(uint64_t deadline)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);

	return now >= deadline ||
	       (deadline - now < COARSE_LAG_NS && clock_ns(CLOCK_MONOTONIC) >= deadline);
}

/* A file's time in ns, 0 before 1970. */
static inline uint64_t timespec_ns(const struct timespec *ts)
{
	return ts->tv_sec < 0 ? 0 : (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield");
#endif
}

/*
 * This line is about to be written. gcc -O2 makes a load prefetch of __builtin_prefetch(p, 1)
 * on x86-64, which leaves the line shared with the processor that had it; prefetchw does
 * not (AMD64 Architecture Programmer's Manual, volume 3; a no-op where it is not known).
 */
static inline void prefetch_for_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#endif
