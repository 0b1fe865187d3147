/* Memory does not grow with the events that go through callbacks; data kept by reference stays. */
/* SPDX-License-Identifier: MIT */

#include "mgr.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	1	/* their malloc() keeps what was freed: memory is not compared */
#define N_EVENTS	200000
#define N_FIRST		100000
#define N_KEEPING	12000
#else
#define SANITIZED	0
#define N_EVENTS	10000000
#define N_FIRST		1000000
#define N_KEEPING	125000
#endif
#define KEEP_EACH	1000
#define BIG_EACH	2000	/* larger than emit keeps on the stack, and than a slot */
#define BIG		20000
#define ROOM		(1024 * 1024)
#define KEEP_PASSES	5
#define KEEP_ROOM	(256 * 1024)	/* half of what they would leak */

static char big[BIG + 1];
static struct aioevt *mgr;
static uint64_t deadline;		/* for all of it */

/* Of this process, counted page by page: statm is off by what each processor holds back. */
static long resident(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	check(file != NULL);
	while (kib < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %ld kB", &kib);
	fclose(file);
	check(kib > 0);
	return kib * 1024;
}

/* ---- through a callback -------------------------------------------------------------------- */

struct total {
	int64_t n, sum, n_big;
};

static void on_event(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	struct total *total = userdata;
	const char *text;
	size_t size;

	(void)evt;
	total->n++;
	total->sum += arg_of(data);
	check_eq(aioevt_get_text(data, 1, NULL, &text, &size), 0);
	total->n_big += size == BIG;
}

static void emit(int64_t n)
{
	const char *text = n % BIG_EACH ? "three" : big;

	check_eq(aioevt_emit_wait(mgr, "e", AIOEVT_ARGS(n, text), AIOEVT_NO_KWARGS, deadline), 0);
}

/* One thread emits and calls in turns, so that this takes no longer than it must. */
static void pass(struct aioevt_loop *loop, int64_t from, int64_t to)
{
	for (int64_t n = from; n < to; n++) {
		emit(n);
		if (n % 512 == 511)
			run_now(loop);
	}
	run_now(loop);
}

static void test_growth(void)
{
	struct aioevt_loop *loop = loop_of(mgr);
	struct total total = { 0 };
	long before, after;

	check_eq(aioevt_register(mgr, "e", on_event, &total, loop, 0, NULL), 0);
	pass(loop, 0, N_FIRST);
	before = resident();
	pass(loop, N_FIRST, N_EVENTS);
	after = resident();
	check_eq(total.n, N_EVENTS);
	check_eq(total.sum, (int64_t)N_EVENTS * (N_EVENTS - 1) / 2);
	check_eq(total.n_big, N_EVENTS / BIG_EACH);
	printf("resident after %d events %ld KiB, after %d %ld KiB\n", N_FIRST, before / 1024,
	       N_EVENTS, after / 1024);
	check(SANITIZED || after - before < ROOM);
	aioevt_loop_unref(loop);
}

/* ---- kept ---------------------------------------------------------------------------------- */

struct keeper {
	_Atomic unsigned n;
	struct aioevt_data *data[N_KEEPING / KEEP_EACH];
};

static void on_kept(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	struct keeper *keeper = userdata;

	(void)evt;
	if (arg_of(data) % KEEP_EACH)
		return;
	check(keeper->n < N_KEEPING / KEEP_EACH);
	keeper->data[keeper->n++] = aioevt_data_ref(data);
}

/* All of them are what they were, long after the callback and thousands of others. */
static void drop_all(struct keeper *keeper)
{
	check_eq(keeper->n, N_KEEPING / KEEP_EACH);
	for (unsigned i = 0; i < keeper->n; i++) {
		struct aioevt_data *data = keeper->data[i];
		int64_t n = (int64_t)i * KEEP_EACH;
		const char *text;

		check_eq(arg_of(data), n);
		check_eq(aioevt_get_text(data, 1, NULL, &text, NULL), 0);
		check_str(text, n % BIG_EACH ? "three" : big);
		check_str(aioevt_data_event(data), "e");
		aioevt_data_unref(data);
	}
	keeper->n = 0;
}

static void *run(void *loop)
{
	check_eq(aioevt_loop_run(loop), 0);
	return NULL;
}

/* With another thread that calls, as it is in life; dropped by this one. */
static void keep(struct keeper *keeper)
{
	struct aioevt_loop *loop = loop_of(mgr);
	struct aioevt_data *data;
	pthread_t thread;

	check_eq(aioevt_register(mgr, "e", on_kept, keeper, loop, 0, NULL), 0);
	check_eq(pthread_create(&thread, NULL, run, loop), 0);
	for (int64_t n = 0; n < N_KEEPING; n++)
		emit(n);
	check_eq(aioevt_last(mgr, "e", &data), 0);
	check_eq(arg_of(data), N_KEEPING - 1);
	aioevt_data_unref(data);
	await(&keeper->n, N_KEEPING / KEEP_EACH);
	aioevt_loop_stop(loop);
	pthread_join(thread, NULL);
	aioevt_loop_unref(loop);
	drop_all(keeper);
}

static void test_keep(void)
{
	static struct keeper keeper;
	long before, after;

	keep(&keeper);
	before = resident();
	for (int i = 1; i < KEEP_PASSES; i++)
		keep(&keeper);
	after = resident();
	printf("resident after %d kept events %ld KiB, after %d times that %ld KiB\n",
	       N_KEEPING / KEEP_EACH, before / 1024, KEEP_PASSES, after / 1024);
	check(SANITIZED || after - before < KEEP_ROOM);
}

int main(void)
{
	bus_begin();
	memset(big, 'b', BIG);
	mgr = mgr_open();
	deadline = aioevt_in_ms(100000);
	test_growth();
	test_keep();
	aioevt_close(mgr);
	return bus_end();
}
