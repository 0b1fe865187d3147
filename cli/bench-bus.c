/* SPDX-License-Identifier: MIT */
/* aioevt bench: through a bus. */
#include <errno.h>
#include <string.h>

#include "bench.h"
#include "duration.h"

#define WORDS		4	/* a payload of 32 bytes */
#define STREAM_BATCH	256
#define STREAM_PAUSE_NS	2000	/* of the emitter whose reader is behind */
#define STREAM_PAUSES	50	/* before it sleeps */
#define STREAM_SPIN_NS	20000	/* of the reader, before it sleeps */
#define STREAM_CLOCK	1024u	/* records between two looks at the clock */
#define STREAM_END	UINT64_MAX
#define SPIN_NS		(3600 * NS_PER_S)

/* One side of a conversation: what it emits and what it listens to. */
struct side {
	const struct bench *bench;
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
};

static int side_trouble(const struct side *side, const char *event, int err)
{
	return bus_trouble(&side->bench->bus, side->bus, event, err);
}

static void side_close(struct side *side)
{
	aioevt_shm_listener_free(side->listener);
	aioevt_shm_event_close(side->event);
	aioevt_shm_close(side->bus);
}

/* @emits and @hears may be NULL. To be closed even if it fails. */
static int side_open(struct side *side, const struct bench *bench, const char *emits,
		     const char *hears, uint32_t flags)
{
	int err;

	*side = (struct side){ .bench = bench };
	err = bus_open(&bench->bus, AIOEVT_SHM_EXISTING, &side->bus);
	if (err < 0)
		return bus_open_trouble(&bench->bus, err);
	if (emits)
		err = aioevt_shm_event_open(side->bus, emits, 0, &side->event);
	if (!err && hears)
		err = aioevt_shm_listener_new(side->bus, &side->listener);
	if (!err && hears)
		err = aioevt_shm_listen(side->listener, hears, flags, AIOEVT_SHM_FROM_NEW,
					0, &side->sub);
	return err < 0 ? side_trouble(side, emits ? emits : hears, err) : STATUS_DONE;
}

/* Both are attached and listen. */
static void meet(const struct bench *bench, int index)
{
	bench_send(&bench->area->ready[index], 2);
	bench_await(bench, &bench->area->ready[!index], 2);
}

static int tell(struct side *side, uint64_t n, uint64_t stamp)
{
	uint64_t data[WORDS] = { n, stamp };
	int err = aioevt_shm_emit(side->event, data, sizeof(data), NULL);

	return err < 0 ? side_trouble(side, NULL, err) : STATUS_DONE;
}

static int hear(struct side *side, uint64_t *data)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	int got;

	do {
		got = aioevt_shm_wait(side->listener, AIOEVT_SHM_NO_DEADLINE, &sub);
		if (got == 0)
			got = aioevt_shm_read(sub, &record, 1, data, WORDS * sizeof(*data));
	} while (got == 0);
	return got < 0 ? side_trouble(side, NULL, got) : STATUS_DONE;
}

/* ---- nobody listens ------------------------------------------------------------- */

int bus_emit(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint64_t t0, t1, end, n = 0;
	struct side side;
	int status;

	status = side_open(&side, bench, "bench.emit", NULL, 0);
	end = bench_end(bench);
	for (t1 = bench_now(); !status && (!n || t1 < end); ) {
		t0 = t1;
		for (unsigned i = 0; !status && i < BENCH_BATCH; i++)
			status = tell(&side, ++n, 0);
		t1 = bench_now();
		histogram_add(&area->emit, t1 - t0);
	}
	side_close(&side);
	return status;
}

/* ---- back and forth ------------------------------------------------------------- */

/* The first one, @batch round trips for each entry of @histogram. */
static int ask(const struct bench *bench, uint64_t spin_ns, unsigned batch,
	       struct histogram *histogram)
{
	uint64_t t0, t1 = 0, end = 0, data[WORDS];
	struct side side;
	int status;

	status = side_open(&side, bench, "bench.ping", "bench.pong", 0);
	if (!status) {
		aioevt_shm_listener_set_spin(side.listener, spin_ns, 0);
		meet(bench, 0);
		end = bench_end(bench);
	}
	while (!status && t1 < end) {
		if (!spin_ns)
			bench_settle(bench, 1);
		t0 = bench_now();
		for (unsigned i = 0; !status && i < batch; i++) {
			status = tell(&side, 1, 0);
			if (!status)
				status = hear(&side, data);
		}
		t1 = bench_now();
		histogram_add(histogram, t1 - t0);
	}
	if (!status)
		status = tell(&side, BENCH_QUIT, 0);
	side_close(&side);
	return status;
}

static int answer(const struct bench *bench, uint64_t spin_ns)
{
	uint64_t data[WORDS] = { 0 };
	struct side side;
	int status;

	status = side_open(&side, bench, "bench.pong", "bench.ping", 0);
	if (!status) {
		aioevt_shm_listener_set_spin(side.listener, spin_ns, 0);
		meet(bench, 1);
	}
	while (!status && !(status = hear(&side, data)) && data[0] != BENCH_QUIT)
		status = tell(&side, data[0], 0);
	side_close(&side);
	return status;
}

int bus_spin_first(const struct bench *bench)
{
	return ask(bench, SPIN_NS, BENCH_BATCH, &bench->area->spin);
}

int bus_spin_second(const struct bench *bench)
{
	return answer(bench, SPIN_NS);
}

int bus_trip_first(const struct bench *bench)
{
	return ask(bench, 0, 1, &bench->area->trip);
}

int bus_trip_second(const struct bench *bench)
{
	return answer(bench, 0);
}

/* ---- to one who sleeps ---------------------------------------------------------- */

int bus_wake_first(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint64_t stamp = 0, end;
	struct side side;
	uint32_t n = 0;
	int status;

	status = side_open(&side, bench, "bench.wake", NULL, 0);
	if (!status)
		meet(bench, 0);
	end = bench_end(bench);
	while (!status && stamp < end) {
		bench_settle(bench, 1);
		stamp = bench_now();
		status = tell(&side, ++n, stamp);
		if (!status)
			bench_await(bench, &area->pong, n);
	}
	if (!status)
		status = tell(&side, BENCH_QUIT, 0);
	side_close(&side);
	return status;
}

int bus_wake_second(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint64_t data[WORDS];
	struct side side;
	int status;

	status = side_open(&side, bench, NULL, "bench.wake", 0);
	if (!status)
		meet(bench, 1);
	while (!status && !(status = hear(&side, data)) && data[0] != BENCH_QUIT) {
		histogram_add(&area->wake, bench_now() - data[1]);
		bench_send(&area->pong, (uint32_t)data[0]);
	}
	side_close(&side);
	return status;
}

/* ---- a stream ------------------------------------------------------------------- */

static void busy(uint64_t ns)
{
	uint64_t until = bench_now() + ns;

	while (bench_now() < until)
		continue;
}

static int push(struct side *side, uint64_t n)
{
	uint64_t data[WORDS] = { n };
	int err;

	for (unsigned i = 0; i < STREAM_PAUSES && side->bench->n_cpus > 1; i++) {
		err = aioevt_shm_emit(side->event, data, sizeof(data), NULL);
		if (err == 0)
			return STATUS_DONE;
		if (err != -EAGAIN)
			return side_trouble(side, NULL, err);
		busy(STREAM_PAUSE_NS);
	}
	err = aioevt_shm_emit_wait(side->event, data, sizeof(data), AIOEVT_SHM_NO_DEADLINE, NULL);
	return err < 0 ? side_trouble(side, NULL, err) : STATUS_DONE;
}

int bus_stream_first(const struct bench *bench)
{
	struct side side;
	uint64_t n = 0, end;
	int status;

	status = side_open(&side, bench, "bench.stream", NULL, 0);
	if (!status)
		meet(bench, 0);
	end = bench_end(bench);
	while (!status && (!n || n % STREAM_CLOCK || bench_now() < end))
		status = push(&side, ++n);
	if (!status)
		status = push(&side, STREAM_END);
	side_close(&side);
	return status;
}

/* Returns how many, or -1 after a message; *ret_is_end if the last one was the end. */
static int pull(struct side *side, uint64_t *next, bool *ret_is_end)
{
	static struct aioevt_shm_record records[STREAM_BATCH];
	static uint64_t buf[STREAM_BATCH * WORDS];
	struct aioevt_shm_sub *sub;
	int got;

	got = aioevt_shm_wait(side->listener, AIOEVT_SHM_NO_DEADLINE, &sub);
	if (got == 0)
		got = aioevt_shm_read(sub, records, STREAM_BATCH, buf, sizeof(buf));
	if (got < 0)
		side_trouble(side, NULL, got);
	for (int i = 0; i < got; i++) {
		const uint64_t *data = records[i].data;

		*ret_is_end = data[0] == STREAM_END;
		if (*ret_is_end || data[0] == ++*next)
			continue;
		complain("record %llu came as %llu", (unsigned long long)*next,
			 (unsigned long long)data[0]);
		return -1;
	}
	return got < 0 ? -1 : got;
}

int bus_stream_second(const struct bench *bench)
{
	uint64_t t0, next = 0;
	bool is_end = false;
	struct side side;
	int status;

	status = side_open(&side, bench, NULL, "bench.stream", AIOEVT_SHM_RELIABLE);
	if (!status) {
		aioevt_shm_listener_set_spin(side.listener, 0, STREAM_SPIN_NS);
		meet(bench, 1);
	}
	t0 = bench_now();
	while (!status && !is_end)
		if (pull(&side, &next, &is_end) < 0)
			status = STATUS_TROUBLE;
	bench->area->stream = (double)next * 1e9 / (double)(bench_now() - t0);
	side_close(&side);
	return status;
}
