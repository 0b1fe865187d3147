/* SPDX-License-Identifier: MIT */
/* Who sees that somebody listens, and emits then, is heard: the place was taken before the count. */

#include "bus.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define N_ROUNDS	12000u

static _Atomic unsigned round_begun, round_heard;

static void *emit_when_counted(void *bus)
{
	struct aioevt_shm_event *event = event_of(bus, "x");
	struct aioevt_shm_event_info info;

	for (unsigned i = 1; i <= N_ROUNDS; i++) {
		/* hot, to be in time; but not where there is one processor */
		for (unsigned spins = 0; atomic_load(&round_begun) < i; spins++)
			if (spins > 10000)
				sched_yield();
		do {
			check_eq(aioevt_shm_event_get_info(event, &info), 0);
		} while (!info.n_listeners);
		emit_u64(event, i);
		while (atomic_load(&round_heard) < i)
			sched_yield();
	}
	aioevt_shm_event_close(event);
	return NULL;
}

int main(void)
{
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_record record;
	struct aioevt_shm_event *event;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm *bus;
	pthread_t thread;
	uint64_t value;

	bus_begin();
	bus = bus_small(64);
	event = event_of(bus, "x");	/* so that nobody makes it in between */
	listener = listener_of(bus);
	check_eq(pthread_create(&thread, NULL, emit_when_counted, bus), 0);
	for (unsigned i = 1; i <= N_ROUNDS; i++) {
		atomic_store(&round_begun, i);
		sub = sub_of(listener, "x", i % 2 ? AIOEVT_SHM_RELIABLE : 0);
		check_eq(aioevt_shm_wait(listener, in_ms(5000), &sub), 0);
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(value, i);
		check_eq(record.missed, 0);
		aioevt_shm_sub_close(sub);
		atomic_store(&round_heard, i);
	}
	pthread_join(thread, NULL);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return bus_end();
}
