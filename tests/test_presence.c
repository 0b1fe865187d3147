/* SPDX-License-Identifier: MIT */
/* Who is there: ports of the dead are cleaned up and reused, the stopped live, forks do not. */

#include "bus.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "body.h"
#include "listener.h"
#include "port.h"
#include "../shm/bus.h"

#define DEPTH	8u

/* Everything that a participant may hold. */
static int hold_all(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "held");
	struct aioevt_shm_listener *listener = listener_of(bus), *second = listener_of(bus);
	uint32_t hint = 0;
	struct body body;
	struct claim claim;
	static char large[5000];
	uint64_t old;
	char mode = *(char *)arg;

	sub_of(listener, "held", AIOEVT_SHM_RELIABLE);
	sub_of(listener, "other", 0);
	sub_of(second, "held", 0);
	check_eq(aioevt_shm_listen(second, "p.>", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	check_eq(ring_next(bus, event->ring, &claim, &old), 0);
	check(ring_claim(event->ring, bus->port_index, &claim, old));
	check_eq(body_prepare(bus, event->ring, large, sizeof(large), &hint, &body), 0);
	check_eq(body_prepare(bus, event->ring, large, sizeof(large), &hint, &body), 0);
	say(me, (char)(bus->port_index + 1));
	if (mode == 'f' && !fork()) {		/* a child that outlives it */
		say(me, 'f');
		hear(me);
		_exit(0);
	}
	hear(me);
	_exit(0);				/* closes nothing */
}

static unsigned port_phase(struct aioevt_shm *bus, uint32_t p)
{
	return (unsigned)(atomic_load(&bus_port(bus, p)->state) & 0xff);
}

/* Nothing of port @p is anywhere in the tables. */
static void check_clean(struct aioevt_shm *bus, struct aioevt_shm_event *event, uint32_t p)
{
	const struct ring *ring = event->ring;

	check_eq(port_phase(bus, p), 0);
	for (uint32_t w = 0; w < bus->lo.n_events / 64; w++)
		check_eq(atomic_load(&bus_port(bus, p)->using[w]), 0);
	check_eq(atomic_load(&bus_port(bus, p)->pending_offset), 0);
	for (uint32_t l = 0; l < bus->lo.n_listeners; l++)
		check(atomic_load(&bus_listener(bus, l)->owner) != p + 1);
	for (uint32_t w = 0; w < bus->lo.n_words; w++) {
		check_eq(atomic_load(&event->map->ctl->reliable[w]), 0);
		check_eq(atomic_load(&event->map->event->listeners[w]), 0);
		check_eq(atomic_load(&bus_patterns(bus)[w]), 0);
	}
	for (uint32_t i = 0; i < ring->depth; i++) {
		uint64_t state = atomic_load(&ring_slot(ring, i)->state);

		check(slot_phase(state) != SLOT_WRITING && slot_phase(state) != SLOT_PINNED);
	}
	for (uint32_t i = 0; i < ring->n_bodies; i++)
		check_eq(atomic_load(&ring->header->body_owner[i]), 0);
}

static void test_reap(char mode)
{
	struct aioevt_shm *bus = bus_small(DEPTH), *next;
	struct aioevt_shm_event *event = event_of(bus, "held");
	struct child child = spawn(hold_all, &mode);
	struct aioevt_shm_info info;
	uint32_t p = (uint32_t)hear(&child) - 1;
	uint64_t memory;

	check(p < 64);
	if (mode == 'f')
		check_eq(hear(&child), 'f');
	check(!port_is_dead(bus, p));
	check_eq(port_reap(bus, p), 0);
	check_eq(atomic_load(&bus_port(bus, p)->pid), child.pid);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 2);
	check_eq(info.listeners_used, 2);
	memory = info.memory;
	check_eq(kill(child.pid, SIGKILL), 0);
	check_eq(waitpid(child.pid, NULL, 0), child.pid);
	check(port_is_dead(bus, p));
	check_eq(port_phase(bus, p), 2);
	check_eq(port_reap(bus, p), 1);
	check_eq(port_reap(bus, p), 0);
	check_clean(bus, event, p);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	check(info.memory < memory);
	next = bus_small(DEPTH);
	check_eq(next->port_index, p);
	check(!port_is_dead(bus, p));
	for (uint64_t i = 0; i < 4 * DEPTH; i++)
		check_eq(emit_u64(event, i), i + 2);	/* 1 was its number */
	close(child.in);
	close(child.out);
	aioevt_shm_close(next);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_stopped_is_alive(void)
{
	char mode = 's';
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct child child = spawn(hold_all, &mode);
	uint32_t p = (uint32_t)hear(&child) - 1;

	stop_child(&child);
	check(!port_is_dead(bus, p));
	check_eq(port_reap_all(bus), 0);
	check_eq(port_phase(bus, p), 1);
	kill_child(&child);
	check(port_is_dead(bus, p));
	check_eq(port_reap_all(bus), 1);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Takes every port but those that others have, and an event with each. */
static int take_all_ports(struct child *me, void *arg)
{
	struct aioevt_shm *bus;

	(void)arg;
	for (;;) {
		if (aioevt_shm_open(NULL, NULL, 0, &bus) < 0)
			break;
		aioevt_shm_emit(event_of(bus, "taken"), "x", 1, NULL);
		sub_of(listener_of(bus), "taken", AIOEVT_SHM_RELIABLE);
	}
	say(me, 'a');
	hear(me);
	return 1;
}

/* Every port is a dead one's: who comes cleans up one of them for itself. */
static void test_all_dead(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH), *more = NULL;
	struct child child;

	aioevt_shm_close(bus);
	child = spawn(take_all_ports, NULL);
	check_eq(hear(&child), 'a');
	check_eq(aioevt_shm_open(NULL, NULL, 0, &more), -EUSERS);
	kill_child(&child);
	check_eq(aioevt_shm_open(NULL, NULL, 0, &more), 0);
	for (uint64_t i = 0; i < 4 * DEPTH; i++) {
		struct aioevt_shm_event *event = event_of(more, "taken");

		emit_u64(event, i);
		aioevt_shm_event_close(event);
	}
	aioevt_shm_close(more);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- forks -------------------------------------------------------------------------------- */

struct inherited {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
};

static int refuse_all(const struct inherited *in)
{
	struct aioevt_shm_event_info event_info;
	struct aioevt_shm_listener *listener = NULL;
	struct aioevt_shm_record record;
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_info info;
	struct aioevt_shm_sub *sub = NULL;
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;
	uint64_t buf, seq = 0;

	check_eq(aioevt_shm_get_info(in->bus, &info), -ECHILD);
	check_eq(aioevt_shm_event_open(in->bus, "fork", 0, &event), -ECHILD);
	check_eq(aioevt_shm_emit(in->event, NULL, 0, &seq), -ECHILD);
	check_eq(aioevt_shm_emit_wait(in->event, NULL, 0, in_ms(1000), &seq), -ECHILD);
	check_eq(aioevt_shm_event_grow(in->event, 64), -ECHILD);
	check_eq(aioevt_shm_event_remove(in->bus, "fork"), -ECHILD);
	check_eq(aioevt_shm_event_get_info(in->event, &event_info), -ECHILD);
	check_eq(aioevt_shm_event_next(in->bus, &walk, name), -ECHILD);
	check_eq(aioevt_shm_listener_new(in->bus, &listener), -ECHILD);
	check_eq(aioevt_shm_listen(in->listener, "x", 0, AIOEVT_SHM_FROM_NEW, 0, &sub), -ECHILD);
	check_eq(aioevt_shm_wait(in->listener, in_ms(1000), &sub), -ECHILD);
	check_eq(aioevt_shm_read(in->sub, &record, 1, &buf, sizeof(buf)), -ECHILD);
	check(!event && !listener && !sub && !seq);
	aioevt_shm_sub_close(in->sub);
	aioevt_shm_listener_free(in->listener);
	aioevt_shm_event_close(in->event);
	aioevt_shm_close(in->bus);
	return 0;
}

static void test_fork(bool bare)
{
	struct inherited in = { .bus = bus_small(DEPTH) };
	struct aioevt_shm *fresh;
	struct aioevt_shm_sub *got;
	int status;
	pid_t pid;

	in.event = event_of(in.bus, "fork");
	in.listener = listener_of(in.bus);
	in.sub = sub_of(in.listener, "fork", AIOEVT_SHM_RELIABLE);
	emit_u64(in.event, 1);
	pid = bare ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork();
	check(pid >= 0);
	if (!pid) {
		status = refuse_all(&in);
		if (!status && !bare) {		/* its own it may have */
			struct aioevt_shm_event *event;

			fresh = bus_small(DEPTH);
			event = event_of(fresh, "fork");
			check_eq(emit_u64(event, 2), 2);
			aioevt_shm_event_close(event);
			aioevt_shm_close(fresh);
		}
		_exit(status);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
	/* and the parent has not noticed */
	check(!port_is_dead(in.bus, in.bus->port_index));
	fresh = bus_small(DEPTH);
	check(!port_is_dead(fresh, in.bus->port_index));
	check_eq(aioevt_shm_wait(in.listener, 0, &got), 0);
	emit_u64(in.event, 3);
	aioevt_shm_close(fresh);
	aioevt_shm_listener_free(in.listener);
	aioevt_shm_event_close(in.event);
	aioevt_shm_close(in.bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

#ifndef __SANITIZE_THREAD__
/* Forking while other threads use the bus: the child finds no lock held for ever. */
static void *open_and_close(void *arg)
{
	struct aioevt_shm *bus = arg;

	for (int i = 0; i < 3000; i++)
		aioevt_shm_event_close(event_of(bus, "busy"));
	return NULL;
}

static void test_fork_from_threads(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "mine");
	pthread_t thread;

	check_eq(pthread_create(&thread, NULL, open_and_close, bus), 0);
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();
		int status;

		check(pid >= 0);
		if (!pid) {
			alarm(5);
			aioevt_shm_event_close(event);
			aioevt_shm_close(bus);
			_exit(0);
		}
		check_eq(waitpid(pid, &status, 0), pid);
		check_eq(status, 0);
	}
	check_eq(pthread_join(thread, NULL), 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}
#endif

int main(void)
{
	bus_begin();
	alarm(60);
	test_reap('k');
	test_stopped_is_alive();
	test_fork(false);
	test_fork(true);
#ifndef __SANITIZE_THREAD__	/* it thinks that the other threads go on in the child */
	test_fork_from_threads();
#endif
	test_reap('f');
	test_all_dead();
	return bus_end();
}
