/* SPDX-License-Identifier: MIT */
/*
 * A wake that is meant for one loop or wait wakes no other sleeper of the same event, and a loop
 * that stops itself wakes nobody. The context switches of processes that sleep on it are counted.
 */

#include <sys/mman.h>

#include "mgr.h"

#include "listener.h"

#define N		8u		/* other processes */
#define N_TIMES		50u
#define N_RECORDS	30u

static struct child others[N];
static _Atomic unsigned *n_runs;	/* of all of them */

/* ---- the other processes -------------------------------------------------------------------- */

static void stop_it(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)data, (void)arg;
	aioevt_loop_stop(aioevt_evt_loop(evt));
}

/* Stop after each record, and run again. */
static int run_again(struct child *me, void *arg)
{
	struct aioevt *mgr = mgr_open();
	struct aioevt_loop *loop = loop_of(mgr);

	(void)arg;
	check_eq(aioevt_register(mgr, "x", stop_it, NULL, loop, 0, NULL), 0);
	say(me, 'r');
	while (!aioevt_loop_run(loop))
		++*n_runs;
	return 1;
}

static unsigned long switches_of(pid_t pid)
{
	unsigned long n = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	check(file != NULL);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "voluntary_ctxt_switches: %lu", &n);
	fclose(file);
	return n;
}

/* Once all of them sleep. */
static unsigned long count_switches(void)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < N; i++)
		await_sleeper(others[i].pid);
	for (unsigned i = 0; i < N; i++)
		n += switches_of(others[i].pid);
	return n;
}

/* At most @most since @before at @start, beside what re-checks and coming to rest cost. */
static void check_switches(const char *what, unsigned long before, uint64_t start, unsigned long most)
{
	unsigned long n = count_switches() - before;

	most += N * (2 + (now_ns() - start) / (1000 * MS));
	fprintf(stderr, "%s: %lu context switches of %u others, at most %lu\n", what, n, N, most);
	check(n <= most);
}

/* ---- here ------------------------------------------------------------------------------------- */

static struct aioevt *mgr;
static struct aioevt_loop *loop;
static _Atomic unsigned n_returns, is_over;

static void on_nothing(struct aioevt_evt *evt, struct aioevt_data *data, void *arg)
{
	(void)evt, (void)data, (void)arg;
}

static void *run_until_over(void *arg)
{
	(void)arg;
	while (!is_over) {
		check_eq(aioevt_loop_run(loop), 0);
		n_returns++;
	}
	return NULL;
}

static void stop_loop(void)
{
	unsigned n = n_returns;

	aioevt_loop_stop(loop);
	await(&n_returns, n + 1);
}

/* A loop that sleeps has to look at the deadline. */
static void wake_loop(void)
{
	struct aioevt_evt *evt;

	check_eq(aioevt_wait_on(mgr, "x", aioevt_in_ms(60000), on_nothing, NULL, loop, &evt), 0);
	check_eq(aioevt_evt_unregister(evt), 1);
	aioevt_evt_unref(evt);
}

static void *wait_for_it(void *other)
{
	check_eq(aioevt_wait(other, "x", AIOEVT_FOREVER, NULL), -ESHUTDOWN);
	return NULL;
}

static void end_wait(void)
{
	struct aioevt *other = mgr_open();
	pthread_t thread;

	check_eq(pthread_create(&thread, NULL, wait_for_it, other), 0);
	await_sleeper(getpid());
	aioevt_close(other);
	pthread_join(thread, NULL);
}

static void test_one(const char *what, void (*wake)(void), bool has_runner)
{
	unsigned long before;
	pthread_t runner;
	uint64_t start;

	is_over = 0;
	if (has_runner)
		check_eq(pthread_create(&runner, NULL, run_until_over, NULL), 0);
	start = now_ns();
	before = count_switches();
	for (unsigned i = 0; i < N_TIMES; i++) {
		if (has_runner)
			await_sleeper(getpid());
		wake();
	}
	check_switches(what, before, start, 0);
	if (!has_runner)
		return;
	is_over = 1;
	aioevt_loop_stop(loop);
	pthread_join(runner, NULL);
}

/* Each sleeps once for a record; of those that stop nobody wakes another. */
static void test_records(void)
{
	unsigned n = *n_runs;
	unsigned long before = count_switches();
	uint64_t start = now_ns();

	for (unsigned i = 1; i <= N_RECORDS; i++) {
		check_eq(aioevt_emit(mgr, "x", AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS), 0);
		await(n_runs, n + i * N);
		for (unsigned k = 0; k < N; k++)
			await_sleeper(others[k].pid);
	}
	check_switches("stopped inside", before, start, N * N_RECORDS * 3 / 2);
}

/* They do share a bell: who rings it wakes all. */
static void test_shared(void)
{
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_event *event = event_of(bus, "x");
	unsigned long before = count_switches();
	uint64_t limit = in_ms(20000);

	bell_ring(&event->map->event->bell, N);
	while (count_switches() < before + N)
		check(now_ns() < limit);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
}

int main(void)
{
	bus_begin();
	n_runs = mmap(NULL, sizeof(*n_runs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(n_runs != MAP_FAILED);
	for (unsigned i = 0; i < N; i++)
		others[i] = spawn(run_again, NULL);
	for (unsigned i = 0; i < N; i++)
		check_eq(hear(&others[i]), 'r');
	mgr = mgr_open();
	loop = loop_of(mgr);
	check_eq(aioevt_register(mgr, "x", on_nothing, NULL, loop, 0, NULL), 0);
	test_records();		/* who slept on a bell of its own has woken since */
	test_shared();
	test_one("stopped", stop_loop, true);
	test_one("woken", wake_loop, true);
	test_one("wait ended", end_wait, false);
	for (unsigned i = 0; i < N; i++)
		kill_child(&others[i]);
	aioevt_loop_unref(loop);
	aioevt_close(mgr);
	munmap(n_runs, sizeof(*n_runs));
	return bus_end();
}
