/* SPDX-License-Identifier: MIT */
/* What an emit costs when the bus holds many other events, or many listen to others. */

#include <stdio.h>

#include <aioevt-shm.h>

#include "bench.h"

#define BATCHES		21
#define DEPTH		64
#define BUDGET		(128ull << 20)
#define LISTENERS_MAX	1000
#define OTHERS		100		/* events that the other listeners listen to */

static int bus_open(const char *name, struct aioevt_shm **ret_bus)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	int err;

	config.depth = DEPTH;
	config.ring_budget = BUDGET;
	err = aioevt_shm_open(name, &config, 0, ret_bus);
	return err < 0 ? task_error("aioevt_shm_open", err) : 0;
}

/* Let there be @n events besides the one that is emitted to. */
static int events_make(struct aioevt_shm *bus, unsigned n)
{
	struct aioevt_shm_event *event;
	char name[32];
	unsigned i;
	int err;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "other.%u", i);
		err = aioevt_shm_event_open(bus, name, 0, &event);
		if (err < 0)
			return task_error("aioevt_shm_event_open", err);
		aioevt_shm_event_close(event);
	}
	return 0;
}

static int emit_measure(struct aioevt_shm_event *event, unsigned size, double *ret_ns)
{
	double samples[BATCHES + 1];
	uint64_t data[128] = { 0 }, t0;
	unsigned b, i, n = bench_count(20000);
	int err;

	for (b = 0; b < BATCHES + 1; b++) {
		t0 = now_ns();
		for (i = 0; i < n; i++) {
			data[0] = i;
			err = aioevt_shm_emit(event, data, size, NULL);
			if (err < 0)
				return task_error("aioevt_shm_emit", err);
		}
		samples[b] = (double)(now_ns() - t0) / n;
	}
	*ret_ns = median(samples + 1, BATCHES);
	return 0;
}

/* sh->arg: the number of events on the bus */
static int emitter_run(struct shared *sh, int index)
{
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm *bus;
	char name[32];
	int err;

	(void)index;
	snprintf(name, sizeof(name), "scale-%u", sh->arg);
	err = bus_open(name, &bus);
	if (err < 0)
		return err;
	err = aioevt_shm_event_open(bus, "emit", 0, &event);
	if (err < 0)
		task_error("aioevt_shm_event_open", err);
	if (!err)
		err = events_make(bus, sh->arg - 1);
	tasks_meet(sh);
	if (!err)
		err = emit_measure(event, sh->fig->size, &sh->result);
	tasks_meet(sh);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return err;
}

static int events_run(const struct figure *fig, unsigned n_events, double *ret_value)
{
	static const struct task tasks[] = { { emitter_run, 0 } };

	return tasks_run(fig, tasks, 1, n_events, ret_value);
}

int scale_events(const struct figure *fig, double *ret_value)
{
	return events_run(fig, fig->n, ret_value);
}

int scale_events_one(const struct figure *fig, double *ret_value)
{
	return events_run(fig, 1, ret_value);
}

/* ---- listeners on other events --------------------------------------------------- */

static struct aioevt_shm_listener *others[LISTENERS_MAX];

static int listeners_make(struct aioevt_shm *bus, unsigned n)
{
	char name[32];
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < n && i < LISTENERS_MAX; i++) {
		snprintf(name, sizeof(name), "other.%u", i % OTHERS);
		err = aioevt_shm_listener_new(bus, &others[i]);
		if (!err)
			err = aioevt_shm_listen(others[i], name, 0, AIOEVT_SHM_FROM_NEW,
						0, NULL);
	}
	return err < 0 ? task_error("listening", err) : 0;
}

/* Holds the listeners while the other task measures. */
static int holder_run(struct shared *sh, int index)
{
	struct aioevt_shm *bus;
	char name[32];
	unsigned i;
	int err;

	(void)index;
	snprintf(name, sizeof(name), "scale-%u", sh->arg);
	err = bus_open(name, &bus);
	if (err < 0)
		return err;
	err = listeners_make(bus, sh->fig->n);
	tasks_meet(sh);
	tasks_meet(sh);
	for (i = 0; i < LISTENERS_MAX; i++)
		aioevt_shm_listener_free(others[i]);
	aioevt_shm_close(bus);
	return err;
}

int scale_listeners(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { emitter_run, 0 }, { holder_run, 1 } };

	return tasks_run(fig, tasks, 2, OTHERS + 1, ret_value);
}

int scale_listeners_none(const struct figure *fig, double *ret_value)
{
	return events_run(fig, OTHERS + 1, ret_value);
}
