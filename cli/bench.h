/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_BENCH_H
#define AIOEVT_BENCH_H

/*
 * aioevt bench: pairs of processes measure the bus and, in turns with it, what the machine
 * itself can do, for a part of the time each. What they find is in memory they share.
 */

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>

#include "common.h"

/* ---- how long, how often -------------------------------------------------------- */

#define HISTOGRAM_FINE	32	/* buckets for each doubling: 3 % */
#define HISTOGRAM_SIZE	(37 * HISTOGRAM_FINE)	/* up to 2^41 ns, half an hour */

struct histogram {
	uint64_t counts[HISTOGRAM_SIZE];
	uint64_t n, max;
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* The time that @share (0 to 1) of all do not exceed; 0 if there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

/* How many are from @from to below @to, both 2^n or eighths of the way to the next. */
uint64_t histogram_count(const struct histogram *histogram, uint64_t from, uint64_t to);

/* "63.2 ns", "7.12 us", "1.20 ms" */
void bench_print_time(double ns, char *buf, size_t size);

/* ---- measuring ------------------------------------------------------------------ */

#define BENCH_QUIT	UINT32_MAX

/* A word for each direction; each line has one writer at a time. */
struct bench_area {
	alignas(128) _Atomic uint32_t ping;
	alignas(128) _Atomic uint32_t pong;
	alignas(128) _Atomic uint32_t ready[2];
	uint64_t stamp;			/* ns: when the other is woken; published by ping */
	pid_t pids[2];
	uint64_t length;		/* ns: the first one stops then and tells the other */

	/* Results; of several rounds in the histograms. */
	struct histogram emit;		/* of BENCH_BATCH emits each */
	struct histogram line, spin;	/* of BENCH_BATCH round trips each */
	struct histogram raw_wake, wake, raw_trip, trip;
	double stream;			/* records a second */
};

#define BENCH_BATCH	1000u

struct bench {
	struct bus_options bus;		/* a bus of our own */
	unsigned seconds;
	const char *svg;		/* NULL: none; "-": standard output */
	int svg_fd;
	bool svg_is_new;		/* made by us, for this */
	bool json;
	unsigned n_cpus;		/* that we may use */
	struct bench_area *area;
};

typedef int (*bench_fn)(const struct bench *bench);	/* in a process: 0 or a status */

/*
 * Run both at once, each on a processor of its own if there are two, for @ns. Returns 0 or
 * the exit status after a message.
 */
int bench_pair(const struct bench *bench, bench_fn first, bench_fn second, uint64_t ns);

/*
 * Have the bus removed by bench_finish(), or when this process ends without that, in whatever
 * way; and the SVG file, if we made it, unless all @is_good.
 */
int bench_guard(const struct bench *bench);
void bench_finish(bool is_good);

/* In a process of a pair. */
uint64_t bench_now(void);
uint64_t bench_end(const struct bench *bench);	/* when the first one stops; once they have met */
void bench_pause(const struct bench *bench);	/* between two looks at a word */
void bench_settle(const struct bench *bench, int index);	/* until it sleeps */
void bench_send(_Atomic uint32_t *word, uint32_t n);
uint32_t bench_look(_Atomic uint32_t *word);
/* Until it is @n or more. */
void bench_await(const struct bench *bench, _Atomic uint32_t *word, uint32_t n);

/* What the machine can do. */
int raw_line_first(const struct bench *bench);
int raw_line_second(const struct bench *bench);
int raw_wake_first(const struct bench *bench);
int raw_wake_second(const struct bench *bench);
int raw_trip_first(const struct bench *bench);
int raw_trip_second(const struct bench *bench);

/* The same, and more, through a bus. */
int bus_emit(const struct bench *bench);
int bus_spin_first(const struct bench *bench);
int bus_spin_second(const struct bench *bench);
int bus_wake_first(const struct bench *bench);
int bus_wake_second(const struct bench *bench);
int bus_trip_first(const struct bench *bench);
int bus_trip_second(const struct bench *bench);
int bus_stream_first(const struct bench *bench);
int bus_stream_second(const struct bench *bench);

/* ---- telling -------------------------------------------------------------------- */

void bench_print_text(FILE *out, const struct bench *bench);
void bench_print_json(FILE *out, const struct bench *bench);
void bench_print_svg(FILE *out, const struct bench *bench);

#endif
