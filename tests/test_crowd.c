/* SPDX-License-Identifier: MIT */
/* A thousand waiters served by one emit; names without end (BIG=1: a million) in steady memory. */

#include "bus.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	1
#else
#define SANITIZED	0
#endif

#define N_WAITERS	1000

/* ---- as processes -------------------------------------------------------------------------- */

static char state_of(pid_t pid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return '?';
	if (fscanf(file, "%*d %*s %c", &state) != 1)
		state = '?';
	fclose(file);
	return state;
}

/* Waits for one record, and for no second one. */
static int wait_for_one(int ready)
{
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "crowd", 0), *got;
	struct aioevt_shm_record record;
	uint64_t value = 0;

	check_eq(write(ready, "r", 1), 1);
	check_eq(aioevt_shm_wait(listener, in_ms(50000), &got), 0);
	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(value, 4711);
	check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

static void test_processes(void)
{
	static pid_t pid[N_WAITERS];
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_event *event = event_of(bus, "crowd");
	struct aioevt_shm_event_info info;
	int ready[2], status;
	char c;

	check_eq(pipe(ready), 0);
	for (int i = 0; i < N_WAITERS; i++) {
		pid[i] = fork();
		check(pid[i] >= 0);
		if (!pid[i]) {
			alarm(60);
			_exit(wait_for_one(ready[1]));
		}
	}
	for (int i = 0; i < N_WAITERS; i++)
		check_eq(read(ready[0], &c, 1), 1);
	for (int i = 0; i < N_WAITERS; i++)
		while (state_of(pid[i]) != 'S')
			pass_ms(1);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_listeners, N_WAITERS);
	emit_u64(event, 4711);
	for (int i = 0; i < N_WAITERS; i++) {
		check_eq(waitpid(pid[i], &status, 0), pid[i]);
		check_eq(status, 0);
	}
	close(ready[0]);
	close(ready[1]);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_listeners, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- as threads, each with a bus of its own ---------------------------------------------------- */

static _Atomic int n_ready, n_served;

static void *wait_in_thread(void *arg)
{
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "crowd", (uint32_t)(uintptr_t)arg), *got;
	struct aioevt_shm_record record;
	uint64_t value = 0;

	atomic_fetch_add(&n_ready, 1);
	check_eq(aioevt_shm_wait(listener, in_ms(60000), &got), 0);
	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(value, 4711);
	atomic_fetch_add(&n_served, 1);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return NULL;
}

static void test_threads(int n)
{
	static pthread_t thread[N_WAITERS];
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_event *event = event_of(bus, "crowd");
	struct aioevt_shm_info info;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < n; i++)
		check_eq(pthread_create(&thread[i], &attr, wait_in_thread,
					(void *)(uintptr_t)(i % 2 ? AIOEVT_SHM_RELIABLE : 0)), 0);
	while (atomic_load(&n_ready) < n)
		pass_ms(1);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, n + 1);
	emit_u64(event, 4711);
	for (int i = 0; i < n; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	check_eq(atomic_load(&n_served), n);
	pthread_attr_destroy(&attr);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- names ---------------------------------------------------------------------------------------- */

static uint64_t resident(void)
{
	unsigned long pages;
	FILE *file = fopen("/proc/self/statm", "r");

	check(file != NULL);
	check_eq(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages * 4096;
}

/*
 * One name for each job, with a result of a few pages now and then. After the first thousand
 * neither the file nor the process takes more, and each has all it said until then.
 */
static void test_names(unsigned n)
{
	static char result[10000];
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_event *kept = event_of(bus, "kept");
	struct aioevt_shm_info info;
	uint64_t memory = 0, own = 0;
	char name[32];

	emit_u64(kept, 1);
	for (unsigned i = 1; i <= n; i++) {
		struct aioevt_shm_event *event;
		uint64_t seq = 0;

		sprintf(name, "job.%u.done", i);
		event = event_of(bus, name);
		check_eq(aioevt_shm_emit(event, result, i % 8 ? 8 : sizeof(result), &seq), 0);
		check(seq >= 1);
		aioevt_shm_event_close(event);
		if (i % 1000)
			continue;
		check_eq(aioevt_shm_get_info(bus, &info), 0);
		if (i == 1000) {
			memory = info.memory;
			own = resident();
		}
		check(info.memory <= memory + (1 << 20));
		check(SANITIZED || resident() <= own + (4 << 20));
	}
	check_eq(emit_u64(kept, 2), 2);
	aioevt_shm_event_close(kept);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static bool raise_limit(void)
{
	struct rlimit limit;

	check_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < N_WAITERS + 100)
		limit.rlim_cur = limit.rlim_max;
	return !setrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur >= N_WAITERS + 100;
}

int main(void)
{
	bool big = getenv("BIG") != NULL;
	uint64_t began = now_ns();

	bus_begin();
	alarm(big ? 3600 : 110);
	if (!SANITIZED)
		test_processes();
	fprintf(stderr, "processes: %.1f s\n", (double)(now_ns() - began) / 1e9);
	began = now_ns();
	if (raise_limit())
		test_threads(SANITIZED ? N_WAITERS / 8 : N_WAITERS);
	else
		fprintf(stderr, "RLIMIT_NOFILE forbids %d threads with buses\n", N_WAITERS);
	fprintf(stderr, "threads: %.1f s\n", (double)(now_ns() - began) / 1e9);
	began = now_ns();
	test_names(big ? 1000000 : SANITIZED ? 2000 : 4000);
	fprintf(stderr, "names: %.1f s\n", (double)(now_ns() - began) / 1e9);
	return bus_end();
}
