/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_FUTEX_H
#define AIOEVT_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Sleep while *word is @value, until woken or CLOCK_MONOTONIC reaches @deadline
 * (UINT64_MAX: for ever). Any return is a hint: look again. Returns 0, or -ETIMEDOUT.
 */
int futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline);

/* The same, to be woken also by futex_wake_bits() with one of @bits. */
int futex_wait_bits(_Atomic uint32_t *word, uint32_t value, uint32_t bits, uint64_t deadline);

/* Wake up to @n_waiters of any process. Async-signal-safe. */
void futex_wake(_Atomic uint32_t *word, int n_waiters);

/* Wake all that sleep with one of @bits, and those of futex_wait(). Async-signal-safe. */
void futex_wake_bits(_Atomic uint32_t *word, uint32_t bits);

#endif
