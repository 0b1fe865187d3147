/* SPDX-License-Identifier: MIT */
/* RLIMIT_NOFILE and RLIMIT_AS, from nothing upward, at each call: errors, no leak, others go on. */

#include "bus.h"

#include <malloc.h>
#include <sys/resource.h>

#include "../shm/bus.h"

#define DEPTH	8u
#define N_STEPS	9u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	1	/* they map terabytes: no limit on that */
#else
#define SANITIZED	0
#endif

struct run {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event, *other;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
};

static char large[20000];

/* Returns what the step says. Those that lack what they need are as good as refused. */
static int step(struct run *run, unsigned i)
{
	struct aioevt_shm_config config = bus_config(64, 64, DEPTH);
	struct aioevt_shm_event_info event_info;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *got;
	int r;

	config.inline_size = 30000;	/* so that a ring takes memory that can be seen */
	if (!i)
		return aioevt_shm_open(NULL, &config, 0, &run->bus);
	if (!run->bus || (i == 3 && !run->listener) || (i > 3 && i < 8 && !run->event) ||
	    (i == 7 && !run->sub))
		return -ENOMEM;
	switch (i) {
	case 1:
		return aioevt_shm_event_open(run->bus, "e", 0, &run->event);
	case 2:
		return aioevt_shm_listener_new(run->bus, &run->listener);
	case 3:
		return aioevt_shm_listen(run->listener, "e", AIOEVT_SHM_RELIABLE,
					 AIOEVT_SHM_FROM_NEW, 0, &run->sub);
	case 4:
		return aioevt_shm_emit(run->event, large, sizeof(large), NULL);
	case 5:
		return aioevt_shm_event_grow(run->event, 16);
	case 6:
		return aioevt_shm_event_get_info(run->event, &event_info);
	case 7:
		r = aioevt_shm_wait(run->listener, in_ms(20), &got);
		if (!r)
			r = aioevt_shm_read(run->sub, &record, 1, large, sizeof(large));
		/* nothing was emitted, if that was refused */
		return r > 0 || r == -ETIMEDOUT ? 0 : r;
	default:
		r = aioevt_shm_event_remove(run->bus, "e");
		if (!r || r == -ENOENT)
			r = aioevt_shm_event_open(run->bus, "other", 0, &run->other);
		return r;
	}
}

static void close_all(struct run *run)
{
	aioevt_shm_listener_free(run->listener);
	aioevt_shm_event_close(run->event);
	aioevt_shm_event_close(run->other);
	aioevt_shm_close(run->bus);
	*run = (struct run){ 0 };
}

static uint64_t address_space(void)
{
	unsigned long pages;
	FILE *file = fopen("/proc/self/statm", "r");

	check(file != NULL);
	check_eq(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return pages * 4096;
}

/* With the limit from before step @from on. Returns how many were refused. */
static unsigned run_with(int resource, uint64_t limit, unsigned from, int expected)
{
	struct rlimit before, small;
	struct run run = { 0 };
	unsigned n_refused = 0;
	int r;

	check_eq(getrlimit(resource, &before), 0);
	small = before;
	small.rlim_cur = limit;
	for (unsigned i = 0; i < N_STEPS; i++) {
		if (i == from) {
			if (resource == RLIMIT_AS)
				small.rlim_cur = address_space() + limit;
			check_eq(setrlimit(resource, &small), 0);
		}
		r = step(&run, i);
		if (i < from)
			check_eq(r, 0);
		if (r && r != expected && r != -ENOMEM) {
			setrlimit(resource, &before);
			fprintf(stderr, "step %u from %u, limit %" PRIu64 ": %d\n", i, from, limit, r);
		}
		check(!r || r == expected || r == -ENOMEM);
		n_refused += r != 0;
	}
	check_eq(setrlimit(resource, &before), 0);
	close_all(&run);
	return n_refused;
}

/* Somebody else on the bus, who has no limit, goes on; and nothing is left on it. */
static void check_others(struct aioevt_shm *bus)
{
	struct aioevt_shm_event *event = event_of(bus, "e");
	struct aioevt_shm_info info;

	for (unsigned i = 0; i < 3 * DEPTH; i++)
		check_eq(aioevt_shm_emit(event, "x", 1, NULL), 0);
	aioevt_shm_event_close(event);
	check_eq(aioevt_shm_event_remove(bus, "e"), 0);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	event = event_of(bus, "other");
	aioevt_shm_event_close(event);
	check_eq(aioevt_shm_event_remove(bus, "other"), 0);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.events_used, 0);
	check_eq(info.memory, bus->lo.tables_end);
}

static void test_descriptors(struct aioevt_shm *bus)
{
	uint64_t n = 0;
	unsigned refused;

	do {
		refused = run_with(RLIMIT_NOFILE, n, 0, -EMFILE);
		check_eq(refused, refused ? N_STEPS : 0);	/* all hang on the one descriptor */
		check_others(bus);
	} while (refused && ++n < 64);
	check_eq(refused, 0);
	check(n > 3);
	/* an open bus needs none any more */
	check_eq(run_with(RLIMIT_NOFILE, 0, 1, -EMFILE), 0);
	check_others(bus);
}

static void test_address_space(struct aioevt_shm *bus, unsigned from)
{
	uint64_t n = 0, before;
	unsigned refused, n_rounds = 0;

	/* One round, and the heap has what it takes. */
	run_with(RLIMIT_AS, UINT64_C(1) << 30, from, 0);
	do {
		before = address_space();
		refused = run_with(RLIMIT_AS, n, from, -ENOMEM);
		check(address_space() <= before + 65536);
		check_others(bus);
		n += n < 65536 ? 4096 : 32768;
		n_rounds++;
	} while (refused && n < UINT64_C(64) << 20);
	check_eq(refused, 0);
	if (from < 6)
		check(n_rounds > 4);
}

int main(void)
{
	struct aioevt_shm_config config = bus_config(64, 64, DEPTH);
	struct aioevt_shm *bus;

	bus_begin();
	alarm(100);
	/* small pieces too come from new pages, and go back to the system */
	mallopt(M_MMAP_THRESHOLD, 1024);
	mallopt(M_TRIM_THRESHOLD, 0);
	mallopt(M_TOP_PAD, 0);
	config.inline_size = 30000;
	bus = bus_open(&config);
	test_descriptors(bus);
	for (unsigned from = 0; from < N_STEPS && !SANITIZED; from++)
		test_address_space(bus, from);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	return bus_end();
}
