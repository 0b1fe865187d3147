/* SPDX-License-Identifier: MIT */
/*
 * Emitters that wait for room do not take each other's wake: one has looked and is about
 * to sleep, a reader makes room, another emitter arms the bell again. The first must not sleep.
 * Nor does one whose ring was grown or removed meanwhile.
 */
#include <linux/futex.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "bus.h"

#include "clock.h"
#include "event.h"
#include "listener.h"

#define DEPTH	8u

/* Emit one record, which has to wait for room. */
static void victim(void)
{
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_event *ev = event_of(bus, "room");
	uint64_t seq, value = DEPTH + 1;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(SKIP);
	raise(SIGSTOP);
	_exit(aioevt_shm_emit_wait(ev, &value, sizeof(value), in_ms(20000), &seq) ||
	      seq != value);
}

/* On to where the next system call begins or ends. */
static void next_stop(pid_t pid, struct __ptrace_syscall_info *ret_info)
{
	int status;

	check(!ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSTOPPED(status));
	check_eq(WSTOPSIG(status), SIGTRAP | 0x80);
	check(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(*ret_info), ret_info) > 0);
}

static void to_futex_wait(pid_t pid)
{
	struct __ptrace_syscall_info info;

	do {
		next_stop(pid, &info);
	} while (info.op != PTRACE_SYSCALL_INFO_ENTRY ||
		 info.entry.args[1] != FUTEX_WAIT_BITSET);
}

static pid_t start_victim(void)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid)
		victim();
	check_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP)
		exit(SKIP);
	check(WIFSTOPPED(status));
	check(!ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	return pid;
}

/* Read all there is, and wait once more, which tells the emitters. */
static void make_room(struct aioevt_shm_listener *l, struct aioevt_shm_sub *sub)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *which;
	uint64_t value;

	for (uint64_t n = 1; n <= DEPTH; n++) {
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(record.seq, n);
	}
	check_eq(aioevt_shm_wait(l, 0, &which), -ETIMEDOUT);
}

static void fill(struct aioevt_shm_event *ev)
{
	uint64_t n = 0;

	while (!aioevt_shm_emit(ev, &n, sizeof(n), NULL))
		;
}

/* How often this thread has slept. */
static long count_sleeps(void)
{
	struct rusage usage;

	check_eq(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_nvcsw;
}

/*
 * A ring that is full, and then closed: who waits for room there is woken, and who is about to
 * does not sleep, though no reader moved. (The deadline is for a breach to be seen soon.)
 */
static void test_closed(struct aioevt_shm *bus, bool grow)
{
	const char *name = grow ? "grown" : "removed";
	struct aioevt_shm_event *ev = event_of(bus, name), *other = event_of(bus, name);
	struct aioevt_shm_listener *l = listener_of(bus);
	struct reliable_limit limit = { 0 };
	struct ring ring;
	uint64_t next;
	long sleeps;

	sub_of(l, name, AIOEVT_SHM_RELIABLE);
	fill(ev);
	ring = *ev->ring;
	check(!ring_frontier(&ring, &next));
	bell_arm(&ev->map->ctl->space);
	if (grow)
		check_eq(aioevt_shm_event_grow(other, 4 * DEPTH), 0);
	else
		check_eq(aioevt_shm_event_remove(bus, name), 0);
	check(!(atomic_load(&ev->map->ctl->space) & BELL_ARMED));
	sleeps = count_sleeps();
	reliable_sleep(ev->map, &ring, next, &limit, in_ms(500));
	check_eq(count_sleeps(), sleeps);
	aioevt_shm_listener_free(l);
	aioevt_shm_event_close(other);
	aioevt_shm_event_close(ev);
}

static void test_two_emitters(struct aioevt_shm *bus)
{
	struct aioevt_shm_event *ev;
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;
	struct reliable_limit limit = { 0 };
	struct __ptrace_syscall_info info;
	uint64_t next;
	pid_t pid;
	int status;

	ev = event_of(bus, "room");
	l = listener_of(bus);
	sub = sub_of(l, "room", AIOEVT_SHM_RELIABLE);
	for (uint64_t n = 1; n <= DEPTH; n++)
		check_eq(emit_u64(ev, n), n);

	pid = start_victim();
	to_futex_wait(pid);
	make_room(l, sub);
	check(!ring_frontier(ev->ring, &next));
	reliable_sleep(ev->map, ev->ring, next, &limit, now_ns());
	next_stop(pid, &info);
	check_eq(info.op, PTRACE_SYSCALL_INFO_EXIT);
	check_eq(info.exit.rval, -EAGAIN);	/* the bell was another by then */

	check(!ptrace(PTRACE_DETACH, pid, NULL, NULL));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_eq(WEXITSTATUS(status), 0);
	aioevt_shm_listener_free(l);
	aioevt_shm_event_close(ev);
}

int main(void)
{
	struct aioevt_shm *bus;

	bus_begin();
	alarm(60);
	bus = bus_small(DEPTH);
	test_two_emitters(bus);
	test_closed(bus, true);
	test_closed(bus, false);
	aioevt_shm_close(bus);
	return bus_end();
}
