/* SPDX-License-Identifier: MIT */
/*
 * The inspection of what is no problem: the figures of a healthy bus, what is in flight, the
 * dead, a full bus, a busy one. It changes nothing, whatever the file holds.
 */

#include "inspect.h"

static void test_in_flight(void)
{
	struct aioevt_shm_inspection *seen;

	set_up();
	poke64(slot_at(a, 4, 0), slot_of(4, 0, SLOT_WRITING));
	expect_note("held-slot", "\"a\": record 5 is being written by process");
	unpoke();
	poke64(slot_at(a, 2, 0), slot_of(2, 0, SLOT_PINNED));
	seen = look_at_bus();
	check_eq(seen->n_problems, 0);
	check_eq(seen->n_slots, 1);
	check_eq(seen->slots[0].seq, 3);
	check_str(seen->slots[0].phase, "pinned");
	check_eq(seen->slots[0].pid, getpid());
	check(seen->slots[0].alive);
	check_str(seen->events[seen->slots[0].event].name, "a");
	aioevt_shm_inspection_free(seen);
	unpoke();
	check_eq(aioevt_shm_event_remove(bus, "a"), 0);
	expect_note("unburied", "\"a\" was removed");
	tear_down();
}

static void test_figures(void)
{
	struct aioevt_shm_inspection *seen;
	struct timespec now;

	set_up();
	clock_gettime(CLOCK_REALTIME, &now);
	seen = look_at_bus();
	check_str(seen->path, bus_path());
	check_eq(seen->version, BUS_VERSION);
	check(seen->is_known);
	check(!seen->is_removed);
	check_eq(seen->n_events_max, 64);
	check_eq(seen->depth, 8);
	check_eq(seen->inline_size, 104);
	check_eq(seen->memory_tables, lo.tables_end);
	check_eq(seen->memory_bodies, 4096);
	check_eq(seen->memory, seen->memory_tables + seen->memory_rings + seen->memory_bodies);
	check_eq(seen->n_alive, 1);
	check_eq(seen->n_ports, 1);
	check_eq(seen->ports[0].pid, getpid());
	check_eq(seen->ports[0].state, AIOEVT_SHM_PORT_ALIVE);
	check_eq(seen->ports[0].n_events, 2);
	check_eq(seen->ports[0].n_listeners, 1);
	check(seen->ports[0].since >= seen->created);
	check(seen->ports[0].since <= (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	check(seen->used >= seen->ports[0].since);
	check_eq(seen->n_events, 2);
	check_str(seen->events[0].name, "a");
	check_str(seen->events[0].phase, "live");
	check_eq(seen->events[0].n_records, 4);
	check_eq(seen->events[1].n_records, 2);
	check_eq(seen->events[1].n_listeners, 1);
	check_eq(seen->events[1].n_reliable, 1);
	check_eq(seen->events[0].memory + seen->events[1].memory, seen->memory_rings);
	check_eq(seen->n_readers, 1);
	check_eq(seen->readers[0].lag, 2);
	check_eq(seen->readers[0].pid, getpid());
	check(seen->readers[0].alive);
	check_eq(seen->n_slots, 0);
	aioevt_shm_inspection_free(seen);

	check_eq(aioevt_shm_event_grow(event_a, 64), 0);
	for (uint64_t i = 0; i < 200; i++)
		emit_u64(event_a, i);
	seen = look_at_bus();
	check_eq(seen->n_problems, 0);
	check_eq(seen->events[0].n_records, 204);
	check_eq(seen->events[0].n_rings, 2);
	check_eq(seen->events[0].depth, 64);
	aioevt_shm_inspection_free(seen);
	tear_down();
}

static void test_the_dead(void)
{
	struct aioevt_shm_inspection *seen;
	struct child child;

	set_up();
	child = spawn(be_killed, NULL);
	check_eq(hear(&child), 'r');
	stop_child(&child);
	seen = look_at_bus();
	check_eq(seen->n_alive, 2);
	check_eq(seen->n_readers, 2);
	aioevt_shm_inspection_free(seen);
	kill_child(&child);
	expect_note("dead-port", "port 1: process");
	seen = look_at_bus();
	check_eq(seen->n_alive, 1);
	check_eq(seen->ports[1].pid, child.pid);
	check_eq(seen->ports[1].state, AIOEVT_SHM_PORT_DEAD);
	check(!seen->readers[1].alive);
	aioevt_shm_inspection_free(seen);
	make_bus();			/* somebody comes by */
	expect_note("lag", "");
	seen = look_at_bus();
	check_eq(seen->n_ports, 1);
	check_eq(seen->n_readers, 1);
	aioevt_shm_inspection_free(seen);
	tear_down();
}

static void test_full(void)
{
	struct aioevt_shm *all[64];
	struct aioevt_shm_inspection *seen;

	for (unsigned i = 0; i < 64; i++)
		all[i] = bus_small(8);
	check_eq(try_open(NULL, 0), -EUSERS);
	seen = look_at_bus();
	check_eq(seen->n_problems, 0);
	check_eq(seen->n_ports, 64);
	check_eq(seen->n_alive, 64);
	aioevt_shm_inspection_free(seen);
	for (unsigned i = 0; i < 64; i++)
		aioevt_shm_close(all[i]);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Emit, grow, remove and make events until told to end. */
static int be_busy(struct child *me, void *arg)
{
	uint64_t random = UINT64_C(88172645463325252) + (uintptr_t)arg;
	struct pollfd told = { .fd = me->in, .events = POLLIN };
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_listener *ear;
	char name[16], large[2000] = "";

	say(me, 'r');
	while (!poll(&told, 1, 0)) {
		uint64_t r = random_u64(&random);
		struct aioevt_shm_event *event;

		snprintf(name, sizeof(name), "e%u", (unsigned)(r % 20));
		event = event_of(mine, name);
		ear = listener_of(mine);
		sub_of(ear, name, r >> 8 & 1 ? AIOEVT_SHM_RELIABLE : 0);
		for (unsigned i = 0; i < 20; i++)
			aioevt_shm_emit(event, large, r >> 9 & 1 ? 2000 : i, NULL);
		if (r >> 10 & 1)
			aioevt_shm_event_grow(event, 16);
		aioevt_shm_listener_free(ear);
		aioevt_shm_event_close(event);
		if (r >> 11 & 1)
			aioevt_shm_event_remove(mine, name);
	}
	aioevt_shm_close(mine);
	return 0;
}

/* However busy: no problem that is none. */
static void test_busy(void)
{
	uint64_t end = in_ms(1000);
	struct child child[2];
	unsigned n = 0;

	make_bus();
	for (size_t i = 0; i < 2; i++) {
		child[i] = spawn(be_busy, (void *)(i * 7919));
		check_eq(hear(&child[i]), 'r');
	}
	do {
		struct aioevt_shm_inspection *seen = look_at_bus();

		if (seen->n_problems)
			print_findings(seen);
		check_eq(seen->n_problems, 0);
		aioevt_shm_inspection_free(seen);
		n++;
	} while (now_ns() < end);
	fprintf(stderr, "%u looks at a busy bus\n", n);
	say(&child[0], 'e');
	say(&child[1], 'e');
	end_child(&child[0]);
	end_child(&child[1]);
	expect_note(NULL, NULL);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- scribbling, and what is refused ------------------------------------------------------ */

/* FNV-1a over what holds data. */
static uint64_t fingerprint(void)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	unsigned char buf[4096];
	off_t at = 0;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		check(n > 0);
		for (ssize_t i = 0; i < n; i++)
			h = (h ^ buf[i] ^ (uint64_t)at) * UINT64_C(0x100000001b3);
		at += n;
	}
	return h;
}

/* Random bytes anywhere in what holds data: it returns, in time, and writes nothing. */
static void test_scribbled(void)
{
	const char *seed = getenv("SEED");
	uint64_t random = (seed ? strtoull(seed, NULL, 10) : 4711) | 1;
	uint64_t before = 0;
	struct aioevt_shm_inspection *seen = NULL;
	struct stat st, now;

	set_up_left();
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 4; i++) {
			uint64_t r = random_u64(&random), value = random_u64(&random);
			uint64_t area = r % 8 ? round_up(region_of(b) + 65536, 8) : 512;
			uint64_t at = sizeof(uint64_t) * (random_u64(&random) % (area / 8));

			/* the counts in the header would only make it no bus */
			if (at < 128 && round % 8)
				continue;
			check_eq(pwrite(fd, &value, r >> 8 & 1 ? 8 : 1, (off_t)at),
				 r >> 8 & 1 ? 8 : 1);
		}
		if (round % 50 == 0) {
			before = fingerprint();
			check_eq(fstat(fd, &st), 0);
		}
		if (aioevt_shm_inspect(NULL, 0, &seen) == 0)
			aioevt_shm_inspection_free(seen);
		if (round % 50)
			continue;
		check_eq(fingerprint(), before);
		check_eq(fstat(fd, &now), 0);
		check_eq(now.st_blocks, st.st_blocks);
		check_eq(now.st_mtim.tv_nsec, st.st_mtim.tv_nsec);
	}
	close(fd);
	check_eq(unlink(bus_path()), 0);
}

/* Rings of 128 MiB in a file that has no memory for them are not read. */
static void test_bounded(void)
{
	struct aioevt_shm_inspection *seen;
	struct timespec ts;

	set_up_left();
	poke64(offsetof(struct bus_header, region_end), UINT64_C(1) << 50);
	poke(offsetof(struct bus_header, events_hw), 64, 4);
	for (uint32_t e = 2; e < 64; e++)
		for (uint32_t k = 0; k < MAX_RINGS; k++) {
			poke64(event_at(e, 0), event_word(1, 0, EVENT_LIVE));
			poke64(event_at(e, offsetof(struct event, ring) + 8 * k),
			       UINT64_C(1) << 40 | (uint64_t)(e * 8 + k) << 30 | 20);
			n_undo = 0;
		}
	seen = look_at_bus();
	check(has(seen->problems, seen->n_problems, "missing-memory", "no memory for"));
	check(seen->n_unlisted > 0);
	aioevt_shm_inspection_free(seen);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	check(ts.tv_sec < 10);
	close(fd);
	check_eq(unlink(bus_path()), 0);
}

static void test_refused(void)
{
	struct aioevt_shm_inspection *seen = NULL;

	check_eq(aioevt_shm_inspect(NULL, 0, &seen), -ENOENT);
	check_eq(aioevt_shm_inspect("a/b", 0, &seen), -EINVAL);
	check_eq(aioevt_shm_inspect(NULL, AIOEVT_SHM_EXISTING, &seen), -EINVAL);
	set_up();
	poke(offsetof(struct bus_header, version), BUS_VERSION + 1, 4);
	seen = look_at_bus();
	check(!seen->is_known);
	check_eq(seen->version, BUS_VERSION + 1);
	aioevt_shm_inspection_free(seen);
	poke64(0, UINT64_C(0x33317476656f6961));	/* "aioevt13" */
	seen = look_at_bus();
	check(!seen->is_known);
	check_eq(seen->version, 13);
	seen = aioevt_shm_inspection_free(seen);
	poke64(0, 0);
	check_eq(aioevt_shm_inspect(NULL, 0, &seen), -ENOEXEC);
	unpoke();
	poke(offsetof(struct bus_header, signature), 1, 8);
	check_eq(aioevt_shm_inspect(NULL, 0, &seen), -ENOEXEC);
	unpoke();
	check_eq(chmod(bus_path(), 0666), 0);
	check_eq(aioevt_shm_inspect(NULL, 0, &seen), -EPERM);
	check_eq(chmod(bus_path(), 0600), 0);
	tear_down();
	check_eq(mkfifo(bus_path(), 0600), 0);
	check_eq(aioevt_shm_inspect(NULL, 0, &seen), -EPERM);
	check_eq(remove(bus_path()), 0);
	check(!seen);
	check(!aioevt_shm_inspection_free(NULL));
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_refused();
	test_figures();
	test_in_flight();
	test_the_dead();
	test_full();
	test_busy();
	test_bounded();
	test_scribbled();
	return bus_end();
}
