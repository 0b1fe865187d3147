/* SPDX-License-Identifier: MIT */
/* aioevt bench: the figures as text and as JSON. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench.h"

#define BAR_WIDTH	30
#define LEAST_SHOWN	0x100u	/* ns: what is below goes into one line */

/* ---- histogram ------------------------------------------------------------------ */

/* Below HISTOGRAM_FINE each number has its own bucket; above, each doubling has as many. */
static size_t find_bucket(uint64_t ns)
{
	unsigned shift;
	size_t i;

	if (ns < HISTOGRAM_FINE)
		return (size_t)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - 5;	/* 2^5 is HISTOGRAM_FINE */
	i = shift * HISTOGRAM_FINE + (size_t)(ns >> shift);
	return i < HISTOGRAM_SIZE ? i : HISTOGRAM_SIZE - 1;
}

/* The first one of the bucket, or of those behind. */
static uint64_t bucket_start(size_t i)
{
	if (i < 2 * HISTOGRAM_FINE)
		return i;
	return (uint64_t)(HISTOGRAM_FINE + i % HISTOGRAM_FINE) << (i / HISTOGRAM_FINE - 1);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->counts[find_bucket(ns)]++;
	histogram->n++;
	if (ns > histogram->max)
		histogram->max = ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	uint64_t n = (uint64_t)(share * (double)histogram->n), sum = 0, middle;

	for (size_t i = 0; i < HISTOGRAM_SIZE; i++) {
		sum += histogram->counts[i];
		if (sum <= n)
			continue;
		middle = (bucket_start(i) + bucket_start(i + 1)) / 2;
		return middle < histogram->max ? middle : histogram->max;
	}
	return histogram->max;
}

uint64_t histogram_count(const struct histogram *histogram, uint64_t from, uint64_t to)
{
	uint64_t sum = 0;

	for (size_t i = find_bucket(from); i < find_bucket(to); i++)
		sum += histogram->counts[i];
	return sum;
}

void bench_print_time(double ns, char *buf, size_t size)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned i;

	for (i = 0; i < 3 && ns >= 999.5; i++)
		ns /= 1000;
	snprintf(buf, size, "%.*f %s", ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0, ns, units[i]);
}

/* ---- text ----------------------------------------------------------------------- */

/* @raw may be 0: there is nothing to compare with. */
static void print_figure(FILE *out, const char *what, double ns, double raw, const char *note)
{
	char text[32], raw_text[32] = "";

	bench_print_time(ns, text, sizeof(text));
	if (raw > 0)
		bench_print_time(raw, raw_text, sizeof(raw_text));
	fprintf(out, "%-38s%10s", what, text);
	if (raw > 0)
		fprintf(out, "%10s%7.2f%s%s", raw_text, ns / raw, *note ? "  " : "", note);
	putc('\n', out);
}

static void print_quantiles(FILE *out, const char *what, const struct histogram *ours,
			    const struct histogram *raw)
{
	static const struct { double share; const char *name; } quantiles[] = {
		{ .5, "p50" }, { .99, "p99" }, { .999, "p99.9" }, { 1, "max" },
	};

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++) {
		char label[64];

		snprintf(label, sizeof(label), "%-30s%6s", i ? "" : what, quantiles[i].name);
		print_figure(out, label, (double)histogram_quantile(ours, quantiles[i].share),
			     (double)histogram_quantile(raw, quantiles[i].share),
			     i ? "" : "futex");
	}
}

static void print_bars(FILE *out, const struct bench_area *area)
{
	const struct histogram *ours = &area->wake, *raw = &area->raw_wake;
	uint64_t most = 1, from, n;

	for (from = LEAST_SHOWN; from <= ours->max; from *= 2) {
		n = histogram_count(ours, from, 2 * from);
		most = n > most ? n : most;
	}
	fputs("\nWaking a process that sleeps: how many took how long\n", out);
	fprintf(out, "%10s%10s%10s  %-*s%10s\n", "from", "to", "aioevt", BAR_WIDTH, "", "futex");
	for (from = LEAST_SHOWN; from <= ours->max || from <= raw->max; from *= 2) {
		uint64_t n_raw = histogram_count(raw, from, 2 * from);
		char low[32], high[32], bar[BAR_WIDTH + 1];
		size_t width;

		n = histogram_count(ours, from, 2 * from);
		if (!histogram_count(ours, 0, 2 * from) && !histogram_count(raw, 0, 2 * from))
			continue;
		width = (size_t)((double)n / (double)most * BAR_WIDTH + 0.5);
		memset(bar, '#', sizeof(bar));
		bar[n && !width ? 1 : width] = 0;
		bench_print_time((double)from, low, sizeof(low));
		bench_print_time(2 * (double)from, high, sizeof(high));
		fprintf(out, "%10s%10s%8.3f %%  %-*s%8.3f %%\n", low, high,
			100.0 * (double)n / (double)ours->n, BAR_WIDTH, bar,
			100.0 * (double)n_raw / (double)raw->n);
	}
}

void bench_print_text(FILE *out, const struct bench *bench)
{
	const struct bench_area *area = bench->area;
	struct utsname host = { 0 };
	double load = 0;

	uname(&host);
	getloadavg(&load, 1);
	fprintf(out, "%u s on %u processor%s, load %.1f, %s %s %s\n\n%-38s%10s%10s%7s\n",
		bench->seconds, bench->n_cpus, bench->n_cpus == 1 ? "" : "s", load, host.sysname,
		host.release, host.machine, "", "aioevt", "machine", "ratio");
	print_figure(out, "Emit, nobody listens",
		     (double)histogram_quantile(&area->emit, .5) / BENCH_BATCH, 0, "");
	if (area->spin.n)
		print_figure(out, "There and back, both polling",
			     (double)histogram_quantile(&area->spin, .5) / BENCH_BATCH,
			     (double)histogram_quantile(&area->line, .5) / BENCH_BATCH,
			     "cache line");
	print_quantiles(out, "To a process that sleeps", &area->wake, &area->raw_wake);
	print_quantiles(out, "There and back, both asleep", &area->trip, &area->raw_trip);
	fprintf(out, "%-38s%10.2f million records a second\n", "A stream to one reliable reader",
		area->stream / 1e6);
	print_bars(out, area);
}

/* ---- JSON ----------------------------------------------------------------------- */

static void print_json_batch(FILE *out, const char *name, const struct histogram *histogram)
{
	if (histogram->n)
		fprintf(out, "\"%s\":%.3f", name,
			(double)histogram_quantile(histogram, .5) / BENCH_BATCH);
	else
		fprintf(out, "\"%s\":null", name);
}

static void print_json_quantiles(FILE *out, const char *name, const struct histogram *histogram)
{
	fprintf(out, "\"%s\":{\"n\":%" PRIu64 ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64
		",\"p999_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 "}", name, histogram->n,
		histogram_quantile(histogram, .5), histogram_quantile(histogram, .99),
		histogram_quantile(histogram, .999), histogram->max);
}

static void print_json_histogram(FILE *out, const struct bench_area *area)
{
	uint64_t max = area->wake.max > area->raw_wake.max ? area->wake.max :
							     area->raw_wake.max;
	const char *comma = "";

	fputs("\"histogram\":[", out);
	for (uint64_t from = 0, to = LEAST_SHOWN; from <= max; from = to, to *= 2) {
		fprintf(out, "%s{\"from_ns\":%" PRIu64 ",\"to_ns\":%" PRIu64 ",\"wake\":%" PRIu64
			",\"futex_wake\":%" PRIu64 "}", comma, from, to,
			histogram_count(&area->wake, from, to),
			histogram_count(&area->raw_wake, from, to));
		comma = ",";
	}
	putc(']', out);
}

void bench_print_json(FILE *out, const struct bench *bench)
{
	const struct bench_area *area = bench->area;

	fprintf(out, "{\"seconds\":%u,\"processors\":%u,", bench->seconds, bench->n_cpus);
	print_json_batch(out, "emit_ns", &area->emit);
	putc(',', out);
	print_json_batch(out, "polling_round_trip_ns", &area->spin);
	putc(',', out);
	print_json_batch(out, "cache_line_round_trip_ns", &area->line);
	putc(',', out);
	print_json_quantiles(out, "wake", &area->wake);
	putc(',', out);
	print_json_quantiles(out, "futex_wake", &area->raw_wake);
	putc(',', out);
	print_json_quantiles(out, "round_trip", &area->trip);
	putc(',', out);
	print_json_quantiles(out, "futex_round_trip", &area->raw_trip);
	fprintf(out, ",\"stream_per_s\":%.0f,", area->stream);
	print_json_histogram(out, area);
	fputs("}\n", out);
}
