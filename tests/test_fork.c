/* SPDX-License-Identifier: MIT */
/* fork and exec in a program that holds a bus, with threads that wait: nothing leaks over. */

#include "bus.h"

#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>

#include "../shm/bus.h"
#include "port.h"

#define DEPTH		8u
#define N_WAITERS	4

#ifndef __SANITIZE_THREAD__	/* it thinks that the other threads go on in the child */
extern char **environ;

struct waiter {
	pthread_t thread;
	struct aioevt_shm *bus;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
	_Atomic uint64_t n_heard;
};

static void *wait_for_all(void *arg)
{
	struct waiter *w = arg;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *got;
	uint64_t value = 0;

	while (value != UINT64_MAX) {
		check_eq(aioevt_shm_wait(w->listener, in_ms(30000), &got), 0);
		check_eq(read_u64(w->sub, &record, &value), 1);
		check_eq(record.missed, 0);
		atomic_fetch_add(&w->n_heard, 1);
	}
	return NULL;
}

static void start_waiters(struct aioevt_shm *bus, struct waiter *w)
{
	for (int i = 0; i < N_WAITERS; i++) {
		w[i].bus = bus;
		w[i].listener = listener_of(bus);
		w[i].sub = sub_of(w[i].listener, "e", AIOEVT_SHM_RELIABLE);
		check_eq(pthread_create(&w[i].thread, NULL, wait_for_all, &w[i]), 0);
	}
}

/* All of them heard @n. */
static void await_heard(struct waiter *w, uint64_t n)
{
	uint64_t limit = in_ms(20000);

	for (int i = 0; i < N_WAITERS; i++)
		while (atomic_load(&w[i].n_heard) < n) {
			check(now_ns() < limit);
			sched_yield();
		}
}

static void end_waiters(struct aioevt_shm_event *event, struct waiter *w)
{
	check_eq(aioevt_shm_emit_wait(event, &(uint64_t){ UINT64_MAX }, 8, in_ms(20000), NULL), 0);
	for (int i = 0; i < N_WAITERS; i++) {
		check_eq(pthread_join(w[i].thread, NULL), 0);
		aioevt_shm_listener_free(w[i].listener);
	}
}

/* Descriptors, in a shell, and what of the bus is among them; its status is 0 if nothing is. */
static char *const look_argv[] = {
	"sh", "-c", "! ls -l /proc/$$/fd /proc/$$/map_files 2>/dev/null | grep -q aioevt. && "
	"! grep -q aioevt. /proc/$$/maps", NULL
};

static int in_child(struct aioevt_shm *bus, struct aioevt_shm_event *event, bool exec)
{
	struct aioevt_shm_info info;

	alarm(20);
	check_eq(aioevt_shm_emit(event, "x", 1, NULL), -ECHILD);
	check_eq(aioevt_shm_get_info(bus, &info), -ECHILD);
	if (exec) {
		execv("/bin/sh", look_argv);
		return 1;
	}
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return 0;
}

/* Fork, fork and exec, and posix_spawn, while threads wait, each on the same bus. */
static void test_with_threads(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH), *other = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "e");
	struct waiter w[N_WAITERS] = { 0 };
	struct aioevt_shm_info info;
	int status;
	pid_t pid;

	start_waiters(bus, w);
	for (int i = 0; i < 30; i++) {
		if (i % 3 == 2) {
			check_eq(posix_spawn(&pid, "/bin/sh", NULL, NULL, look_argv, environ), 0);
		} else {
			pid = fork();
			check(pid >= 0);
			if (!pid)
				_exit(in_child(bus, event, i % 3));
		}
		/* the parent's threads are woken while the child lives */
		check_eq(aioevt_shm_emit_wait(event, &(uint64_t){ 1 }, 8, in_ms(20000), NULL), 0);
		check_eq(waitpid(pid, &status, 0), pid);
		check_eq(status, 0);
		await_heard(w, (uint64_t)i + 1);
		check(!port_is_dead(other, bus->port_index));
	}
	end_waiters(event, w);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 2);
	check_eq(info.listeners_used, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(other);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

#endif

/* ---- a child that outlives its parent ---------------------------------------------------------- */

/* Holds a bus, and starts a child that holds @me's pipe. */
static int leave_child(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_listener *listener = listener_of(bus);
	bool exec = *(bool *)arg;
	char command[64];

	sub_of(listener, "e", AIOEVT_SHM_RELIABLE);
	if (!fork()) {
		if (exec) {
			snprintf(command, sizeof(command), "printf c >&%d; read x <&%d", me->out,
				 me->in);
			execl("/bin/sh", "sh", "-c", command, NULL);
			_exit(1);
		}
		alarm(30);
		say(me, 'c');
		hear(me);
		_exit(0);
	}
	for (;;)
		pause();
}

static void test_outlived(bool exec)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "e");
	struct child child = spawn(leave_child, &exec);
	int err;

	check_eq(hear(&child), 'c');	/* from the grandchild: exec is done */
	do {
		err = aioevt_shm_emit(event, "x", 1, NULL);
	} while (!err);
	check_eq(err, -EAGAIN);
	check_eq(kill(child.pid, SIGKILL), 0);
	check_eq(waitpid(child.pid, NULL, 0), child.pid);
	for (unsigned i = 0; i < 3 * DEPTH; i++)
		check_eq(aioevt_shm_emit(event, "x", 1, NULL), 0);
	check_eq(port_reap_all(bus), 1);
	/* and the grandchild lived all the time: its end of the pipe is still open */
	check_eq(poll(&(struct pollfd){ .fd = child.in, .events = POLLIN }, 1, 0), 0);
	close(child.in);
	close(child.out);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(100);
#ifndef __SANITIZE_THREAD__
	test_with_threads();
#endif
	test_outlived(false);
	test_outlived(true);
	return bus_end();
}
