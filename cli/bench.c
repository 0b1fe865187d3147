/* SPDX-License-Identifier: MIT */
/* aioevt bench */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "bench.h"
#include "duration.h"

#define SECONDS_MAX	600
#define PARTS		20	/* of the time; see measure() */

static const char doc[] =
	"Measure this machine, on a bus of its own: what an emit costs, how long another "
	"process takes to wake, and how much passes through, with what the machine itself "
	"can do beside."
	"\v"
	"Status: 0 done, 1 trouble, 6 7 64 as for all. See aioevt-bench(1).";

enum { KEY_JSON = 0x100, KEY_SECONDS, KEY_SVG };

static const struct argp_option options[] = {
	{ "seconds", KEY_SECONDS, "S", 0, "How long to measure, 10 if not given", 1 },
	{ "svg", KEY_SVG, "FILE", 0, "Also draw the histogram; \"-\": print it alone", 1 },
	{ "json", KEY_JSON, NULL, 0, "Print one JSON object instead", 1 },
	{ 0 }
};

/* ---- command line --------------------------------------------------------------- */

static unsigned parse_seconds(const char *text)
{
	const char *why = NULL;
	long long seconds = strtonum(text, 1, SECONDS_MAX, &why);

	if (why)
		complain_usage("--seconds \"%s\": %s, not from 1 to %d", text, why, SECONDS_MAX);
	return (unsigned)seconds;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench *bench = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		bench->bus.program = "aioevt bench";
		state->child_inputs[0] = &bench->bus;
		return 0;
	case ARGP_KEY_ARG:
		complain_usage("\"%s\": bench takes no words", arg);
	case KEY_JSON:
		bench->json = true;
		return 0;
	case KEY_SECONDS:
		bench->seconds = parse_seconds(arg);
		return 0;
	case KEY_SVG:
		bench->svg = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = doc,
	.children = bus_children,
};

static void check_options(const struct bench *bench)
{
	if (bench->bus.bus || bench->bus.has_group)
		complain_usage("--%s: bench uses a bus of its own",
			       bench->bus.bus ? "bus" : "group");
	if (bench->json && bench->svg && !strcmp(bench->svg, "-"))
		complain_usage("--json beside --svg -: both go to standard output");
}

/* ---- the picture ---------------------------------------------------------------- */

static int complain_svg(const struct bench *bench, int err)
{
	complain("--svg \"%.300s\": %s", bench->svg, strerror(err));
	return STATUS_TROUBLE;
}

/* Before ten seconds are spent. What the file holds stays until there is a new picture. */
static int open_svg(struct bench *bench)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;

	bench->svg_fd = -1;
	if (!bench->svg || !strcmp(bench->svg, "-"))
		return STATUS_DONE;
	bench->svg_fd = open(bench->svg, flags | O_EXCL, 0666);
	bench->svg_is_new = bench->svg_fd >= 0;
	if (bench->svg_fd < 0 && errno == EEXIST)
		bench->svg_fd = open(bench->svg, flags, 0666);
	return bench->svg_fd < 0 ? complain_svg(bench, errno) : STATUS_DONE;
}

static int write_svg(const struct bench *bench)
{
	FILE *out;
	int err = 0;

	if (bench->svg_fd < 0)
		return STATUS_DONE;
	if (ftruncate(bench->svg_fd, 0) < 0 && errno != EINVAL)	/* it is no regular file */
		return complain_svg(bench, errno);
	out = fdopen(bench->svg_fd, "w");
	check_memory(out ? 0 : -ENOMEM);
	bench_print_svg(out, bench);
	if (ferror(out))
		err = EIO;
	if (fclose(out) < 0)
		err = errno;
	return err ? complain_svg(bench, err) : STATUS_DONE;
}

/* ---- measuring ------------------------------------------------------------------ */

static int nothing(const struct bench *bench)
{
	(void)bench;
	return STATUS_DONE;
}

/* In turns, for the machine is not the same from one second to the next. */
static int measure(const struct bench *bench)
{
	static const struct {
		bench_fn first, second;
		unsigned parts;
		bool polls;		/* on one processor nothing would come of it */
	} pairs[] = {
		{ raw_wake_first, raw_wake_second, 1, false },
		{ bus_wake_first, bus_wake_second, 1, false },
		{ raw_trip_first, raw_trip_second, 1, false },
		{ bus_trip_first, bus_trip_second, 1, false },
		{ raw_wake_first, raw_wake_second, 1, false },
		{ bus_wake_first, bus_wake_second, 1, false },
		{ raw_line_first, raw_line_second, 1, true },
		{ bus_spin_first, bus_spin_second, 2, true },
		{ bus_emit, nothing, 2, false },
		{ bus_stream_first, bus_stream_second, 3, false },
		{ raw_wake_first, raw_wake_second, 1, false },
		{ bus_wake_first, bus_wake_second, 1, false },
		{ raw_trip_first, raw_trip_second, 1, false },
		{ bus_trip_first, bus_trip_second, 1, false },
		{ raw_wake_first, raw_wake_second, 1, false },
		{ bus_wake_first, bus_wake_second, 1, false },
	};
	uint64_t part = bench->seconds * NS_PER_S / PARTS;
	int status = STATUS_DONE;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs) && !status; i++)
		if (!pairs[i].polls || bench->n_cpus > 1)
			status = bench_pair(bench, pairs[i].first, pairs[i].second,
					    pairs[i].parts * part);
	return status;
}

static int measure_guarded(const struct bench *bench)
{
	struct aioevt_shm *bus = NULL;
	int status, err;

	status = bench_guard(bench);
	if (status)
		return status;
	err = bus_open(&bench->bus, 0, &bus);
	status = err < 0 ? bus_open_trouble(&bench->bus, err) : measure(bench);
	aioevt_shm_close(bus);
	bench_finish(!status);
	return status;
}

static int print(const struct bench *bench)
{
	if (bench->svg && !strcmp(bench->svg, "-"))
		bench_print_svg(stdout, bench);
	else if (bench->json)
		bench_print_json(stdout, bench);
	else
		bench_print_text(stdout, bench);
	return finish_output();
}

int bench_main(int argc, char **argv, const struct bus_options *bus)
{
	struct bench bench = { .bus = *bus, .seconds = 10, .n_cpus = 1 };
	char name[AIOEVT_SHM_BUS_MAX + 1];
	int status, printed;
	uint32_t number;
	cpu_set_t cpus;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &bench);
	check_options(&bench);
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (uint32_t)time(NULL);
	snprintf(name, sizeof(name), "bench-%d-%08" PRIx32, (int)getpid(), number);
	bench.bus.bus = name;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		bench.n_cpus = (unsigned)CPU_COUNT(&cpus);
	bench.area = mmap(NULL, sizeof(*bench.area), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check_memory(bench.area == MAP_FAILED ? -ENOMEM : 0);

	status = open_svg(&bench);
	if (status)
		return status;
	status = measure_guarded(&bench);
	if (status)
		return status;
	printed = print(&bench);
	status = write_svg(&bench);
	return printed ? printed : status;
}
