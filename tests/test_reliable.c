/* SPDX-License-Identifier: MIT */
/* Reliable readers: never overtaken; emitters are told, wait for room, and go on. */

#include "bus.h"

#include <pthread.h>
#include <stdatomic.h>

#define DEPTH	8u

/* The next record is @seq, and it is handled: come back for nothing. */
static void check_next(struct aioevt_shm_sub *sub, uint64_t seq)
{
	struct aioevt_shm_record record;
	uint64_t value = 0;

	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(record.seq, seq);
	check_eq(record.missed, 0);
	check_eq(aioevt_shm_read(sub, NULL, 0, NULL, 0), 0);
}

static void test_never_overtaken(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "reliable");
	struct aioevt_shm_listener *listener = listener_of(bus), *second = listener_of(bus);
	struct aioevt_shm_sub *sub, *other, *got;
	struct aioevt_shm_event_info info;
	struct aioevt_shm_record record;
	uint64_t seq = 99, value;

	for (uint64_t i = 1; i <= 20; i++)
		check_eq(emit_u64(event, i), i);
	sub = sub_of(listener, "reliable", AIOEVT_SHM_RELIABLE);
	for (uint64_t i = 21; i <= 20 + DEPTH; i++)
		check_eq(emit_u64(event, i), i);
	check_eq(aioevt_shm_emit(event, &seq, sizeof(seq), &seq), -EAGAIN);
	check_eq(seq, 99);
	check_eq(aioevt_shm_emit_wait(event, &seq, sizeof(seq), 0, &seq), -EAGAIN);
	check_eq(aioevt_shm_emit_wait(event, &seq, sizeof(seq), in_ms(30), &seq), -EAGAIN);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_listeners, 1);
	check_eq(info.n_reliable, 1);
	check_eq(info.slowest_pid, getpid());
	check_eq(info.slowest_lag, DEPTH);
	check_eq(info.last_seq, 28);

	check_next(sub, 21);
	check_eq(emit_u64(event, 29), 29);
	check_eq(aioevt_shm_emit(event, NULL, 0, NULL), -EAGAIN);

	/* the slowest of two counts */
	other = sub_of(second, "reliable", AIOEVT_SHM_RELIABLE);
	for (uint64_t i = 22; i <= 29; i++)
		check_next(sub, i);
	check_eq(read_u64(sub, &record, &value), 0);
	for (uint64_t i = 30; i < 30 + DEPTH; i++)
		check_eq(emit_u64(event, i), i);
	for (uint64_t i = 30; i < 30 + DEPTH; i++)
		check_next(sub, i);
	check_eq(aioevt_shm_emit(event, NULL, 0, NULL), -EAGAIN);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_reliable, 2);
	check_eq(info.slowest_lag, DEPTH);
	check_next(other, 30);
	check_eq(emit_u64(event, 38), 38);
	aioevt_shm_sub_close(other);
	check_eq(emit_u64(event, 39), 39);
	check_eq(aioevt_shm_wait(listener, 0, &got), 0);
	check(got == sub);
	check_next(sub, 38);
	check_next(sub, 39);
	/* with nobody reliable there is nothing to wait for */
	aioevt_shm_sub_close(sub);
	sub = sub_of(listener, "reliable", 0);
	for (uint64_t i = 40; i < 100; i++)
		check_eq(emit_u64(event, i), i);
	aioevt_shm_listener_free(second);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Places that are taken from what is held. */
static void test_from_held(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "held");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = NULL;
	struct aioevt_shm_record record;
	uint64_t value = 0, room = 0;

	for (uint64_t i = 1; i <= 5; i++)
		emit_u64(event, i);
	check_eq(aioevt_shm_listen(listener, "held", AIOEVT_SHM_RELIABLE,
				   AIOEVT_SHM_FROM_SEQ, 1, &sub), 0);
	for (uint64_t i = 6; i <= 8; i++)
		emit_u64(event, i);
	check_eq(aioevt_shm_emit(event, NULL, 0, NULL), -EAGAIN);
	for (uint64_t i = 1; i <= 8; i++)
		check_next(sub, i);
	aioevt_shm_sub_close(sub);

	/* More than is held: what it misses, it misses before it begins. */
	for (uint64_t i = 9; i <= 30; i++)
		emit_u64(event, i);
	check_eq(aioevt_shm_listen(listener, "held", AIOEVT_SHM_RELIABLE,
				   AIOEVT_SHM_FROM_SEQ, 10, &sub), 0);
	while (!aioevt_shm_emit(event, NULL, 0, NULL))
		room++;
	check(room <= 1);
	check_eq(aioevt_shm_read(sub, &record, 1, &value, sizeof(value)), 1);
	check(record.seq == 23 || record.seq == 24);
	check_eq(record.missed, record.seq - 10);
	for (uint64_t i = record.seq + 1; i <= 30; i++)
		check_next(sub, i);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* A place still to come does not hold up what comes before it. */
static void test_future_place(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "future");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = NULL, *got;

	check_eq(aioevt_shm_listen(listener, "future", AIOEVT_SHM_RELIABLE,
				   AIOEVT_SHM_FROM_SEQ, 30, &sub), 0);
	for (uint64_t i = 1; i < 30; i++) {
		check_eq(emit_u64(event, i), i);
		check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	}
	for (uint64_t i = 30; i < 30 + DEPTH; i++)
		check_eq(emit_u64(event, i), i);
	check_eq(aioevt_shm_emit(event, NULL, 0, NULL), -EAGAIN);
	for (uint64_t i = 30; i < 30 + DEPTH; i++)
		check_next(sub, i);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Growing, with @n records not yet read: none is lost, also of a full ring. */
static void test_growth(unsigned n)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "grown");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "grown", AIOEVT_SHM_RELIABLE), *got;
	struct aioevt_shm_record record;
	uint64_t value, last = 0;

	fprintf(stderr, "growth with %u to be read\n", n);
	while (last < n && !aioevt_shm_emit(event, &last, sizeof(last), NULL))
		last++;
	check_eq(last, n);
	check_eq(aioevt_shm_event_grow(event, 32), 0);
	while (!aioevt_shm_emit(event, &last, sizeof(last), NULL))
		last++;
	check(last >= 31 && last <= n + 32);
	for (uint64_t i = 1; i <= last; i++)
		check_next(sub, i);
	check_eq(read_u64(sub, &record, &value), 0);
	check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);	/* tells its place */
	for (uint64_t i = 0; i < 31; i++)
		check_eq(emit_u64(event, i), last + 1 + i);
	check_next(sub, last + 1);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- emitters that wait for room ------------------------------------------------------------- */

static _Atomic int waiting;

static void *emit_waiting(void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "room");
	uint64_t *took = arg, value = 0, began = now_ns();

	atomic_store(&waiting, 1);
	check_eq(aioevt_shm_emit_wait(event, &value, sizeof(value), in_ms(5000), NULL), 0);
	*took = now_ns() - began;
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return NULL;
}

static void test_woken_by_reader(bool close_it)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "room");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "room", AIOEVT_SHM_RELIABLE);
	uint64_t took = 0, began;
	pthread_t thread;

	while (!aioevt_shm_emit(event, "x", 1, NULL))
		;
	atomic_store(&waiting, 0);
	check_eq(pthread_create(&thread, NULL, emit_waiting, &took), 0);
	await_sleeper(getpid());
	began = now_ns();
	if (close_it) {
		aioevt_shm_sub_close(sub);
	} else {
		struct aioevt_shm_record record;
		char c;

		check_eq(aioevt_shm_read(sub, &record, 1, &c, 1), 1);
		check_eq(aioevt_shm_read(sub, NULL, 0, NULL, 0), 0);
	}
	check_eq(pthread_join(thread, NULL), 0);
	check(now_ns() - began < 600 * MS);	/* not the re-check of 1 s */
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- readers in other processes ------------------------------------------------------------------ */

static int read_when_told(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "room", AIOEVT_SHM_RELIABLE), *got;
	struct aioevt_shm_record record;
	uint64_t seq = 0, value;

	(void)arg;
	say(me, 'r');
	if (hear(me) != 'g')
		return 1;
	while (seq < 100) {
		check_eq(aioevt_shm_wait(listener, in_ms(10000), &got), 0);
		while (read_u64(sub, &record, &value) == 1) {
			check_eq(record.seq, ++seq);
			check_eq(record.missed, 0);
		}
	}
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

static void test_killed_reader(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "room");
	struct child child = spawn(read_when_told, NULL);
	struct aioevt_shm_event_info info;
	uint64_t took = 0, began;
	pthread_t thread;

	check_eq(hear(&child), 'r');
	for (uint64_t i = 1; i <= DEPTH; i++)
		check_eq(emit_u64(event, i), i);
	check_eq(aioevt_shm_emit(event, NULL, 0, NULL), -EAGAIN);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.slowest_pid, child.pid);
	check_eq(info.slowest_lag, DEPTH);
	check_eq(pthread_create(&thread, NULL, emit_waiting, &took), 0);
	await_sleeper(getpid());
	began = now_ns();
	kill_child(&child);
	check_eq(pthread_join(thread, NULL), 0);
	check(now_ns() - began < 1500 * MS);
	began = now_ns();
	for (uint64_t i = 0; i < 4 * DEPTH; i++)
		emit_u64(event, i);
	check(now_ns() - began < 500 * MS);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_reliable, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_stopped_reader(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "room");
	struct child child = spawn(read_when_told, NULL);
	uint64_t seq = 0;

	check_eq(hear(&child), 'r');
	stop_child(&child);
	say(&child, 'g');
	while (seq < DEPTH)
		check_eq(emit_u64(event, seq + 1), seq + 1), seq++;
	for (int i = 0; i < 100; i++)
		check_eq(aioevt_shm_emit(event, NULL, 0, NULL), -EAGAIN);
	check_eq(aioevt_shm_emit_wait(event, NULL, 0, in_ms(50), NULL), -EAGAIN);
	check_eq(kill(child.pid, SIGCONT), 0);
	while (seq < 100) {
		uint64_t value = ++seq, got = 0;

		check_eq(aioevt_shm_emit_wait(event, &value, sizeof(value), in_ms(10000),
					      &got), 0);
		check_eq(got, seq);
	}
	end_child(&child);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- registering at full speed ----------------------------------------------------------------------- */

static _Atomic int stop;

static void *emit_always(void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "speed");
	uint64_t value = 0, *n = arg;

	while (!atomic_load(&stop)) {
		int err = aioevt_shm_emit(event, &value, sizeof(value), NULL);

		check(!err || err == -EAGAIN);
		*n += !err;
	}
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return NULL;
}

static void test_registration(void)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_listener *listener = listener_of(bus);
	uint64_t n_emitted[2] = { 0 }, until = in_ms(1500), last, value, n_rounds = 0;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub = NULL;
	pthread_t thread[2];

	atomic_store(&stop, 0);
	for (int i = 0; i < 2; i++)
		check_eq(pthread_create(&thread[i], NULL, emit_always, &n_emitted[i]), 0);
	for (; now_ns() < until; n_rounds++) {
		unsigned n = 0;

		/* in turn: from now on, from what is held, from long ago */
		check_eq(aioevt_shm_listen(listener, "speed", AIOEVT_SHM_RELIABLE,
					   n_rounds % 3 == 0 ? AIOEVT_SHM_FROM_NEW :
					   n_rounds % 3 == 1 ? AIOEVT_SHM_FROM_LAST :
					   AIOEVT_SHM_FROM_SEQ, n_rounds % 3 ? 3 : 0, &sub), 0);
		last = 0;
		while (n < 20) {
			int r = read_u64(sub, &record, &value);

			check(r >= 0);
			if (!r) {
				check_eq(aioevt_shm_wait(listener, in_ms(5000), &sub), 0);
				continue;
			}
			/* numbers of emitters that were revoked may be skipped: not missed */
			if (last)
				check_eq(record.missed, 0);
			check(record.seq > last);
			last = record.seq;
			n++;
		}
		aioevt_shm_sub_close(sub);
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	fprintf(stderr, "%" PRIu64 " registrations, %" PRIu64 " records\n", n_rounds,
		n_emitted[0] + n_emitted[1]);
	check(n_rounds > 20);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_never_overtaken();
	test_from_held();
	test_woken_by_reader(false);
	test_woken_by_reader(true);
	test_killed_reader();
	test_stopped_reader();
	test_registration();
	for (unsigned n = 1; n <= DEPTH; n++)
		test_growth(n);
	test_future_place();
	return bus_end();
}
