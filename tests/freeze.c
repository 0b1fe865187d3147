/* SPDX-License-Identifier: MIT */
/* Freeze and kill: the points of an operation, and what happens at each. See freeze.h. */
#include "freeze.h"

#include <sched.h>
#include <sys/mman.h>

#define MAX_OPS		32u

/* In `make check`: this many of the points at effects, and as many of the others. */
#if FREEZE_SANITIZED
#define SAMPLE		1u
#else
#define SAMPLE		8u
#endif

struct result {
	const char *what;
	unsigned n, n_effects, n_points[FREEZE_N_MODES], n_late, n_strayed;
};

static struct result results[MAX_OPS];
static unsigned n_results;
static bool all_points;
static unsigned sample = SAMPLE;
static uint64_t dice, seed;

static const char *mode_name(enum freeze_mode mode)
{
	return mode == FREEZE_KILL ? "killed" : mode == FREEZE_STOP ? "stopped" : "overtaken";
}

/*
 * The test and its victims on one processor: a step is then a switch between two processes, and
 * not two wake-ups across processors. FREEZE_CPU says which.
 */
static void choose_cpu(void)
{
	const char *cpu = getenv("FREEZE_CPU");
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu ? atoi(cpu) : sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void freeze_begin(void)
{
	const char *given = getenv("SEED"), *all = getenv("FREEZE");

	bus_begin();
	setvbuf(stdout, NULL, _IOLBF, 0);
	all_points = all && !strcmp(all, "all");
	if (all && !all_points)
		sample = (unsigned)strtoul(all, NULL, 10);
	seed = given ? strtoull(given, NULL, 10) : 1;
	dice = seed * 2 + 1;
	freeze_told = mmap(NULL, sizeof(*freeze_told), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(freeze_told != MAP_FAILED);
}

int freeze_end(void)
{
	printf("%-44s %12s %8s %7s %8s %10s %5s\n", "operation", "instructions", "effects",
	       "killed", "stopped", "overtaken", "late");
	for (unsigned i = 0; i < n_results; i++) {
		struct result *r = &results[i];

		printf("%-44s %12u %8u %7u %8u %10u %5u\n", r->what, r->n, r->n_effects,
		       r->n_points[FREEZE_KILL], r->n_points[FREEZE_STOP],
		       r->n_points[FREEZE_OVERTAKE], r->n_late);
		if (r->n_strayed)
			printf("    %u points were not met: the operation took another way\n",
			       r->n_strayed);
	}
	if (!n_results)
		printf("none of them this time: SEED chooses\n");
	munmap(freeze_told, sizeof(*freeze_told));
	return bus_end();
}

/* ---- one point --------------------------------------------------------------------------- */

static struct freeze_place place_now;
static const char *what_now;

/* check() exits: say where. */
static void say_where(void)
{
	if (freeze_point.running && getpid() != freeze_point.pid)
		fprintf(stderr, "%s, %s at instruction %u%s\n", what_now,
			mode_name(freeze_point.mode), place_now.k,
			place_now.asleep ? ", asleep" : "");
}

static void begin_point(const struct freeze *op, enum freeze_mode mode)
{
	crew.n_late = 0;
	crew.is_held = false;
	freeze_point.mode = mode;
	freeze_point.n++;
	if (op->arrange)
		op->arrange();
	if (crew.waiter)
		crew_rest();
	victim_start(op);
}

static void end_point(const struct freeze *op, const struct census *before)
{
	/* A victim that went on must have stored into no record but its own. */
	if (crew.waiter)
		crew_victim_committed();
	if (op->after)
		op->after();
	if (!op->no_clean)
		census_check(before);
	freeze_point.running = false;
}

static void point(const struct freeze *op, const struct freeze_trace *trace,
		  struct freeze_place place, enum freeze_mode mode,
		  const struct census *before, struct result *result)
{
	place_now = place;
	begin_point(op, mode);
	freeze_point.inside = victim_bring(op, trace, place);
	if (mode == FREEZE_KILL)
		victim_kill();
	if (op->survive)
		op->survive();
	else
		crew_go_on();
	if (mode == FREEZE_STOP)
		victim_kill();
	if (mode == FREEZE_OVERTAKE)
		victim_continue(op);
	end_point(op, before);
	if (!freeze_point.inside && place.k < trace->n - 1)
		result->n_strayed++;
	else
		result->n_points[mode]++;
	result->n_late += crew.n_late;
}

/* ---- which points -------------------------------------------------------------------------- */

/* A random number below @n. */
static unsigned below(unsigned n)
{
	return (unsigned)(random_u64(&dice) >> 16) % n;
}

/* Choose @n of the points where @chosen has @from, and mark them @to. */
static void choose(unsigned char *chosen, unsigned n_all, unsigned n, unsigned char from,
		   unsigned char to)
{
	unsigned n_from = 0;

	for (unsigned k = 0; k < n_all; k++)
		n_from += chosen[k] == from;
	for (unsigned k = 0; k < n_all && n && n_from; k++) {
		if (chosen[k] != from)
			continue;
		if (below(n_from--) < n) {
			chosen[k] = to;
			n--;
		}
	}
}

enum { OTHER, AT_EFFECT, CHOSEN };

static void choose_points(const struct freeze *op, const struct freeze_trace *t,
			  unsigned char *chosen)
{
	unsigned n = sample * (op->share ? op->share : 1);

	for (unsigned k = 0; k + 1 < t->n; k++)
		chosen[k] = t->effect[k] || t->effect[k + 1] ? AT_EFFECT : OTHER;
	if (t->n)
		chosen[t->n - 1] = CHOSEN;	/* the end of it */
	if (all_points) {
		for (unsigned k = 0; k < t->n; k++)
			if (t->n <= FREEZE_LONG || chosen[k] == AT_EFFECT || t->is_edge[k] ||
			    !below(16))
				chosen[k] = CHOSEN;
		return;
	}
	choose(chosen, t->n, n, AT_EFFECT, CHOSEN);
	choose(chosen, t->n, n / 2, OTHER, CHOSEN);
}

static void run_mode(const struct freeze *op, const struct freeze_trace *t,
		     enum freeze_mode mode, const struct census *before,
		     struct result *result)
{
	unsigned char *chosen = calloc(t->n, 1);

	check(chosen != NULL);
	choose_points(op, t, chosen);
	for (unsigned k = 0; k < t->n; k++)
		if (chosen[k] == CHOSEN)
			point(op, t, (struct freeze_place){ k, false }, mode, before, result);
	for (unsigned i = 0; i < t->n_sleeps; i++)
		point(op, t, (struct freeze_place){ t->sleep_at[i], true }, mode, before,
		      result);
	free(chosen);
}

/*
 * The operation as it is, without an accident; once more, traced: what is done once only,
 * such as the raising of a high-water mark, is done then.
 */
static void trace_op(const struct freeze *op, struct census *ret_before,
		     struct freeze_trace *ret_trace)
{
	if (!op->no_clean)
		census_take(ret_before);
	begin_point(op, FREEZE_OVERTAKE);
	if (ret_trace)
		victim_trace(op, crew.bus ? crew.bus->fd : -1, ret_trace);
	freeze_point.inside = !ret_trace;
	if (op->survive)
		op->survive();
	else
		crew_go_on();
	victim_continue(op);
	end_point(op, ret_before);
}

/* Sanitizers see into one process only: a sixth of the operations, another each time. */
static bool is_chosen(void)
{
	static unsigned n_asked;

	return !FREEZE_SANITIZED || all_points || (n_asked++ + seed) % 6 == 0;
}

void freeze_run(const struct freeze *op)
{
	static bool registered;
	const char *only = getenv("FREEZE_ONLY");
	struct result *result = &results[n_results];
	struct freeze_trace trace;
	struct census before;
	uint64_t start = now_ns();

	if (only ? !strstr(op->what, only) : !is_chosen())
		return;
	if (!registered) {
		choose_cpu();
		atexit(say_where);
	}
	registered = true;
	check(n_results < MAX_OPS);
	what_now = op->what;
	trace_op(op, &before, NULL);
	trace_op(op, &before, &trace);
	result->what = op->what;
	result->n = trace.n;
	result->n_effects = trace.n_effects;
	for (enum freeze_mode mode = 0; mode < FREEZE_N_MODES; mode++)
		run_mode(op, &trace, mode, &before, result);
	n_results++;
	if (getenv("FREEZE_VERBOSE"))
		printf("%s: %.1f s\n", op->what, (double)(now_ns() - start) / 1e9);
	free(trace.pc);
	free(trace.effect);
	free(trace.from);
	free(trace.is_edge);
	free(trace.sleep_at);
}
