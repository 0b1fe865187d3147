/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: emitters, lossy and reliable readers, growth, creation and removal of
 * events. Records describe themselves, so that one that is torn, lost, doubled or out of
 * order shows. Each role has its own bus handle; first as processes, then as threads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aioevt-shm.h"
#include "sweep.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define N_RECORDS	4000u
#else
#define N_RECORDS	60000u
#endif
#define N_WRITERS	2
#define MAX_SIZE	3000u
#define LAST		UINT64_MAX
#define EVENT		"stress.main"

struct payload {
	uint64_t writer, n, size;
	unsigned char fill[MAX_SIZE - 24];
};

struct role {
	int (*run)(struct role *role);
	unsigned id;
	unsigned seed;
	pthread_t thread;
	pid_t pid;
};

static unsigned char filling(const struct payload *p, size_t i)
{
	return (unsigned char)(p->writer * 131 + p->n * 7 + i);
}

static size_t make(struct payload *p, uint64_t writer, uint64_t n, unsigned *seed)
{
	/* mostly inline, some over it, some over a page's half */
	unsigned r = (unsigned)rand_r(seed) % 16;

	p->writer = writer;
	p->n = n;
	p->size = r < 12 ? 24 + (unsigned)rand_r(seed) % 80 :
		  24 + (unsigned)rand_r(seed) % (MAX_SIZE - 24);
	for (size_t i = 0; i < p->size - 24; i++)
		p->fill[i] = filling(p, i);
	return p->size;
}

static const struct payload *check_payload(const struct aioevt_shm_record *record)
{
	const struct payload *p = record->data;

	check(record->size >= 24);
	check_eq(p->size, record->size);
	for (size_t i = 0; i < p->size - 24; i++)
		if (p->fill[i] != filling(p, i))
			check_eq(p->fill[i], filling(p, i));
	return p;
}

static struct aioevt_shm *open_bus(void)
{
	struct aioevt_shm *bus;

	check_eq(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &bus), 0);
	return bus;
}

/* ---- roles -------------------------------------------------------------------------- */

static int write_records(struct role *role)
{
	struct aioevt_shm *bus = open_bus();
	struct aioevt_shm_event *ev;
	struct payload *p = calloc(1, sizeof(*p));

	check_eq(aioevt_shm_event_open(bus, EVENT, 0, &ev), 0);
	for (uint64_t n = 0; n <= N_RECORDS; n++) {
		size_t size = make(p, role->id, n < N_RECORDS ? n : LAST, &role->seed);

		check_eq(aioevt_shm_emit_wait(ev, p, size, AIOEVT_SHM_NO_DEADLINE, NULL), 0);
	}
	free(p);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	return 0;
}

struct reading {
	uint64_t last_seq, missed, n_read;
	uint64_t next[N_WRITERS];
	unsigned ended;
};

static void check_order(struct reading *r, const struct aioevt_shm_record *record,
			bool reliable)
{
	const struct payload *p = check_payload(record);

	check(record->seq > r->last_seq);
	check(p->writer < N_WRITERS);
	check(p->n >= r->next[p->writer]);
	if (reliable)
		check(p->n == r->next[p->writer] ||
		      (p->n == LAST && r->next[p->writer] == N_RECORDS));
	r->next[p->writer] = p->n + (p->n != LAST);
	r->ended += p->n == LAST;
	r->last_seq = record->seq;
	r->missed += record->missed;
	r->n_read++;
}

static int ready_fd[2];

static void read_all(struct role *role, bool reliable)
{
	struct aioevt_shm *bus = open_bus();
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_record records[16];
	struct reading reading = { 0 };
	unsigned char *buf = aligned_alloc(8, 16 * MAX_SIZE);

	check_eq(aioevt_shm_listener_new(bus, &l), 0);
	check_eq(aioevt_shm_listen(l, EVENT, reliable ? AIOEVT_SHM_RELIABLE : 0,
				   AIOEVT_SHM_FROM_NEW, 0, &sub), 0);
	check_eq(write(ready_fd[1], "r", 1), 1);
	/* A lossy reader knows that it is over when all are accounted for. */
	while (reliable ? reading.ended < N_WRITERS :
	       reading.n_read + reading.missed < N_WRITERS * (N_RECORDS + 1)) {
		int n = aioevt_shm_read(sub, records, 1 + (unsigned)rand_r(&role->seed) % 16,
					buf, 16 * MAX_SIZE);

		check(n >= 0);
		for (int i = 0; i < n; i++)
			check_order(&reading, &records[i], reliable);
		if (!n)
			check_eq(aioevt_shm_wait(l, AIOEVT_SHM_NO_DEADLINE, &sub), 0);
	}
	check_eq(reading.n_read + reading.missed, N_WRITERS * (N_RECORDS + 1));
	if (reliable)
		check_eq(reading.missed, 0);
	free(buf);
	aioevt_shm_listener_free(l);
	aioevt_shm_close(bus);
}

static int read_reliable(struct role *role)
{
	read_all(role, true);
	return 0;
}

static int read_lossy(struct role *role)
{
	read_all(role, false);
	return 0;
}

/* Grow the event while it is written to. */
static int grow(struct role *role)
{
	struct aioevt_shm *bus = open_bus();
	struct aioevt_shm_event *ev;
	struct aioevt_shm_event_info info = { 0 };

	(void)role;
	check_eq(aioevt_shm_event_open(bus, EVENT, 0, &ev), 0);
	for (uint64_t part = 1; part <= 3; part++) {
		while (info.n_records < part * N_RECORDS / 3) {
			check_eq(aioevt_shm_event_get_info(ev, &info), 0);
			usleep(100);
		}
		check_eq(aioevt_shm_event_grow(ev, 64u << part), 0);
	}
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	return 0;
}

/* Make, use and remove events, of names that others make and remove too. */
static int churn(struct role *role)
{
	struct aioevt_shm *bus = open_bus();

	for (unsigned i = 0; i < N_RECORDS / 20; i++) {
		struct aioevt_shm_event *ev;
		char name[64];
		int err;

		snprintf(name, sizeof(name), "churn.%u", (unsigned)rand_r(&role->seed) % 200);
		check_eq(aioevt_shm_event_open(bus, name, 0, &ev), 0);
		for (int n = rand_r(&role->seed) % 4; n--; )
			check_eq(aioevt_shm_emit(ev, name, strlen(name) + 1, NULL), 0);
		if (!(rand_r(&role->seed) % 4)) {
			err = aioevt_shm_event_remove(bus, name);
			check(!err || err == -ENOENT);
			check_eq(aioevt_shm_emit(ev, name, strlen(name) + 1, NULL), 0);
		}
		aioevt_shm_event_close(ev);
	}
	aioevt_shm_close(bus);
	return 0;
}

/* Under a pattern: each record is of the event that it is said to be of, in order. */
static int watch(struct role *role)
{
	struct aioevt_shm *bus = open_bus();
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_record record;
	_Alignas(8) char buf[MAX_SIZE];
	struct timespec until, now;

	(void)role;
	check_eq(aioevt_shm_listener_new(bus, &l), 0);
	check_eq(aioevt_shm_listen(l, "churn.*", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 1;
	do {
		uint64_t ns;
		int err;

		clock_gettime(CLOCK_MONOTONIC, &now);
		ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + 50000000u;
		err = aioevt_shm_wait(l, ns, &sub);
		check(!err || err == -ETIMEDOUT);
		while (!err && aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)) == 1) {
			uint64_t last = (uint64_t)(uintptr_t)aioevt_shm_sub_data(sub);

			check_str(record.data, aioevt_shm_sub_name(sub));
			check(record.seq > last);
			aioevt_shm_sub_set_data(sub, (void *)(uintptr_t)record.seq);
		}
	} while (now.tv_sec < until.tv_sec || now.tv_nsec < until.tv_nsec);
	aioevt_shm_listener_free(l);
	aioevt_shm_close(bus);
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------- */

static struct role roles[] = {
	{ .run = read_reliable }, { .run = read_reliable }, { .run = read_lossy },
	{ .run = read_lossy }, { .run = grow }, { .run = churn, .id = 0 },
	{ .run = churn, .id = 1 }, { .run = watch },
	{ .run = write_records, .id = 0 }, { .run = write_records, .id = 1 },
};
#define N_ROLES		(sizeof(roles) / sizeof(roles[0]))
#define N_READERS	4

static void *run_thread(void *role)
{
	struct role *r = role;

	r->run(r);
	return NULL;
}

static void start(struct role *role, bool threads)
{
	if (threads) {
		check(!pthread_create(&role->thread, NULL, run_thread, role));
		return;
	}
	role->pid = fork();
	check(role->pid >= 0);
	if (!role->pid) {
		alarm(100);
		exit(role->run(role));
	}
}

static void join(struct role *role, bool threads)
{
	int status;

	if (threads) {
		check(!pthread_join(role->thread, NULL));
		return;
	}
	check_eq(waitpid(role->pid, &status, 0), role->pid);
	check_eq(status, 0);
}

static void check_clean(void)
{
	struct aioevt_shm *bus = open_bus();
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	aioevt_shm_close(bus);
}

static void run_all(bool threads, unsigned seed)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm *bus;
	char byte;

	config.n_events = 128;		/* fewer than there are names: some are retired */
	config.n_listeners = 64;
	config.depth = 64;
	check_eq(aioevt_shm_open(NULL, &config, 0, &bus), 0);
	aioevt_shm_close(bus);
	for (size_t i = 0; i < N_ROLES; i++) {
		roles[i].seed = seed + (unsigned)i;
		if (i == N_READERS)	/* all are listening before anyone emits */
			for (int n = 0; n < N_READERS; n++)
				check_eq(read(ready_fd[0], &byte, 1), 1);
		start(&roles[i], threads);
	}
	for (size_t i = 0; i < N_ROLES; i++)
		join(&roles[i], threads);
	check_clean();
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	const char *text = getenv("SEED");
	unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)time(NULL);
	char dir[] = "/dev/shm/aioevt-test.XXXXXX";

	printf("seed %u\n", seed);
	fflush(stdout);
	check(mkdtemp(dir) != NULL);
	sweep_after_me(dir);
	setenv("AIOEVT_DIR", dir, 1);
	setenv("AIOEVT_BUS", "stress", 1);
	check(!pipe(ready_fd));
	alarm(110);
	run_all(false, seed);
	run_all(true, seed);
	check(!rmdir(dir));
	return 0;
}
