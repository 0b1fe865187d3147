/* SPDX-License-Identifier: MIT */
/* aioevt get and watch beside others: one who stops as it emits, payloads of others, events lost. */

#include "bus.h"

#include "../shm/bus.h"
#include "event.h"
#include "program.h"

#define N_EVENTS	64u

/* [["n"], {}] of a small n */
static void emit_number(struct aioevt_shm_event *event, int n)
{
	const char payload[] = { '\x82', '\x81', (char)n, '\xa0' };

	check_eq(aioevt_shm_emit(event, payload, sizeof(payload), NULL), 0);
}

/*
 * A number that is claimed and never written, by one that is alive, between records: those
 * behind it are got all the same; behind the last there is nothing to wait for.
 */
static void test_stopped(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "stopped");
	struct claim claim;
	uint64_t old;

	emit_number(event, 1);
	check_eq(ring_next(bus, event->ring, &claim, &old), 0);
	check(ring_claim(event->ring, bus->port_index, &claim, old));
	emit_number(event, 2);
	check_eq(run("$PROGRAM get stopped -n 2"), 0);
	check_str(output, "1\n2\n");
	ring_give_back(&claim);

	check_eq(ring_next(bus, event->ring, &claim, &old), 0);
	check(ring_claim(event->ring, bus->port_index, &claim, old));
	check_eq(run("$PROGRAM get stopped"), 0);
	check_str(output, "2\n");
	ring_withdraw(event->ring, &claim);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* What is no data is told, and the rest is shown. */
static void test_foreign(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "foreign"), *other = event_of(bus, "other");
	struct aioevt_shm_event_info info = { 0 };
	FILE *pipe = start("$PROGRAM watch --count 2 -t 25");

	while (!info.n_listeners)
		check_eq(aioevt_shm_event_get_info(other, &info), 0);
	emit_number(event, 1);
	check_eq(aioevt_shm_emit(event, "hello", 5, NULL), 0);
	check_eq(run("$PROGRAM get foreign"), 1);
	check_str(output, "aioevt: event \"foreign\": record 2 (5 bytes) was not written by aioevt\n");
	emit_number(other, 3);
	check_eq(run("$PROGRAM get \">\" 2>/dev/null"), 1);
	check_str(output, "3\n");
	check_eq(finish(pipe), 1);
	check_output("+00:00 foreign 1 1\n");
	check_output("aioevt: event \"foreign\": record 2 (5 bytes) was not written by aioevt\n");
	check_output("+00:00 other 1 3\n");
	aioevt_shm_event_close(event);
	aioevt_shm_event_close(other);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Events that come and go before a stopped watch could look: it says so, before it ends. */
static void test_lost(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "first"), *lost;
	struct aioevt_shm_event_info info = { 0 };
	FILE *pipe = start("echo $$; exec \"$PROGRAM\" watch -t 25");
	char name[32];
	int pid;

	check_eq(fscanf(pipe, "%d", &pid), 1);
	while (!info.n_listeners)
		check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(kill(pid, SIGSTOP), 0);
	for (unsigned i = 0; i < 3 * N_EVENTS; i++) {
		sprintf(name, "lost.%u", i);
		lost = event_of(bus, name);
		emit_number(lost, 1);
		aioevt_shm_event_close(lost);
	}
	check_eq(kill(pid, SIGCONT), 0);
	do {
		check(fgets(output, sizeof(output), pipe) != NULL);
	} while (strncmp(output, "aioevt: up to ", 14));
	check_output(" events came and went unread\n");
	check_eq(kill(pid, SIGTERM), 0);
	check_eq(finish(pipe), 128 + SIGTERM);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Neither a port nor a listener stays; who finds no place is told. */
static void test_places(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_listener *listeners[64];
	struct aioevt_shm_event *event = event_of(bus, "e");
	struct aioevt_shm_info info;

	emit_number(event, 1);
	check_eq(run("$PROGRAM get e && $PROGRAM watch --count 1 -t 0"), 124);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	for (int i = 0; i < 64; i++)
		listeners[i] = listener_of(bus);
	for (int i = 0; i < 2; i++) {
		check_eq(run(i ? "$PROGRAM watch -t 0" : "$PROGRAM get e"), 1);
		check_output("64 of 64 listeners are taken, by 2 participants\n");
	}
	for (int i = 0; i < 64; i++)
		aioevt_shm_listener_free(listeners[i]);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(110);
	setenv("TZ", "UTC0", 1);
	find_program();
	test_stopped();
	test_foreign();
	test_lost();
	test_places();
	return bus_end();
}
