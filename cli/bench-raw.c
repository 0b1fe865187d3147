/* SPDX-License-Identifier: MIT */
/* aioevt bench: what the machine can do, without a bus: a word that two processes share. */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* ---- back and forth, polling ---------------------------------------------------- */

int raw_line_first(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint64_t end = bench_end(bench), t0, t1 = bench_now();
	uint32_t n = 0;

	do {
		t0 = t1;
		for (unsigned i = 0; i < BENCH_BATCH; i++) {
			bench_send(&area->ping, ++n);
			bench_await(bench, &area->pong, n);
		}
		t1 = bench_now();
		histogram_add(&area->line, t1 - t0);
	} while (t1 < end && n < BENCH_QUIT - BENCH_BATCH - 1);
	bench_send(&area->ping, BENCH_QUIT);
	return STATUS_DONE;
}

int raw_line_second(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint32_t seen = 0, n;

	for (;;) {
		while ((n = bench_look(&area->ping)) == seen)
			bench_pause(bench);
		if (n == BENCH_QUIT)
			return STATUS_DONE;
		seen = n;
		bench_send(&area->pong, n);
	}
}

/* ---- asleep --------------------------------------------------------------------- */

static void wake(_Atomic uint32_t *word, uint32_t n)
{
	bench_send(word, n);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Sleep until @word is another than @seen. */
static uint32_t sleep_on(_Atomic uint32_t *word, uint32_t seen)
{
	uint32_t n;

	while ((n = bench_look(word)) == seen)
		syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
	return n;
}

int raw_wake_first(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint64_t end = bench_end(bench);
	uint32_t n = 0;

	do {
		bench_settle(bench, 1);
		area->stamp = bench_now();
		wake(&area->ping, ++n);
		bench_await(bench, &area->pong, n);
	} while (area->stamp < end);
	wake(&area->ping, BENCH_QUIT);
	return STATUS_DONE;
}

int raw_wake_second(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint32_t n = 0;

	while ((n = sleep_on(&area->ping, n)) != BENCH_QUIT) {
		histogram_add(&area->raw_wake, bench_now() - area->stamp);
		bench_send(&area->pong, n);
	}
	return STATUS_DONE;
}

int raw_trip_first(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint64_t end = bench_end(bench), t0, t1;
	uint32_t n = 0;

	do {
		bench_settle(bench, 1);
		t0 = bench_now();
		wake(&area->ping, n + 1);
		n = sleep_on(&area->pong, n);
		t1 = bench_now();
		histogram_add(&area->raw_trip, t1 - t0);
	} while (t1 < end);
	wake(&area->ping, BENCH_QUIT);
	return STATUS_DONE;
}

int raw_trip_second(const struct bench *bench)
{
	struct bench_area *area = bench->area;
	uint32_t n = 0;

	while ((n = sleep_on(&area->ping, n)) != BENCH_QUIT)
		wake(&area->pong, n);
	return STATUS_DONE;
}
