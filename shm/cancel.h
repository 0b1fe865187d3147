/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_CANCEL_H
#define AIOEVT_CANCEL_H

#include <pthread.h>

/*
 * Between the two, a thread is not cancelled at what would be a cancellation point
 * (pthreads(7): open, close, pread, pwrite, fallocate, fcntl): it may hold a lock, or own
 * something on the bus. cancel_off() returns what cancel_on() takes.
 */
static inline int cancel_off(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void cancel_on(int state)
{
	pthread_setcancelstate(state, NULL);
}

#endif
