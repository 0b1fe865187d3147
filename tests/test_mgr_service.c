/* SPDX-License-Identifier: MIT */
/*
 * A service that hears jobs, each under a name of its own, and emits under names that change and
 * one that stays: every job is heard and every emit succeeds, though the table is full all the time.
 */
#include "mgr.h"

#define N_JOBS		1000u
#define PER_SESSION	10u

static struct aioevt *service, *client;
static unsigned n_heard;

static void on_job(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	char name[32];

	(void)evt, (void)arg;
	check_eq(arg_of(data), n_heard);
	snprintf(name, sizeof(name), "session.%u", n_heard / PER_SESSION);
	check_eq(aioevt_emit(service, name, AIOEVT_ARGS(1), AIOEVT_NO_KWARGS), 0);
	check_eq(aioevt_emit(service, "service.beat", AIOEVT_ARGS((int)n_heard), AIOEVT_NO_KWARGS), 0);
	n_heard++;
}

int main(void)
{
	struct aioevt_shm *bus;
	struct aioevt_loop *loop;
	char name[32];

	bus_begin();
	bus = bus_small(8);
	service = mgr_open();
	client = mgr_open();
	loop = loop_of(service);
	check_eq(aioevt_register(service, "job.*", on_job, NULL, loop, AIOEVT_LOSSY, NULL), 0);
	for (unsigned i = 0; i < N_JOBS; i++) {
		snprintf(name, sizeof(name), "job.%u", i);
		check_eq(aioevt_emit(client, name, AIOEVT_ARGS((int)i), AIOEVT_NO_KWARGS), 0);
		run_now(loop);
		check_eq(n_heard, i + 1);
	}
	aioevt_loop_unref(loop);
	aioevt_close(client);
	aioevt_close(service);
	aioevt_shm_close(bus);
	return bus_end();
}
