/* SPDX-License-Identifier: MIT */
/*
 * An emitter of a large payload that is killed between its claim and its commit, or while it
 * takes back what was revoked, costs no memory: once small records have gone over the ring,
 * no body holds more than a page. At a sample of the instructions, which SEED chooses; at all
 * of them with FREEZE=all.
 */
#include <sched.h>
#include <sys/ptrace.h>

#include "bus.h"

#include "../shm/bus.h"
#include "event.h"
#include "port.h"

#if defined(__SANITIZE_ADDRESS__)
#define STRIDE		97u
#else
#define STRIDE		3u
#endif

#define DEPTH		8u
#define MAX_STEPS	2000000u

static unsigned char data[65536];
static unsigned stride = STRIDE;
static struct aioevt_shm *bus;
static struct aioevt_shm_event *event;

/* Tracer and victim on one processor: a step is a switch, not two wake-ups across. */
static void run_on_one(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void emit_lap(size_t size)
{
	for (unsigned i = 0; i < DEPTH; i++)
		check_eq(aioevt_shm_emit(event, data, size, NULL), 0);
}

static void victim(size_t size)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_event *ev = event_of(mine, "body");

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	aioevt_shm_emit(ev, data, size, NULL);
	raise(SIGSTOP);
	_exit(0);
}

/* One instruction, or on to the next system call. False: it came to the end. */
static bool step(pid_t pid, int how)
{
	int status;

	check(!ptrace(how, pid, NULL, NULL));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSTOPPED(status));
	return WSTOPSIG(status) != SIGSTOP;
}

static uint32_t phase_at(struct slot *slot)
{
	return slot_phase(atomic_load(&slot->state));
}

static pid_t start_victim(size_t size)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid)
		victim(size);
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSTOPPED(status));
	return pid;
}

static void kill_victim(pid_t pid)
{
	int status;

	check(!kill(pid, SIGKILL));
	check_eq(waitpid(pid, &status, 0), pid);
	bus_lock(bus);
	check_eq(port_reap_all(bus), 1);
	bus_unlock(bus);
}

/* How many times it may run on to a system call's begin or end, and has not claimed. */
static unsigned calls_to_claim(size_t size)
{
	pid_t pid = start_victim(size);
	struct slot *slot;
	unsigned n = 0;
	uint64_t seq;

	check(!ring_frontier(event->ring, &seq));
	slot = ring_slot(event->ring, seq);
	while (slot_lap(atomic_load(&slot->state)) != ring_lap(event->ring, seq)) {
		check(step(pid, PTRACE_SYSCALL) || n);
		n++;
	}
	kill_victim(pid);
	return n - 1;
}

/* Kill it @k steps after its claim, or after the revocation of that. False: that is over. */
static bool kill_at(size_t size, bool revoked, unsigned calls, unsigned k)
{
	const struct ring *r = event->ring;
	pid_t pid = start_victim(size);
	struct slot *slot;
	uint64_t seq;
	bool inside = true;

	while (calls--)
		check(step(pid, PTRACE_SYSCALL));
	check(!ring_frontier(r, &seq));
	slot = ring_slot(r, seq);
	for (unsigned n = 0; phase_at(slot) != SLOT_WRITING; n++)
		check(step(pid, PTRACE_SINGLESTEP) && n < MAX_STEPS);
	if (revoked)
		ring_revoke(r, seq, atomic_load(&slot->state), false);
	for (unsigned n = 0; n < k && inside; n++) {
		check(step(pid, PTRACE_SINGLESTEP));
		inside = phase_at(slot) == (revoked ? SLOT_PINNED : SLOT_WRITING);
	}
	kill_victim(pid);
	return inside;
}

static void run(size_t before, size_t size, bool revoked)
{
	unsigned k = 0, n = 0, calls;
	uint64_t memory;
	bool inside;

	emit_lap(before);
	calls = calls_to_claim(size);

	do {
		memory = bus_memory(bus);
		emit_lap(before);
		inside = kill_at(size, revoked, calls, k);
		emit_lap(16);
		emit_lap(16);
		/* The lap before and the victim may have left a page in each body. */
		check(bus_memory(bus) <= memory + (DEPTH + 1) * BODY_ALIGN);
		n++;
		k += 1 + (unsigned)random() % (2 * stride - 1);
	} while (inside);
	printf("%zu over %zu bytes%s: killed at %u of %u instructions\n", size, before,
	       revoked ? ", revoked" : "", n, k);
}

int main(void)
{
#if defined(__SANITIZE_THREAD__)
	return SKIP;	/* to step through what it adds takes minutes, and it sees one process */
#endif
	const char *seed = getenv("SEED"), *all = getenv("FREEZE");

	srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : 1);
	if (all && !strcmp(all, "all"))
		stride = 1;
	bus_begin();
	run_on_one();
	bus = bus_small(DEPTH);
	event = event_of(bus, "body");
	emit_lap(16);
	for (int revoked = 0; revoked <= 1; revoked++) {
		run(60000, 200, revoked);
		run(200, 60000, revoked);
		run(60000, 40000, revoked);
	}
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return bus_end();
}
