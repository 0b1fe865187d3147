/* SPDX-License-Identifier: MIT */
/* One process writes junk all over a bus while others use it: errors, but no crash, no hang. */

#include "bus.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../shm/bus.h"
#include "../shm/event-map-internal.h"
#include "../shm/layout-compute.h"
#include "../shm/listener.h"
#include "../shm/port.h"

#define N_WORKERS	6u
#define N_NAMES		12u
#define RUN_MS		6000u		/* in all */
#define ROUND_MS	250u		/* with one bus */
#define STUCK_MS	10000u		/* a call that takes longer hangs */
#define MEMORY_MAX	(UINT64_C(256) << 20)
#define PAYLOAD_MAX	20000u

/* What the parent sees of a worker: one line each, not on the bus. */
struct desk {
	alignas(64) _Atomic uint64_t since;	/* when the call began, 0: in none */
	_Atomic(const char *) call;
	_Atomic uint64_t n_done, n_failed;	/* calls that did what was asked, and errors */
};

struct shared {
	struct desk desks[N_WORKERS];
	_Atomic uint32_t stop;			/* the round is over */
	_Atomic uint64_t n_pokes;
};

static struct shared *shared;
static uint64_t seed;

/* In a worker. */
static struct desk *desk;
static uint64_t dice;

static uint64_t roll(uint64_t n)
{
	return random_u64(&dice) % n;
}

static int called(int err)
{
	atomic_store(&desk->since, 0);
	atomic_fetch_add(err >= 0 ? &desk->n_done : &desk->n_failed, 1);
	return err;
}

#define CALL(expression) \
	(atomic_store(&desk->call, #expression), atomic_store(&desk->since, now_ns()), \
	 called(expression))

static bool is_over(void)
{
	return atomic_load(&shared->stop);
}

static const char *some_name(char *name)
{
	sprintf(name, roll(2) ? "s.%u" : "t.x%u", (unsigned)roll(N_NAMES));
	return name;
}

/* ---- the workers ------------------------------------------------------------------------- */

static unsigned char payload[PAYLOAD_MAX];

static void use_event(struct aioevt_shm *bus)
{
	static const size_t sizes[] = { 0, 8, 104, 105, 5000, PAYLOAD_MAX };
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_event_info info;
	char name[32];

	if (CALL(aioevt_shm_event_open(bus, some_name(name), 0, &event)) < 0)
		return;
	for (int i = 0; i < 20 && !is_over(); i++) {
		size_t size = sizes[roll(6)];

		if (roll(8))
			CALL(aioevt_shm_emit(event, payload, size, NULL));
		else
			CALL(aioevt_shm_emit_wait(event, payload, size, in_ms(2), NULL));
	}
	CALL(aioevt_shm_event_get_info(event, &info));
	if (!roll(8))
		CALL(aioevt_shm_event_grow(event, 8u << roll(5)));
	atomic_store(&desk->call, "aioevt_shm_event_close");
	atomic_store(&desk->since, now_ns());
	aioevt_shm_event_close(event);
	called(0);
	if (!roll(8))
		CALL(aioevt_shm_event_remove(bus, some_name(name)));
}

static void read_all(struct aioevt_shm_listener *l)
{
	static _Alignas(8) unsigned char buf[2 * PAYLOAD_MAX];
	struct aioevt_shm_record records[16];
	struct aioevt_shm_sub *sub;

	for (int i = 0; i < 30 && !is_over(); i++) {
		if (CALL(aioevt_shm_wait(l, roll(4) ? 0 : in_ms(roll(5)), &sub)) < 0)
			continue;
		check(aioevt_shm_name_check(aioevt_shm_sub_name(sub),
					    strlen(aioevt_shm_sub_name(sub)), NULL, NULL) == 0);
		CALL(aioevt_shm_read(sub, records, 16, buf, sizeof(buf)));
	}
}

static void use_listener(struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *l = NULL;
	char name[32];

	if (CALL(aioevt_shm_listener_new(bus, &l)) < 0)
		return;
	for (uint64_t n = roll(8); n; n--)
		CALL(aioevt_shm_listen(l, roll(5) ? some_name(name) : roll(2) ? ">" : "s.*",
				       roll(3) ? 0 : AIOEVT_SHM_RELIABLE,
				       (enum aioevt_shm_from)roll(4), roll(10), NULL));
	read_all(l);
	atomic_store(&desk->call, "aioevt_shm_listener_free");
	atomic_store(&desk->since, now_ns());
	aioevt_shm_listener_free(l);
	called(0);
}

static void list(struct aioevt_shm *bus)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_shm_info info;
	uint32_t walk = 0, n = 0;

	CALL(aioevt_shm_get_info(bus, &info));
	while (CALL(aioevt_shm_event_next(bus, &walk, name)) == 1)
		check(++n <= 64 && !aioevt_shm_name_check(name, strlen(name), NULL, NULL));
	bus_lock(bus);
	CALL(port_reap_all(bus));
	bus_unlock(bus);
}

/* Go without closing: the port is dead, and what it held is for others to clean up. */
static void leave_behind(struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *l = NULL;
	struct aioevt_shm_event *event = NULL;
	char name[32];

	CALL(aioevt_shm_event_open(bus, some_name(name), 0, &event));
	if (event)
		CALL(aioevt_shm_emit(event, payload, roll(PAYLOAD_MAX), NULL));
	if (!CALL(aioevt_shm_listener_new(bus, &l)))
		CALL(aioevt_shm_listen(l, some_name(name), AIOEVT_SHM_RELIABLE,
				       AIOEVT_SHM_FROM_LAST, 2, NULL));
}

/* Attach, do some of all, detach. */
static void attach_once(void)
{
	struct aioevt_shm *bus = NULL;

	if (CALL(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &bus)) < 0)
		return;
	for (uint64_t n = roll(16); n && !is_over(); n--)
		switch (roll(4)) {
		case 0:
			list(bus);
			break;
		case 1:
			use_listener(bus);
			break;
		default:
			use_event(bus);
			break;
		}
	if (!roll(8))
		leave_behind(bus);
	atomic_store(&desk->call, "aioevt_shm_close");
	atomic_store(&desk->since, now_ns());
	aioevt_shm_close(bus);
	called(0);
}

static int work(struct child *me, void *arg)
{
	unsigned k = (unsigned)(uintptr_t)arg;

	(void)me;
	desk = &shared->desks[k];
	dice = seed * 1000 + k * 77 + 1;
	while (!is_over())
		attach_once();
	return 0;
}

/* ---- the scribbler ------------------------------------------------------------------------ */

static const uint64_t special[] = {
	0, 1, 2, 3, 4, 5, 63, 64, UINT32_MAX, UINT64_C(1) << 32, (UINT64_C(1) << 52) - 1,
	UINT64_C(1) << 56, UINT64_MAX, 0x10003, 0x10014,
};

/* A value that takes somebody somewhere. */
static uint64_t plausible(int fd, uint64_t old, uint64_t size)
{
	uint64_t other = 0;

	switch (roll(6)) {
	case 0:
		return special[roll(sizeof(special) / sizeof(special[0]))];
	case 1:
		return old + roll(5) - 2;
	case 2:
		return old ^ UINT64_C(1) << roll(64);
	case 3:
		if (pread(fd, &other, 8, (off_t)(roll(size / 8) * 8)) != 8)
			return 0;
		return other;
	case 4:
		return slot_word(slot_lap(old) + roll(3) - 1, (uint32_t)roll(70),
				 (uint32_t)roll(8), roll(2));
	default:
		return random_u64(&dice);
	}
}

/* Words of the tables, and what stands at the start of each region. */
static uint64_t some_place(const struct layout *lo, uint64_t size)
{
	uint64_t n_regions = (size - lo->tables_end) / REGION_ALIGN;

	switch (roll(n_regions ? 6 : 4)) {
	case 0:
		return 128 + roll(16) * 8;
	case 1:
		return lo->patterns + roll((lo->ports - lo->patterns) / 8) * 8;
	case 2:
		return lo->events + roll(16) * lo->event_stride + roll(lo->event_stride / 8) * 8;
	case 3:
		return roll(lo->tables_end / 8) * 8;
	default:
		return lo->tables_end + roll(n_regions) * REGION_ALIGN + roll(512) * 8;
	}
}

static int scribble(struct child *me, void *arg)
{
	const uint64_t pause_us = (uint64_t)(uintptr_t)arg;
	struct timespec pause = { .tv_nsec = (long)(pause_us * 1000) };
	struct bus_header header;
	struct layout lo;
	struct stat st;
	int fd = open(bus_path(), O_RDWR | O_CLOEXEC);

	(void)me;
	dice = seed * 1000 + 999;
	check(fd >= 0);
	check_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	check_eq(layout_from_header(&header, &lo), 0);
	while (!is_over()) {
		uint64_t size, at, value = 0;

		check_eq(fstat(fd, &st), 0);
		size = (uint64_t)st.st_size < 4 << 20 ? (uint64_t)st.st_size : 4 << 20;
		at = some_place(&lo, size);
		check_eq(pread(fd, &value, 8, (off_t)at), 8);
		value = plausible(fd, value, size);
		check_eq(pwrite(fd, &value, roll(4) ? 8 : 1 + roll(7), (off_t)at) > 0, 1);
		atomic_fetch_add(&shared->n_pokes, 1);
		if (pause_us)
			nanosleep(&pause, NULL);
	}
	return 0;
}

/* ---- watching ----------------------------------------------------------------------------- */

static void report(const char *what)
{
	fprintf(stderr, "SEED=%" PRIu64 ": %s\n", seed, what);
}

/* Is a worker in a call for too long? */
static void check_calls(const struct child *workers)
{
	for (unsigned k = 0; k < N_WORKERS; k++) {
		const struct desk *d = &shared->desks[k];
		uint64_t since = atomic_load(&d->since), now = now_ns();

		if (!since || now < since || now - since < STUCK_MS * MS)
			continue;
		report(atomic_load(&d->call));
		fprintf(stderr, "does not return since %" PRIu64 " ms\n", (now - since) / MS);
		kill(workers[k].pid, SIGABRT);
		check(!"a call that hangs");
	}
}

static void end_worker(struct child *worker, struct child *workers)
{
	uint64_t until = in_ms(3 * STUCK_MS);
	int status;
	pid_t pid;

	while (!(pid = waitpid(worker->pid, &status, WNOHANG)) && now_ns() < until) {
		check_calls(workers);
		pass_ms(1);
	}
	check_eq(pid, worker->pid);
	close(worker->in);
	close(worker->out);
	if (status) {
		unsigned k = (unsigned)(worker - workers);

		report(k < N_WORKERS ? atomic_load(&shared->desks[k].call) : "the scribbler");
		fprintf(stderr, "status %#x\n", (unsigned)status);
	}
	check_eq(status, 0);
}

/* One bus, scribbled on as fast as @pause_us allows. */
static void run_round(unsigned n, uint64_t pause_us)
{
	struct aioevt_shm_config config = bus_config(64, 64, 8);
	struct child workers[N_WORKERS + 1];
	struct aioevt_shm *bus;
	struct stat st;
	char name[32];
	uint64_t until;

	config.ring_budget = 1 << 20;
	config.max_payload = PAYLOAD_MAX;
	snprintf(name, sizeof(name), "scribble%u", n);
	bus_rename(name);
	bus = bus_open(&config);
	atomic_store(&shared->stop, 0);
	for (unsigned k = 0; k < N_WORKERS; k++)
		workers[k] = spawn(work, (void *)(uintptr_t)k);
	workers[N_WORKERS] = spawn(scribble, (void *)(uintptr_t)pause_us);
	for (until = in_ms(ROUND_MS); now_ns() < until; pass_ms(5))
		check_calls(workers);
	atomic_store(&shared->stop, 1);
	for (unsigned k = 0; k <= N_WORKERS; k++)
		end_worker(&workers[k], workers);
	check_eq(stat(bus_path(), &st), 0);
	check((uint64_t)st.st_blocks * 512 < MEMORY_MAX);
	aioevt_shm_close(bus);
	check_eq(unlink(bus_file), 0);
}

int main(void)
{
	static const uint64_t pauses[] = { 2000, 500, 100, 20, 0 };
	uint64_t until = in_ms(RUN_MS), done = 0, failed = 0;
	unsigned n = 0;

	bus_begin();
	alarm(110);
	seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : now_ns();
	printf("SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	check(shared != MAP_FAILED);
	for (; n < 5 || now_ns() < until; n++, seed++)
		run_round(n, pauses[n % 5]);
	for (unsigned k = 0; k < N_WORKERS; k++) {
		done += atomic_load(&shared->desks[k].n_done);
		failed += atomic_load(&shared->desks[k].n_failed);
	}
	printf("%u buses, %" PRIu64 " words overwritten, %" PRIu64 " calls done, %" PRIu64
	       " refused\n", n, atomic_load(&shared->n_pokes), done, failed);
	check(atomic_load(&shared->n_pokes) > 100);
	check(done > 100);
	check(failed > 0);
	munmap(shared, sizeof(*shared));
	return bus_end();
}
