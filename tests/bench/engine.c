/* SPDX-License-Identifier: MIT */
/* Emit, and one way from an emitter to listeners that spin or sleep. */

#include <errno.h>
#include <string.h>

#include <aioevt-shm.h>

#include "bench.h"

#define BATCHES		21
#define ROUND_TRIPS	1000
#define SAMPLES_MAX	2000
#define FOR_EVER_NS	(3600ull * 1000000000ull)

/* One side of a conversation: what it emits and what it listens to. */
struct side {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
};

static double samples[SAMPLES_MAX];

static void side_close(struct side *side)
{
	side->listener = aioevt_shm_listener_free(side->listener);
	side->event = aioevt_shm_event_close(side->event);
	side->bus = aioevt_shm_close(side->bus);
}

/* Open the bus, @emits and @hears (NULL: none), and poll for @spin_ns before sleeping. */
static int side_open(struct side *side, const char *emits, const char *hears,
		     uint64_t spin_ns)
{
	int err;

	memset(side, 0, sizeof(*side));
	err = aioevt_shm_open("engine", NULL, 0, &side->bus);
	if (err < 0)
		return task_error("aioevt_shm_open", err);
	if (emits)
		err = aioevt_shm_event_open(side->bus, emits, 0, &side->event);
	if (err >= 0 && hears)
		err = aioevt_shm_listener_new(side->bus, &side->listener);
	if (err >= 0 && hears) {
		aioevt_shm_listener_set_spin(side->listener, spin_ns, 0);
		err = aioevt_shm_listen(side->listener, hears, 0, AIOEVT_SHM_FROM_NEW, 0,
					&side->sub);
	}
	if (err < 0) {
		side_close(side);
		return task_error("opening an event or a listener", err);
	}
	return 0;
}

/* Wait for the next record, which must be @n, and copy it to @buf. */
static int side_hear(struct side *side, uint64_t n, uint64_t *buf, size_t size)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	int got;

	do {
		got = aioevt_shm_wait(side->listener, AIOEVT_SHM_NO_DEADLINE, &sub);
		if (got >= 0)
			got = aioevt_shm_read(sub, &record, 1, buf, size);
	} while (got == 0);
	if (got < 0)
		return task_error("waiting for a record", got);
	if (record.missed || (n && buf[0] != n))
		return task_error("a record out of order", -EPROTO);
	return 0;
}

/* ---- emit, nobody listens -------------------------------------------------------- */

static int emit_run(struct shared *sh, int index)
{
	uint64_t data[16] = { 0 }, t0;
	unsigned b, i, n = bench_count(30000);
	struct side side;
	int err;

	(void)index;
	err = side_open(&side, "emit", NULL, 0);
	for (b = 0; !err && b < BATCHES + 1; b++) {
		t0 = now_ns();
		for (i = 0; !err && i < n; i++) {
			data[0] = i;
			err = aioevt_shm_emit(side.event, data, sh->fig->size, NULL);
		}
		samples[b] = (double)(now_ns() - t0) / n;
	}
	side_close(&side);
	if (err < 0)
		return task_error("aioevt_shm_emit", err);
	sh->result = median(samples + 1, BATCHES);
	return 0;
}

int engine_emit(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { emit_run, 0 } };

	return tasks_run(fig, tasks, 1, 0, ret_value);
}

/* ---- back and forth, spinning or asleep ------------------------------------------ */

/* One hop each way, begun by the side whose index is 0. */
static int round_trip(struct side *side, int index, uint64_t n, size_t size)
{
	uint64_t buf[16];		/* not cleared: this is timed */
	int err = 0;

	buf[0] = n;
	if (index == 0)
		err = aioevt_shm_emit(side->event, buf, size, NULL);
	if (err >= 0)
		err = side_hear(side, n, buf, sizeof(buf));
	if (err >= 0 && index == 1)
		err = aioevt_shm_emit(side->event, buf, size, NULL);
	return err < 0 ? err : 0;
}

static int converse(struct shared *sh, int index, uint64_t spin_ns, unsigned n_batches,
		    unsigned per_batch)
{
	struct side side;
	unsigned b, i;
	uint64_t n = 0, t0;
	int err;

	err = side_open(&side, index ? "pong" : "ping", index ? "ping" : "pong", spin_ns);
	if (err < 0)
		return err;
	tasks_meet(sh);
	for (b = 0; !err && b < n_batches + 1; b++) {
		t0 = now_ns();
		for (i = 0; !err && i < per_batch; i++)
			err = round_trip(&side, index, ++n, sh->fig->size);
		samples[b] = (double)(now_ns() - t0) / per_batch / 2;
	}
	if (index == 0)
		sh->result = median(samples + 1, n_batches);
	side_close(&side);
	return err;
}

static int spin_run(struct shared *sh, int index)
{
	return converse(sh, index, FOR_EVER_NS, BATCHES, bench_count(ROUND_TRIPS));
}

static int asleep_run(struct shared *sh, int index)
{
	return converse(sh, index, 0, bench_count(1500), 1);
}

int engine_spin(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { spin_run, 0 }, { spin_run, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

int engine_asleep(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { asleep_run, 0 }, { asleep_run, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* ---- n sleepers ------------------------------------------------------------------ */

static int sleeper_run(struct shared *sh, int index)
{
	uint64_t buf[16];
	struct side side;
	int err;

	err = side_open(&side, NULL, "broadcast", 0);
	if (err < 0)
		return err;
	tasks_meet(sh);
	while (!(err = side_hear(&side, 0, buf, sizeof(buf))) && buf[0] != QUIT)
		broadcast_served(sh, index);
	side_close(&side);
	return err;
}

static int emit_wake(void *arg, struct shared *sh, uint32_t n)
{
	struct side *side = arg;
	uint64_t data[16];

	data[0] = n;
	return aioevt_shm_emit(side->event, data, sh->fig->size, NULL);
}

static int waker_run(struct shared *sh, int index)
{
	struct side side;
	int err;

	(void)index;
	err = side_open(&side, "broadcast", NULL, 0);
	if (err < 0)
		return err;
	tasks_meet(sh);
	err = broadcast(sh, emit_wake, &side);
	side_close(&side);
	return err;
}

int engine_sleeper_call(const struct figure *fig, double *ret_value)
{
	return broadcast_run(fig, waker_run, sleeper_run, BROADCAST_CALL, ret_value);
}

int engine_sleeper_last(const struct figure *fig, double *ret_value)
{
	return broadcast_run(fig, waker_run, sleeper_run, BROADCAST_LAST, ret_value);
}

int engine_asleep_idle(const struct figure *fig, double *ret_value)
{
	return broadcast_run(fig, waker_run, sleeper_run, BROADCAST_IDLE, ret_value);
}
