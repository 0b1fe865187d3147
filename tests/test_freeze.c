/* SPDX-License-Identifier: MIT */
/*
 * An emitter that is killed, or stopped, at each instruction of an emit harms nobody.
 *
 * A child is single-stepped (ptrace(2)) through one emit. At instruction k it is killed, or
 * left stopped; then another emitter and a sleeping waiter must go on: every record
 * whole, in order, none twice. (A victim that took it upon itself to wake the waiter and did
 * not come to it costs one re-check; the test sets the waiter's next one early.)
 * A stopped victim is overtaken by three laps of the ring,
 * then continued: it must finish, and its record must be there exactly once. At last the
 * dead are reaped, and the bus must be as if they had never been.
 *
 * Every instruction of the first case, a sample of the others (SEED chooses which). All of
 * all with FREEZE=all, which takes some minutes. Sanitizers multiply the instructions, so
 * there all cases are sampled.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aioevt-shm.h"
#include "../shm/bus.h"
#include "event.h"
#include "listener.h"
#include "port.h"
#include "test.h"

#if defined(__SANITIZE_THREAD__)
#define SANITIZED	2500		/* the stride: an emit is 31000 instructions there */
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED	400
#else
#define SANITIZED	0
#endif

#define DEPTH		8
#define BOUND_NS	1500000000ull	/* one re-check, and some */
#define RECHECK_SOON	30000000ull
#define LARGE		5000

enum { VICTIM = 1, SURVIVOR = 2 };
enum mode { KILL, STOP };

struct payload {
	uint64_t who, n, size;
	unsigned char fill[LARGE - 24];
};

/* What the victim tells, in memory shared with it. */
static struct told {
	int err;
	uint64_t seq;
} *told;

static struct aioevt_shm *bus;
static struct aioevt_shm_event *event;
static struct aioevt_shm_listener *listener;
static struct aioevt_shm_sub *sub;
static uint64_t last_seq;
static unsigned n_late;
static unsigned n_victim;		/* of the victim's records, read at this point */
static size_t payload_size;
static bool company;			/* another listens too: they share a bell */

/*
 * Tracer and victim on one processor: a step is then a switch between two processes, and not
 * two wake-ups across processors. The waiter on another, if there is one.
 */
static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void make_payload(struct payload *p, uint64_t who, uint64_t n)
{
	p->who = who;
	p->n = n;
	p->size = payload_size;
	memset(p->fill, (int)(who * 31 + n) & 0xff, sizeof(p->fill));
}

/* Whole, of the right one, newer than the one before. */
static const struct payload *check_record(const struct aioevt_shm_record *r)
{
	const struct payload *p = r->data;

	check_eq(r->size, payload_size);
	check_eq(r->missed, 0);
	check(r->seq > last_seq);
	last_seq = r->seq;
	check_eq(p->size, payload_size);
	for (size_t i = 0; i < payload_size - 24; i++)
		check_eq(p->fill[i], (unsigned char)(p->who * 31 + p->n));
	n_victim += p->who == VICTIM;
	return p;
}

/* Read until the survivor's record @n has come; others before it are the victim's. */
static void read_until(uint64_t n)
{
	static _Alignas(8) unsigned char buf[LARGE];
	struct aioevt_shm_record r;
	struct aioevt_shm_sub *which;

	for (;;) {
		check_eq(aioevt_shm_wait(listener, AIOEVT_SHM_NO_DEADLINE, &which), 0);
		while (aioevt_shm_read(sub, &r, 1, buf, sizeof(buf)) == 1) {
			const struct payload *p = check_record(&r);

			if (p->who == SURVIVOR && p->n == n)
				return;
		}
	}
}

/* Whatever is left. */
static void drain(void)
{
	static _Alignas(8) unsigned char buf[LARGE];
	struct aioevt_shm_record r;

	while (aioevt_shm_read(sub, &r, 1, buf, sizeof(buf)) == 1)
		check_record(&r);
}

static void *wait_for_survivor(void *n)
{
	run_on(1);
	listener->recheck_at = now_ns() + RECHECK_SOON;
	read_until(*(uint64_t *)n);
	return NULL;
}

static void emit_survivor(uint64_t n)
{
	static struct payload p;
	uint64_t start = now_ns();

	make_payload(&p, SURVIVOR, n);
	check_eq(aioevt_shm_emit(event, &p, payload_size, NULL), 0);
	check(now_ns() - start < BOUND_NS);
}

/* ---- the victim ------------------------------------------------------------------- */

static void victim(uint64_t n)
{
	static struct payload p;
	struct aioevt_shm *mine;
	struct aioevt_shm_event *ev;

	make_payload(&p, VICTIM, n);
	if (aioevt_shm_open(NULL, NULL, 0, &mine) < 0 ||
	    aioevt_shm_event_open(mine, "frozen", 0, &ev) < 0)
		_exit(2);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	told->err = aioevt_shm_emit(ev, &p, payload_size, &told->seq);
	raise(SIGSTOP);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(mine);
	_exit(0);
}

/* Step @pid on to instruction @k of its emit. False: the emit was over before. */
static bool step_to(pid_t pid, unsigned k)
{
	int status;

	for (unsigned i = 0; i < k; i++) {
		check(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
		check_eq(waitpid(pid, &status, 0), pid);
		check(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			return false;
		check_eq(WSTOPSIG(status), SIGTRAP);
	}
	return true;
}

static pid_t start_victim(uint64_t n)
{
	pid_t pid;
	int status;

	told->err = 1;
	pid = fork();
	check(pid >= 0);
	if (!pid)
		victim(n);
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSTOPPED(status));
	return pid;
}

static void kill_victim(pid_t pid)
{
	int status;

	check(!kill(pid, SIGKILL));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
}

/* Let it run; it must get to its end and have emitted. */
static void continue_victim(pid_t pid)
{
	int status;

	for (;;) {
		check(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		check_eq(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		check(WIFSTOPPED(status));
	}
	check_eq(WEXITSTATUS(status), 0);
	check_eq(told->err, 0);
}

static void wait_asleep(void)
{
	/* The one of the event, if another listens to it too. */
	while (!(atomic_load(atomic_load(&listener->bell)) & BELL_ARMED))
		usleep(20);
}

/* ---- one point ---------------------------------------------------------------------- */

/* A survivor wakes the sleeping waiter while the victim is dead, or stands still. */
static void survivors_go_on(uint64_t *n, pthread_t waiter)
{
	uint64_t start = now_ns();

	emit_survivor(*n);
	check(!pthread_join(waiter, NULL));
	check(now_ns() - start < BOUND_NS);
	n_late += now_ns() - start > RECHECK_SOON / 4;
	for (int i = 0; i < 3 * DEPTH; i++) {
		emit_survivor(++*n);
		read_until(*n);
	}
	++*n;
}

/* Returns false once @k is behind the end of the emit. */
static bool point(enum mode mode, unsigned k)
{
	static uint64_t n;
	uint64_t first = n;
	pthread_t waiter;
	pid_t pid;
	bool inside;

	n_victim = 0;
	pid = start_victim(k);
	check(!pthread_create(&waiter, NULL, wait_for_survivor, &first));
	wait_asleep();
	inside = step_to(pid, k);
	if (mode == KILL)
		kill_victim(pid);
	survivors_go_on(&n, waiter);
	if (mode == STOP)
		continue_victim(pid);
	drain();
	if (mode == STOP || !inside)
		check_eq(n_victim, 1);
	check(n_victim <= 1);
	return inside;
}

/* ---- as if they had never been ------------------------------------------------------- */

static void check_clean(void)
{
	const struct ring *ring = event->ring;
	struct aioevt_shm_info info;

	pthread_mutex_lock(&bus->lock);
	port_reap_all(bus);
	pthread_mutex_unlock(&bus->lock);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, company ? 2 : 1);
	check_eq(info.events_used, 1);
	for (uint32_t i = 0; i < DEPTH; i++) {
		uint32_t phase = slot_phase(atomic_load(&ring_slot(ring, i)->state));

		check(phase == SLOT_COMMITTED || phase == SLOT_VOID);
	}
	for (uint32_t i = 0; i < ring->n_bodies; i++)
		check(atomic_load(&ring->header->body_owner[i]) <= 1);
}

/* Every point, or one of @stride on average. Prints how many of how many. */
static void points(const char *what, enum mode mode, unsigned stride)
{
	unsigned k = 0, n = 1;

	n_late = 0;
	for (; point(mode, k); n++)
		k += 1 + (unsigned)random() % (2 * stride - 1);
	check_clean();
	printf("%s, %s: at %u of %u instructions; at %u the waiter was late\n", what,
	       mode == KILL ? "killed" : "stopped", n, k, n_late);
	fflush(stdout);
}

static void run(const char *what, size_t size, uint32_t flags, unsigned stride)
{
	struct aioevt_shm_listener *other = NULL;
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;

	config.depth = DEPTH;
	config.n_listeners = 64;
	config.n_events = 64;
	payload_size = size;
	last_seq = 0;
	check_eq(aioevt_shm_open(NULL, &config, 0, &bus), 0);
	check_eq(aioevt_shm_event_open(bus, "frozen", 0, &event), 0);
	check_eq(aioevt_shm_listener_new(bus, &listener), 0);
	check_eq(aioevt_shm_listen(listener, "frozen", flags, AIOEVT_SHM_FROM_NEW, 0, &sub), 0);
	if (company) {
		check_eq(aioevt_shm_listener_new(bus, &other), 0);
		check_eq(aioevt_shm_listen(other, "frozen", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	}
	for (enum mode mode = KILL; mode <= STOP; mode++)
		points(what, mode, stride);
	aioevt_shm_listener_free(other);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	char dir[] = "/dev/shm/aioevt-test.XXXXXX";
	const char *seed = getenv("SEED"), *all = getenv("FREEZE");
	unsigned stride = all && !strcmp(all, "all") ? 1 : SANITIZED ? SANITIZED : 16;

	run_on(0);
	srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : 1);
	check(mkdtemp(dir) != NULL);
	setenv("AIOEVT_DIR", dir, 1);
	setenv("AIOEVT_BUS", "freeze", 1);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	check(told != MAP_FAILED);
	run("inline payload", 64, 0, SANITIZED ? stride : 1);
	run("inline payload, reliable reader", 64, AIOEVT_SHM_RELIABLE, stride);
	run("large payload", LARGE, 0, stride);
	company = true;
	run("two listeners", 64, 0, SANITIZED ? stride : 1 + stride / 4);
	check(!rmdir(dir));
	return 0;
}
