/* SPDX-License-Identifier: MIT */
/*
 * An overtaken reader that is stopped at any instruction while it counts what it missed, and goes
 * on when thousands of numbers more were no records, counts exactly all the same. (Head has
 * the low twelve bits of their count only.) At each instruction; under sanitizers, which
 * multiply them, at a sample that SEED chooses.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#include "bus.h"

#include "../shm/bus.h"
#include "event.h"

#if defined(__SANITIZE_THREAD__)
#define STRIDE	1500u
#elif defined(__SANITIZE_ADDRESS__)
#define STRIDE	400u
#else
#define STRIDE	1u
#endif

#define DEPTH	8u
/* Of each lap one number is no record: more than VOIDS_MASK / 2 of them. */
#define MANY	(DEPTH * 2100u)

static struct aioevt_shm *bus;
static struct aioevt_shm_event *event;
static uint64_t n_emitted;
static uint64_t *before;		/* of the victim: emitted when it began to listen */

static void run_on_one(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void emit_many(unsigned n)
{
	while (n--)
		emit_u64(event, ++n_emitted);
}

/* A claim that is never committed: its slot is pinned in each lap. */
static void pin_a_slot(void)
{
	struct claim claim;
	uint64_t old;

	check_eq(ring_next(bus, event->ring, &claim, &old), 0);
	check(ring_claim(event->ring, bus->port_index, &claim, old));
}

static void victim(void)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_listener *l = listener_of(mine);
	struct aioevt_shm_sub *sub = sub_of(l, "count", 0);
	struct aioevt_shm_record record;
	uint64_t value = 0;
	int r;

	*before = n_emitted;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	r = read_u64(sub, &record, &value);
	raise(SIGSTOP);
	/* It may have seen the first of the two bursts only, and been overtaken again. */
	check_eq(r, 1);
	check_eq(value, *before + record.missed + 1);
	_exit(0);
}

static pid_t start_victim(void)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid)
		victim();
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSTOPPED(status));
	return pid;
}

/* False: it was through before. */
static bool step_to(pid_t pid, unsigned k)
{
	int status;

	while (k--) {
		check(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
		check_eq(waitpid(pid, &status, 0), pid);
		check(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			return false;
	}
	return true;
}

static void finish(pid_t pid)
{
	int status;

	do {
		check(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		check_eq(waitpid(pid, &status, 0), pid);
	} while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	check_eq(status, 0);
}

static bool stop_at(unsigned k)
{
	pid_t pid = start_victim();
	bool inside;

	emit_many(2 * DEPTH);
	inside = step_to(pid, k);
	emit_many(MANY);
	finish(pid);
	return inside;
}

int main(void)
{
	const char *seed = getenv("SEED");
	unsigned k = 0, n = 1;

	srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : 1);
	bus_begin();
	run_on_one();
	before = mmap(NULL, sizeof(*before), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	check(before != MAP_FAILED);
	bus = bus_small(DEPTH);
	event = event_of(bus, "count");
	pin_a_slot();
	emit_many(2 * DEPTH);
	for (; stop_at(k); n++)
		k += 1 + (unsigned)random() % (2 * STRIDE - 1);
	printf("at %u of %u instructions\n", n, k);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return bus_end();
}
