/* SPDX-License-Identifier: MIT */
/*
 * A listener with a pattern keeps nobody from using new names, misses nothing of the events
 * that stay, and tells when some that it had not read are gone.
 */
#include <stdlib.h>
#include <time.h>

#include "bus.h"

#include "../shm/bus.h"
#include "listener.h"
#include "rest.h"

#define MANY	48u

static struct aioevt_shm *bus;
static struct aioevt_shm_listener *listener;

static void emit_to(unsigned i)
{
	struct aioevt_shm_event *ev;
	char name[32];

	snprintf(name, sizeof(name), "job.%u", i);
	check_eq(aioevt_shm_event_open(bus, name, 0, &ev), 0);
	check_eq(aioevt_shm_emit(ev, name, strlen(name) + 1, NULL), 0);
	aioevt_shm_event_close(ev);
}

/* Read all there is; each is of the event it says. */
static unsigned read_all(uint64_t *missed)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	_Alignas(8) char buf[64];
	unsigned n = 0;

	while (!aioevt_shm_wait(listener, 0, &sub))
		while (aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)) == 1) {
			check_str(record.data, aioevt_shm_sub_name(sub));
			*missed += record.missed;
			n++;
		}
	return n;
}

static void listen_to_all(void)
{
	check_eq(aioevt_shm_listener_new(bus, &listener), 0);
	check_eq(aioevt_shm_listen(listener, "job.*", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
}

/* As many events as the table has, again and again: each record once. */
static void test_stay(void)
{
	uint64_t missed = 0;

	listen_to_all();
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < MANY; i++)
			emit_to(i);
		check_eq(read_all(&missed), MANY);
		check(listener->n_awake <= MAX_AWAKE + 1);
	}
	check_eq(missed, 0);
	check_eq(aioevt_shm_listener_lost_events(listener), 0);
	listener = aioevt_shm_listener_free(listener);
}

/* A sleeping listener is woken by an event on which it rests. */
static void test_wake(void)
{
	struct aioevt_shm_sub *sub;
	uint64_t missed = 0, start;

	listen_to_all();
	for (unsigned i = 0; i < MANY; i++)
		emit_to(i);
	check_eq(read_all(&missed), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		emit_to(i);
		start = now_ns();
		check_eq(aioevt_shm_wait(listener, start + 5000000000u, &sub), 0);
		check(now_ns() - start < 500000000u);
		check_eq(read_all(&missed), 1);
	}
	listener = aioevt_shm_listener_free(listener);
}

/* More names than there are places, and a listener that does not look. */
static void test_pass_by(void)
{
	uint64_t missed = 0, n;

	listen_to_all();
	for (unsigned i = 0; i < 500; i++)
		emit_to(1000 + i);
	n = read_all(&missed);
	check(n < 500);
	/* Nothing is lost silently; what is told may be too much. */
	check(n + aioevt_shm_listener_lost_events(listener) >= 500);
	for (unsigned i = 0; i < 500; i++) {
		emit_to(2000 + i);
		n = read_all(&missed);
		check_eq(n, 1);
	}
	listener = aioevt_shm_listener_free(listener);
}

/*
 * An event that is dead but not buried yet, its end not yet noted: what was not read of it is
 * told all the same.
 */
static void test_half_gone(void)
{
	struct event_ref ref;
	struct name name;
	uint64_t missed = 0;
	char text[32];

	listen_to_all();
	for (unsigned i = 0; i < MANY; i++)
		emit_to(i);
	check_eq(read_all(&missed), MANY);
	for (unsigned i = 0; i < MANY; i++)
		emit_to(i);
	bus_lock(bus);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "job.%u", i);
		check_eq(name_pack(text, &name), 0);
		check_eq(registry_find(bus, &name, &ref), 1);
		check(registry_kill(bus, ref));
	}
	atomic_fetch_add(&bus->header->n_created, 1);	/* somebody makes one */
	bus_unlock(bus);
	missed = read_all(&missed);
	check(missed < MANY);
	check(missed + aioevt_shm_listener_lost_events(listener) >= MANY);
	listener = aioevt_shm_listener_free(listener);
}

/* Freed while it rests, it is on no event any more. */
static void test_free(void)
{
	struct aioevt_shm_event_info info;
	struct aioevt_shm_event *ev;
	char name[128];
	uint32_t walk = 0;

	while (aioevt_shm_event_next(bus, &walk, name) == 1) {
		check_eq(aioevt_shm_event_open(bus, name, 0, &ev), 0);
		check_eq(aioevt_shm_event_get_info(ev, &info), 0);
		check_eq(info.n_listeners, 0);
		aioevt_shm_event_close(ev);
	}
}

int main(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;

	config.n_events = 64;
	config.n_listeners = 64;
	config.depth = 8;
	check_eq(aioevt_shm_open(NULL, &config, AIOEVT_SHM_ANONYMOUS, &bus), 0);
	test_stay();
	test_free();
	test_wake();
	test_free();
	test_half_gone();
	test_free();
	test_pass_by();
	test_free();
	aioevt_shm_close(bus);
	return 0;
}
