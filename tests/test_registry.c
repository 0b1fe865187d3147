/* SPDX-License-Identifier: MIT */
/* Names to events: found, made once, removed, retired when there is no room, walked over. */

#include "bus.h"

#include <pthread.h>
#include <stdatomic.h>

static int try_event(struct aioevt_shm *bus, const char *name, uint32_t flags)
{
	struct aioevt_shm_event *event = NULL;
	int err = aioevt_shm_event_open(bus, name, flags, &event);

	check((err == 0) == (event != NULL));
	aioevt_shm_event_close(event);
	return err;
}

static bool exists(struct aioevt_shm *bus, const char *name)
{
	int err = try_event(bus, name, AIOEVT_SHM_EXISTING);

	check(err == 0 || err == -ENOENT);
	return !err;
}

static const char *numbered(char *buf, const char *what, unsigned i)
{
	sprintf(buf, "%s.%u", what, i);
	return buf;
}

/* How often a walk shows @name (NULL: any). */
static unsigned walk_count(struct aioevt_shm *bus, const char *name)
{
	char found[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;
	unsigned n = 0;
	int r;

	while ((r = aioevt_shm_event_next(bus, &walk, found)) == 1)
		n += !name || !strcmp(name, found);
	check_eq(r, 0);
	check_eq(aioevt_shm_event_next(bus, &walk, found), 0);
	return n;
}

static void test_life(void)
{
	struct aioevt_shm *bus = bus_small(8), *other = bus_small(8);
	struct aioevt_shm_event *event;
	char longest[AIOEVT_SHM_NAME_MAX + 2];

	check_eq(walk_count(bus, NULL), 0);
	check(!exists(bus, "a"));
	check_eq(aioevt_shm_event_remove(bus, "a"), -ENOENT);
	check_eq(try_event(bus, "a", 0), 0);
	check(exists(bus, "a") && exists(other, "a"));
	check_eq(try_event(bus, "a.b", 0), 0);
	check_eq(walk_count(other, "a"), 1);
	check_eq(walk_count(other, "a.b"), 1);
	check_eq(walk_count(other, NULL), 2);
	check_eq(aioevt_shm_event_remove(other, "a"), 0);
	check(!exists(bus, "a") && exists(bus, "a.b"));
	check_eq(walk_count(bus, NULL), 1);
	check_eq(try_event(bus, "a", 0), 0);
	check_eq(walk_count(bus, NULL), 2);

	memset(longest, 'x', sizeof(longest));
	longest[AIOEVT_SHM_NAME_MAX + 1] = '\0';
	check_eq(try_event(bus, longest, 0), -EINVAL);
	check_eq(aioevt_shm_event_remove(bus, longest), -EINVAL);
	longest[AIOEVT_SHM_NAME_MAX] = '\0';
	check_eq(try_event(bus, longest, 0), 0);
	check_eq(walk_count(other, longest), 1);
	check_eq(try_event(bus, "", 0), -EINVAL);
	check_eq(try_event(bus, "a.*", 0), -EINVAL);
	check_eq(try_event(bus, "a b", 0), -EINVAL);
	check_eq(try_event(bus, "a", 1u << 31), -EINVAL);
	check_eq(aioevt_shm_event_remove(bus, "*"), -EINVAL);

	/* It outlives its users: what was emitted is still there. */
	event = event_of(bus, "a.b");
	emit_u64(event, 1);
	aioevt_shm_event_close(event);
	event = event_of(other, "a.b");
	check_eq(emit_u64(event, 1), 2);
	aioevt_shm_event_close(event);
	aioevt_shm_close(other);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* A full table of 64 in 128 buckets: some share one. */
static void test_full_table(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event[64], *more = NULL;
	struct aioevt_shm_info info;
	char name[32];

	for (unsigned i = 0; i < 64; i++) {
		event[i] = event_of(bus, numbered(name, "full", i));
		for (unsigned k = 0; k < i; k++)
			emit_u64(event[i], k);
	}
	check_eq(walk_count(bus, NULL), 64);
	check_eq(aioevt_shm_event_open(bus, "one.more", 0, &more), -ENOSPC);
	for (unsigned i = 0; i < 64; i++) {
		struct aioevt_shm_event_info ei;

		check_eq(walk_count(bus, numbered(name, "full", i)), 1);
		more = event_of(bus, name);
		check_eq(aioevt_shm_event_get_info(more, &ei), 0);
		check_eq(ei.n_records, i);
		aioevt_shm_event_close(more);
	}
	aioevt_shm_event_close(event[33]);
	check_eq(try_event(bus, "one.more", 0), 0);
	check(!exists(bus, "full.33"));
	check(exists(bus, "full.34"));
	for (unsigned i = 0; i < 64; i++)
		if (i != 33)
			aioevt_shm_event_close(event[i]);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.events_used, 64);
	/* every other one out, and in again */
	for (unsigned i = 0; i < 64; i += 2)
		check_eq(aioevt_shm_event_remove(bus, numbered(name, "full", i)), 0);
	check_eq(walk_count(bus, NULL), 32);
	for (unsigned i = 1; i < 64; i += 2)
		check(i == 33 || exists(bus, numbered(name, "full", i)));
	for (unsigned i = 0; i < 64; i += 2)
		check_eq(try_event(bus, numbered(name, "full", i), 0), 0);
	check_eq(walk_count(bus, NULL), 64);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* The oldest use counts; to look at an event, as a lister does, is none. */
static void test_oldest_goes(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *ev;
	char name[32];

	for (unsigned i = 0; i < 64; i++)
		check_eq(try_event(bus, numbered(name, "old", i), 0), 0);
	await_tick();			/* of the coarse clock */
	for (unsigned i = 0; i < 64; i++)
		if (i != 7 && i != 40)
			check_eq(try_event(bus, numbered(name, "old", i), 0), 0);
	await_tick();
	check(exists(bus, "old.7"));
	check(exists(bus, "old.40"));
	/* but to emit is one, however it was opened */
	check_eq(aioevt_shm_event_open(bus, "old.40", AIOEVT_SHM_EXISTING, &ev), 0);
	emit_u64(ev, 1);
	aioevt_shm_event_close(ev);
	check_eq(try_event(bus, "new.0", 0), 0);
	check_eq(walk_count(bus, "old.7"), 0);
	check_eq(walk_count(bus, "old.40"), 1);
	for (unsigned i = 0; i < 64; i++)
		if (i != 7 && i != 13)
			check_eq(try_event(bus, numbered(name, "old", i), 0), 0);
	check_eq(try_event(bus, "new.1", 0), 0);
	check_eq(walk_count(bus, "old.13"), 0);
	check_eq(walk_count(bus, NULL), 64);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_budget(void)
{
	struct aioevt_shm_config config = bus_config(64, 64, 8);
	struct aioevt_shm_event *event, *held[64], *more = NULL;
	struct aioevt_shm_info info;
	struct aioevt_shm *bus;
	unsigned n_held, used;
	char name[32];

	config.ring_budget = 65536;
	bus = bus_open(&config);
	event = event_of(bus, "held");
	emit_u64(event, 1);
	for (unsigned i = 0; i < 300; i++)
		check_eq(try_event(bus, numbered(name, "budget", i), 0), 0);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check(info.events_used > 4 && info.events_used < 60);
	check_eq(walk_count(bus, "held"), 1);
	check_eq(walk_count(bus, "budget.299"), 1);
	check_eq(walk_count(bus, "budget.0"), 0);
	check_eq(emit_u64(event, 1), 2);
	used = info.events_used;

	for (n_held = 0; n_held < 64; n_held++)
		if (aioevt_shm_event_open(bus, numbered(name, "open", n_held), 0,
					  &held[n_held]) < 0)
			break;
	check_eq(n_held, used - 1);
	check_eq(aioevt_shm_event_open(bus, "one.more", 0, &more), -ENOSPC);
	check_eq(aioevt_shm_event_grow(event, 1024), -ENOSPC);
	check_eq(emit_u64(event, 1), 3);
	for (unsigned i = 0; i < n_held; i++)
		aioevt_shm_event_close(held[i]);
	/* The idle ones go for one that grows. */
	check_eq(aioevt_shm_event_grow(event, 256), 0);
	check_eq(emit_u64(event, 1), 4);
	check(walk_count(bus, NULL) < used);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Sanitizers multiply what it takes. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define LESS		6u
#else
#define LESS		1u
#endif

#define N_JOBS		(20000u / LESS)

/* One job, one name, for ever: on a default bus. */
static void test_many_names(void)
{
	struct aioevt_shm *bus = bus_open(NULL);
	struct aioevt_shm_event *held = event_of(bus, "held"), *event;
	struct aioevt_shm_info info;
	uint64_t memory = 0;
	char name[32];

	emit_u64(held, 1);
	for (unsigned i = 0; i < N_JOBS; i++) {
		event = event_of(bus, numbered(name, "job", i));
		emit_u64(event, i);
		aioevt_shm_event_close(event);
		if (i % 1000 != 999)
			continue;
		check_eq(aioevt_shm_get_info(bus, &info), 0);
		if (i == 999)
			memory = info.memory;
		check(info.memory <= memory + (1 << 20));
		check(info.memory <= info.ring_budget + (8 << 20));
	}
	check_eq(walk_count(bus, numbered(name, "job", N_JOBS - 1)), 1);
	check_eq(walk_count(bus, "held"), 1);
	check_eq(emit_u64(held, 2), 2);
	aioevt_shm_event_close(held);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- removed while open -------------------------------------------------------------------- */

static void test_remove_open(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "rm"), *second = event_of(bus, "rm");
	struct aioevt_shm_event *existing = NULL;
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "rm", 0);
	struct aioevt_shm_event_info info;
	struct aioevt_shm_record record;
	uint64_t value = 0;

	check_eq(aioevt_shm_event_open(bus, "rm", AIOEVT_SHM_EXISTING, &existing), 0);
	for (uint64_t i = 1; i <= 5; i++)
		check_eq(emit_u64(event, i), i);
	for (uint64_t i = 1; i <= 3; i++)
		check_eq(read_u64(sub, &record, &value), 1);
	check_eq(aioevt_shm_event_remove(bus, "rm"), 0);
	check_eq(walk_count(bus, "rm"), 0);
	check_eq(aioevt_shm_event_remove(bus, "rm"), -ENOENT);
	check_eq(aioevt_shm_emit(existing, NULL, 0, NULL), -ENOENT);
	check_eq(walk_count(bus, "rm"), 0);
	check_eq(emit_u64(event, 6), 6);
	check_eq(emit_u64(second, 7), 7);
	check_eq(emit_u64(existing, 8), 8);
	check_eq(walk_count(bus, "rm"), 1);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_records, 3);
	check_eq(info.last_seq, 8);
	for (uint64_t i = 4, missed = 0; i <= 8; i++) {
		int r = read_u64(sub, &record, &value);

		check_eq(r, 1);
		/* what was removed may be lost, but is told */
		missed += record.missed;
		check_eq(record.seq, value);
		if (i == 4)
			i += missed;
		check_eq(record.seq, i);
	}
	check_eq(read_u64(sub, &record, &value), 0);
	aioevt_shm_event_close(existing);
	aioevt_shm_event_close(second);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	/* all its users are gone, and with them the first one's memory */
	check_eq(try_event(bus, "rm", 0), 0);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* What a reader is told when the fresh event has overtaken it before it looks. */
static void test_remove_missed(uint32_t flags, unsigned n_before, unsigned n_after)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "rm");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "rm", flags), *got;
	struct aioevt_shm_record record;
	uint64_t value = 0, last = 0, seq = 0;
	unsigned n = 0;
	int r;

	fprintf(stderr, "flags %#x, %u before, %u after\n", flags, n_before, n_after);
	for (unsigned i = 0; i < n_before; i++)
		seq = emit_u64(event, seq + 1);
	check_eq(aioevt_shm_event_remove(bus, "rm"), 0);
	for (unsigned i = 0; i < n_after; i++)
		check_eq(emit_u64(event, seq + 1), seq + 1), seq++;
	while ((r = read_u64(sub, &record, &value)) > 0) {
		check_eq(record.seq, value);
		check_eq(record.missed, record.seq - last - 1);
		last = record.seq;
		n++;
	}
	check_eq(r, 0);
	check_eq(last, seq);
	check(n > 0);
	/* it is attached to the fresh one for good: woken, and if reliable not overtaken */
	check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	for (unsigned i = 0; i < 8; i++)
		seq = emit_u64(event, seq + 1);
	check_eq(aioevt_shm_emit(event, &value, 8, NULL),
		 flags & AIOEVT_SHM_RELIABLE ? -EAGAIN : 0);
	check_eq(aioevt_shm_wait(listener, 0, &got), 0);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- at once ---------------------------------------------------------------------------------- */

#define N_THREADS	4
#define N_ROUNDS	(200u / LESS)

static pthread_barrier_t barrier;

static void *open_same(void *arg)
{
	struct aioevt_shm *bus = arg;
	char name[32];

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		struct aioevt_shm_event *event;

		pthread_barrier_wait(&barrier);
		event = event_of(bus, numbered(name, "same", i));
		emit_u64(event, i);
		pthread_barrier_wait(&barrier);
		if (i % 3 == 0)
			aioevt_shm_event_remove(bus, name);
		aioevt_shm_event_close(event);
	}
	return NULL;
}

static void test_same_at_once(void)
{
	struct aioevt_shm_config config = bus_config(256, 64, 8);
	struct aioevt_shm *bus[N_THREADS];
	struct aioevt_shm_event_info info;
	struct aioevt_shm_event *event;
	pthread_t thread[N_THREADS];
	char name[32];

	pthread_barrier_init(&barrier, NULL, N_THREADS);
	for (int i = 0; i < N_THREADS; i++)
		bus[i] = bus_open(&config);
	for (int i = 0; i < N_THREADS; i++)
		check_eq(pthread_create(&thread[i], NULL, open_same, bus[i]), 0);
	for (int i = 0; i < N_THREADS; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		check_eq(walk_count(bus[0], numbered(name, "same", i)), i % 3 != 0);
		if (i % 3 == 0)
			continue;
		event = event_of(bus[0], name);
		check_eq(aioevt_shm_event_get_info(event, &info), 0);
		check_eq(info.n_records, N_THREADS);
		aioevt_shm_event_close(event);
	}
	for (int i = 0; i < N_THREADS; i++)
		aioevt_shm_close(bus[i]);
	pthread_barrier_destroy(&barrier);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/*
 * A hundred names for a table of 64, four threads that open, emit, close and remove. A
 * number must not come twice under one name, nor a record under another's name.
 */
#define N_NAMES		100u
#define MAX_SEQ		65536u
#define N_TURNS		(2500u / LESS)

static _Atomic unsigned char seen[N_NAMES][MAX_SEQ];
static _Atomic unsigned n_busy;

static void use_name(struct aioevt_shm *bus, struct aioevt_shm_listener *listener,
		     unsigned i, unsigned what)
{
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_sub *sub = NULL;
	struct aioevt_shm_record record;
	uint64_t seq, value = 0;
	char name[32];
	int r;

	numbered(name, "reuse", i);
	if (what % 8 == 0) {
		r = aioevt_shm_event_remove(bus, name);
		check(!r || r == -ENOENT);
		return;
	}
	r = aioevt_shm_event_open(bus, name, 0, &event);
	check_eq(r, 0);
	seq = emit_u64(event, i);
	check(seq && seq < MAX_SEQ);
	check_eq(atomic_exchange(&seen[i][seq], 1), 0);
	if (what % 8 == 1) {
		check_eq(aioevt_shm_listen(listener, name, 0, AIOEVT_SHM_FROM_LAST, 3,
					   &sub), 0);
		while ((r = read_u64(sub, &record, &value)) == 1)
			check_eq(value, i);
		check_eq(r, 0);
		aioevt_shm_sub_close(sub);
	}
	aioevt_shm_event_close(event);
}

static void *use_names(void *arg)
{
	struct aioevt_shm *bus = arg;
	struct aioevt_shm_listener *listener = listener_of(bus);
	uint64_t seed = (uintptr_t)bus | 1;

	for (unsigned n = 0; n < N_TURNS; n++) {
		uint64_t r = random_u64(&seed);

		use_name(bus, listener, (r >> 8) % N_NAMES, (unsigned)(r >> 40));
	}
	aioevt_shm_listener_free(listener);
	atomic_fetch_sub(&n_busy, 1);
	return NULL;
}

static void test_reuse_at_once(void)
{
	struct aioevt_shm *bus[N_THREADS];
	struct aioevt_shm_info info;
	pthread_t thread[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		bus[i] = bus_small(8);
	n_busy = N_THREADS - 1;
	for (int i = 0; i < N_THREADS - 1; i++)
		check_eq(pthread_create(&thread[i], NULL, use_names, bus[i]), 0);
	while (atomic_load(&n_busy)) {
		char name[AIOEVT_SHM_NAME_MAX + 1];
		uint32_t walk = 0;

		while (aioevt_shm_event_next(bus[N_THREADS - 1], &walk, name) == 1)
			check(!strncmp(name, "reuse.", 6));
	}
	for (int i = 0; i < N_THREADS - 1; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	check_eq(aioevt_shm_get_info(bus[0], &info), 0);
	check(info.events_used <= 64);
	check_eq(info.listeners_used, 0);
	for (int i = 0; i < N_THREADS; i++)
		aioevt_shm_close(bus[i]);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(100);
	test_life();
	test_full_table();
	test_oldest_goes();
	test_budget();
	test_same_at_once();
	test_reuse_at_once();
	test_many_names();
	test_remove_open();
	test_remove_missed(0, 3, 4);
	test_remove_missed(0, 3, 20);
	test_remove_missed(0, 20, 3);
	test_remove_missed(0, 8, 3);
	test_remove_missed(0, 20, 20);
	test_remove_missed(AIOEVT_SHM_RELIABLE, 3, 4);
	test_remove_missed(AIOEVT_SHM_RELIABLE, 8, 4);
	test_remove_missed(AIOEVT_SHM_RELIABLE, 3, 20);
	return bus_end();
}
