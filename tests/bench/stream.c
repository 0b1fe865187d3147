/* SPDX-License-Identifier: MIT */
/*
 * Records a second from emitters to one reader, nothing lost. Every record says who sent
 * it, its number and, in its last word, the complement: a record that is lost, doubled,
 * out of order or torn ends the round with an error.
 *
 * The reader pauses when it finds nothing, so that it takes records in batches and leaves
 * the emitter's next lines alone. So does the emitter when it is told -EAGAIN, and sleeps
 * if that does not end: the reader may want the processor. The reference is the least that
 * one emitter and one reader can do: a ring of plain slots, a head, a tail, both cached.
 *
 * Ordering (writer / reader)
 *   stream:A / stream:B   release/acquire on head: the reader sees the records below it.
 *   stream:C / stream:D   release/acquire on tail: the emitter writes only what was read.
 *   stream:E / stream:F   release/acquire on sh->start: the barrier orders it as well.
 *   stream:G / stream:H   release/acquire on sh->finished: who sees all finished sees sent.
 */

#include <errno.h>
#include <string.h>

#include <aioevt-shm.h>

#include "bench.h"

#define READER_PAUSE_NS	10000
#define PAUSE_NS	2000		/* of the emitter */
#define BATCH_BYTES	16384
#define BATCH_MAX	256
#define SLOT_MAX	1088		/* a record and its number */
#define BUSY_SPIN_NS	20000
#define SLEEP_NS	1000000u	/* the longest a sleeping reader sleeps */
#define PAUSES		50		/* before an emitter sleeps */
#define ROUND_NS	400000000u	/* an emitter stops then, however few it sent */
#define LOOK_EVERY	1024u		/* records between looks at the clock */

enum { POLLING, SLEEPING };

static uint64_t n_records(const struct shared *sh)
{
	return bench_count(sh->fig->size <= 128 ? 2400000 : 600000);
}

static unsigned batch(const struct shared *sh)
{
	unsigned n = BATCH_BYTES / sh->fig->size;

	return n > BATCH_MAX ? BATCH_MAX : n < 8 ? 8 : n;
}

static unsigned depth(const struct shared *sh)
{
	return sh->fig->size <= 128 ? 1024 : 256;
}

/* ---- the records ----------------------------------------------------------------- */

static void record_fill(uint64_t *data, unsigned size, int emitter, uint64_t n)
{
	data[0] = (uint64_t)emitter << 56 | n;
	data[size / 8 - 1] = ~data[0];
}

/* What the reader expects next of each emitter. */
struct check {
	uint64_t next[TASKS_MAX];
	uint64_t seen;
};

static int record_check(struct check *check, const uint64_t *data, size_t size)
{
	unsigned emitter = (unsigned)(data[0] >> 56);

	if (emitter >= TASKS_MAX || data[size / 8 - 1] != ~data[0] ||
	    (data[0] & ~(0xffull << 56)) != check->next[emitter])
		return task_error("a record lost, doubled or torn", -EPROTO);
	check->next[emitter]++;
	check->seen++;
	return 0;
}

/* The first emitter to begin starts the clock. */
static void clock_start(struct shared *sh)
{
	uint64_t none = 0;

	/* stream:E  release, pairs with stream:F; relaxed: who lost wants no value */
	atomic_compare_exchange_strong_explicit(&sh->start, &none, now_ns(),
						memory_order_release,
						memory_order_relaxed);
}

/* An emitter that sent @n records has done its part when this is false. */
static bool goes_on(struct shared *sh, uint64_t n, uint64_t t0)
{
	return n < n_records(sh) && (n % LOOK_EVERY || now_ns() - t0 < ROUND_NS);
}

static void finish(struct shared *sh, uint64_t n)
{
	/* relaxed: published by stream:G */
	atomic_fetch_add_explicit(&sh->sent, n, memory_order_relaxed);
	/* stream:G  release, pairs with stream:H */
	atomic_fetch_add_explicit(&sh->finished, 1, memory_order_release);
}

static bool all_seen(struct shared *sh, unsigned n_emitters, uint64_t seen)
{
	/* stream:H  acquire, pairs with stream:G */
	return atomic_load_explicit(&sh->finished, memory_order_acquire) == n_emitters &&
	       /* relaxed: published by stream:G */
	       atomic_load_explicit(&sh->sent, memory_order_relaxed) == seen;
}

static void clock_stop(struct shared *sh, uint64_t seen)
{
	/* stream:F  acquire, pairs with stream:E */
	uint64_t t0 = atomic_load_explicit(&sh->start, memory_order_acquire);

	sh->result = (double)seen * 1e9 / (double)(now_ns() - t0);
}

/* ---- the raw ring ---------------------------------------------------------------- */

static int raw_emitter(struct shared *sh, int index)
{
	unsigned size = sh->fig->size, stride = size + 64, mask = depth(sh) - 1;
	uint64_t n, t0, tail = 0, data[128] = { 0 };

	tasks_meet(sh);
	clock_start(sh);
	t0 = now_ns();
	for (n = 0; goes_on(sh, n, t0); n++) {
		record_fill(data, size, index, n);
		while (n - tail > mask) {
			/* stream:D  acquire, pairs with stream:C */
			tail = atomic_load_explicit(&sh->pong, memory_order_acquire);
			if (n - tail > mask)
				busy_ns(PAUSE_NS);
		}
		memcpy(sh->area + (n & mask) * stride, data, size);
		/* stream:A  release, pairs with stream:B */
		atomic_store_explicit(&sh->ping, n + 1, memory_order_release);
	}
	finish(sh, n);
	return 0;
}

static int raw_reader(struct shared *sh, int index)
{
	unsigned size = sh->fig->size, stride = size + 64, mask = depth(sh) - 1;
	uint64_t head = 0, data[128];
	struct check check = { { 0 }, 0 };
	int err = 0;

	(void)index;
	tasks_meet(sh);
	while (!err && (check.seen < head || !all_seen(sh, 1, check.seen))) {
		/* stream:B  acquire, pairs with stream:A */
		head = atomic_load_explicit(&sh->ping, memory_order_acquire);
		if (head == check.seen)
			busy_ns(READER_PAUSE_NS);
		while (!err && check.seen < head) {
			memcpy(data, sh->area + (check.seen & mask) * stride, size);
			err = record_check(&check, data, size);
			/* stream:C  release, pairs with stream:D */
			if (check.seen % 64 == 0 || check.seen == head)
				atomic_store_explicit(&sh->pong, check.seen,
						      memory_order_release);
		}
	}
	clock_stop(sh, check.seen);
	return err;
}

int stream_raw(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { raw_emitter, 0 }, { raw_reader, 1 } };

	return tasks_run(fig, tasks, 2, 0, ret_value);
}

/* ---- the engine's ring ----------------------------------------------------------- */

static int stream_open(struct shared *sh, struct aioevt_shm **ret_bus)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	const char *name = "stream";
	int err;

	if (sh->fig->size > 104) {
		name = "stream-large";
		config.inline_size = sh->fig->size;
		config.depth = depth(sh);
	}
	err = aioevt_shm_open(name, &config, 0, ret_bus);
	return err < 0 ? task_error("aioevt_shm_open", err) : 0;
}

static int emit_one(struct aioevt_shm_event *event, const uint64_t *data, unsigned size)
{
	unsigned i;
	int err;

	for (i = 0; i < PAUSES; i++) {
		err = aioevt_shm_emit(event, data, size, NULL);
		if (err != -EAGAIN)
			return err;
		busy_ns(PAUSE_NS);
	}
	return aioevt_shm_emit_wait(event, data, size, now_ns() + GIVE_UP_NS, NULL);
}

static int emit_all(struct shared *sh, struct aioevt_shm_event *event, int index)
{
	uint64_t n, t0 = now_ns(), data[128] = { 0 };
	unsigned size = sh->fig->size;
	int err;

	for (n = 0; goes_on(sh, n, t0); n++) {
		record_fill(data, size, index, n);
		err = emit_one(event, data, size);
		if (err < 0)
			return task_error("aioevt_shm_emit", err);
	}
	finish(sh, n);
	return 0;
}

static int stream_emitter(struct shared *sh, int index)
{
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm *bus;
	int err;

	err = stream_open(sh, &bus);
	if (err < 0)
		return err;
	err = aioevt_shm_event_open(bus, "stream", 0, &event);
	if (err < 0)
		task_error("aioevt_shm_event_open", err);
	if (!err) {
		tasks_meet(sh);
		clock_start(sh);
		err = emit_all(sh, event, index);
	}
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return err;
}

struct reader {
	struct aioevt_shm *bus;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
	struct check check;
	uint64_t give_up;		/* when nothing came until then, the round failed */
	bool sleeps;
};

/* A sleeper looks up now and then: the end is not told by an event. */
static int reader_pause(struct reader *reader)
{
	struct aioevt_shm_sub *sub;
	int err;

	if (reader->sleeps) {
		err = aioevt_shm_wait(reader->listener, now_ns() + SLEEP_NS, &sub);
		if (err != -ETIMEDOUT)
			return err;
	} else {
		busy_ns(READER_PAUSE_NS);
	}
	if (!reader->give_up)
		reader->give_up = now_ns() + GIVE_UP_NS;
	return now_ns() < reader->give_up ? 0 : -ETIMEDOUT;
}

static int read_some(struct reader *reader, unsigned n)
{
	static struct aioevt_shm_record records[BATCH_MAX];
	static alignas(64) unsigned char buf[BATCH_BYTES];
	int i, got, err = 0;

	got = aioevt_shm_read(reader->sub, records, n, buf, sizeof(buf));
	if (got < 0)
		return task_error("aioevt_shm_read", got);
	for (i = 0; !err && i < got; i++) {
		if (records[i].missed)
			err = task_error("records missed", -EPROTO);
		else
			err = record_check(&reader->check, records[i].data, records[i].size);
	}
	if (got)
		reader->give_up = 0;
	return err < 0 ? err : got;
}

static int read_all(struct shared *sh, struct reader *reader, unsigned n_emitters)
{
	unsigned n = batch(sh);
	int got;

	for (;;) {
		got = read_some(reader, n);
		if (got < 0)
			return got;
		if (got)
			continue;
		if (all_seen(sh, n_emitters, reader->check.seen))
			break;
		got = reader_pause(reader);
		if (got < 0)
			return task_error("waiting for records", got);
	}
	clock_stop(sh, reader->check.seen);
	return 0;
}

static int reader_open(struct shared *sh, struct reader *reader)
{
	int err;

	err = stream_open(sh, &reader->bus);
	if (err < 0)
		return err;
	err = aioevt_shm_listener_new(reader->bus, &reader->listener);
	if (err >= 0) {
		aioevt_shm_listener_set_spin(reader->listener, 0, BUSY_SPIN_NS);
		err = aioevt_shm_listen(reader->listener, "stream", AIOEVT_SHM_RELIABLE,
					AIOEVT_SHM_FROM_NEW, 0, &reader->sub);
	}
	return err < 0 ? task_error("listening", err) : 0;
}

static int read_run(struct shared *sh, bool sleeps, unsigned n_emitters)
{
	struct reader reader = { .sleeps = sleeps };
	int err;

	err = reader_open(sh, &reader);
	if (!err) {
		tasks_meet(sh);
		err = read_all(sh, &reader, n_emitters);
	}
	aioevt_shm_listener_free(reader.listener);
	aioevt_shm_close(reader.bus);
	return err;
}

/* The reader comes last: its index is the number of emitters. */
static int stream_reader(struct shared *sh, int index)
{
	return read_run(sh, sh->arg == SLEEPING, (unsigned)index);
}

int stream_one(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { stream_emitter, 0 }, { stream_reader, 1 } };

	return tasks_run(fig, tasks, 2, POLLING, ret_value);
}

int stream_sleeping(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = { { stream_emitter, 0 }, { stream_reader, 1 } };

	return tasks_run(fig, tasks, 2, SLEEPING, ret_value);
}

/* Both emitters share a processor, so that the reader has one as with one emitter. */
int stream_two(const struct figure *fig, double *ret_value)
{
	static const struct task tasks[] = {
		{ stream_emitter, 0 }, { stream_emitter, 0 }, { stream_reader, 1 },
	};

	return tasks_run(fig, tasks, 3, POLLING, ret_value);
}
