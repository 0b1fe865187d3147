/* SPDX-License-Identifier: MIT */
/* A listener that may spin while records come in quick succession does so in a ping-pong. */
#include <pthread.h>
#include <sched.h>

#include "bus.h"

#include "../shm/bus.h"
#include "listener.h"

#define N_ROUNDS	16u
#define N_SLEPT		8u		/* records in a row that make a stream */
#define N_YIELDS	10u
#define LONG_NS		(60 * 1000 * MS)

struct side {
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_event *out;
};

static struct side here, there;

static void side_open(struct side *side, struct aioevt_shm *bus, const char *in, const char *out)
{
	side->listener = listener_of(bus);
	sub_of(side->listener, in, 0);
	side->out = event_of(bus, out);
}

static void side_close(struct side *side)
{
	aioevt_shm_event_close(side->out);
	aioevt_shm_listener_free(side->listener);
}

static void emit_x(struct side *side)
{
	check_eq(aioevt_shm_emit(side->out, "x", 1, NULL), 0);
}

static void receive(struct side *side)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	char buf[8];

	check_eq(aioevt_shm_wait(side->listener, now_ns() + LONG_NS, &sub), 0);
	check_eq(aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)), 1);
}

/* The word that each sleep of the listener changes. */
static uint32_t bell_of(struct side *side)
{
	return atomic_load(&side->listener->shared->doorbell);
}

/* Answer when the other side sleeps; then let it sleep if it would. */
static void *answer(void *arg)
{
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		receive(&there);
		while (i < N_SLEPT && !(bell_of(&here) & BELL_ARMED))
			poll(NULL, 0, 1);
		for (unsigned n = 0; n < N_YIELDS && !(bell_of(&here) & BELL_ARMED); n++)
			sched_yield();
		emit_x(&there);
	}
	return arg;
}

int main(void)
{
	struct aioevt_shm *bus;
	unsigned n_slept = 0;
	pthread_t thread;

	bus_begin();
	bus = bus_small(8);
	side_open(&here, bus, "pong", "ping");
	side_open(&there, bus, "ping", "pong");
	aioevt_shm_listener_set_spin(here.listener, 0, LONG_NS);
	check_eq(pthread_create(&thread, NULL, answer, NULL), 0);
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		uint32_t before = bell_of(&here);

		emit_x(&here);
		receive(&here);
		n_slept += bell_of(&here) != before;
	}
	pthread_join(thread, NULL);
	check_eq(n_slept, N_SLEPT);
	side_close(&here);
	side_close(&there);
	aioevt_shm_close(bus);
	return bus_end();
}
