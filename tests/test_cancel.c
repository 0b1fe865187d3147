/* SPDX-License-Identifier: MIT */
/*
 * No function is a cancellation point: a thread that is to be cancelled gets through all of
 * them, so that none is left half-done, with a lock held or a body owned.
 */
#include <pthread.h>

#include "bus.h"

#define LARGE	100000u

/*
 * A frame of its own: it is left by a return. What a cancelled frame has on its stack stays
 * poisoned for the address sanitizer, which then trips over it when the thread ends.
 */
static __attribute__((__noinline__)) void use_it_all(void)
{
	static _Alignas(8) char buf[LARGE];
	struct aioevt_shm *bus;
	struct aioevt_shm_event *ev;
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_record record;
	struct aioevt_shm_info info;

	bus_path();
	check_eq(aioevt_shm_open(NULL, NULL, 0, &bus), 0);
	check_eq(aioevt_shm_event_open(bus, "a.b", 0, &ev), 0);
	check_eq(aioevt_shm_listener_new(bus, &l), 0);
	check_eq(aioevt_shm_listen(l, "a.*", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	check_eq(aioevt_shm_wait(l, now_ns() + 2 * MS, &sub), -ETIMEDOUT);
	check_eq(aioevt_shm_emit(ev, buf, 10, NULL), 0);
	check_eq(aioevt_shm_emit_wait(ev, buf, LARGE, 0, NULL), 0);
	check_eq(aioevt_shm_event_grow(ev, 4096), 0);
	check_eq(aioevt_shm_wait(l, AIOEVT_SHM_NO_DEADLINE, &sub), 0);
	check_eq(aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)), 1);
	check_eq(aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)), 1);
	check_eq(record.size, LARGE);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	aioevt_shm_listener_free(l);
	check_eq(aioevt_shm_event_remove(bus, "a.b"), 0);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void *cancelled(void *through)
{
	pthread_cancel(pthread_self());
	use_it_all();
	*(bool *)through = true;
	pthread_testcancel();
	return NULL;
}

int main(void)
{
	bool through = false;
	pthread_t thread;
	void *result;
	pid_t pid;
	int status;

	bus_begin();
	check(!pthread_create(&thread, NULL, cancelled, &through));
	check(!pthread_join(thread, &result));
	check(result == PTHREAD_CANCELED);
	check(through);
	/* and no lock is held that a fork needs */
	pid = fork();
	if (!pid)
		_exit(0);
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
	return bus_end();
}
