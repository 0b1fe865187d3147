/* SPDX-License-Identifier: MIT */
/*
 * Emitters that wait for room do not take each other's wake: one has looked and is about
 * to sleep, a reader makes room, another emitter arms the bell again. The first must not sleep.
 */
#include <linux/futex.h>
#include <sys/ptrace.h>

#include "bus.h"

#include "clock.h"
#include "event.h"

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

int main(void)
{
	struct aioevt_shm *bus;
	struct aioevt_shm_event *ev;
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;
	struct reliable_limit limit = { 0 };
	struct __ptrace_syscall_info info;
	uint64_t next;
	pid_t pid;
	int status;

	bus_begin();
	alarm(60);
	bus = bus_small(DEPTH);
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
	aioevt_shm_close(bus);
	return bus_end();
}
