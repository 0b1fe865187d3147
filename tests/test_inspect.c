/* SPDX-License-Identifier: MIT */
/*
 * The inspection names each inconsistency that is poked into the file of a bus, finds nothing
 * on a healthy one however busy, and leaves the file as it is.
 */

#include "bus.h"

#include <fcntl.h>

#include "event-map.h"
#include "layout-compute.h"
#include "registry.h"

/* ---- the bus that is poked ------------------------------------------------------------ */

static int fd;				/* of the file */
static struct layout lo;
static uint64_t base;			/* first sequence number */
static struct aioevt_shm *bus;
static struct aioevt_shm_event *event_a, *event_b;
static struct aioevt_shm_listener *listener;
static uint32_t a, b;			/* their places in the table */

static struct {
	uint64_t offset;
	unsigned char old[8];
	size_t size;
} undo[64];
static size_t n_undo;

static void peek(uint64_t offset, void *buf, size_t size)
{
	check_eq(pread(fd, buf, size, (off_t)offset), size);
}

static uint64_t peek64(uint64_t offset)
{
	uint64_t value;

	peek(offset, &value, sizeof(value));
	return value;
}

static void poke(uint64_t offset, uint64_t value, size_t size)
{
	check(n_undo < 64);
	undo[n_undo].offset = offset;
	undo[n_undo].size = size;
	peek(offset, undo[n_undo++].old, size);
	check_eq(pwrite(fd, &value, size, (off_t)offset), size);
}

static void poke64(uint64_t offset, uint64_t value)
{
	poke(offset, value, 8);
}

static void unpoke(void)
{
	while (n_undo) {
		n_undo--;
		check_eq(pwrite(fd, undo[n_undo].old, undo[n_undo].size,
				(off_t)undo[n_undo].offset), undo[n_undo].size);
	}
}

static uint64_t port_at(uint32_t p, size_t member)
{
	return lo.ports + (uint64_t)p * lo.port_stride + member;
}

static uint64_t listener_at(uint32_t l, size_t member)
{
	return lo.listeners + (uint64_t)l * lo.listener_stride + member;
}

static uint64_t event_at(uint32_t e, size_t member)
{
	return lo.events + (uint64_t)e * lo.event_stride + member;
}

static uint64_t region_of(uint32_t e)
{
	return peek64(event_at(e, offsetof(struct event, ring))) & ~(REGION_ALIGN - 1);
}

static uint64_t ring_at(uint32_t e, size_t member)
{
	return region_of(e) + lo.ctl_size + member;
}

/* Slot of the @n-th number since the ring began. */
static uint64_t slot_at(uint32_t e, uint64_t n, size_t member)
{
	uint64_t slots = ring_region_size(&lo, lo.depth) - (uint64_t)lo.depth * lo.slot_size;

	return ring_at(e, slots + (base + n) % lo.depth * lo.slot_size + member);
}

static uint64_t slot_of(uint64_t n, uint32_t port, uint32_t phase)
{
	return slot_word((base + n) / lo.depth, port, phase, false);
}

static uint64_t cursor_at(uint32_t l)
{
	return region_of(b) + lo.ctl_size - lo.n_listeners * 8 +
	       (l % (lo.n_listeners / 8) * 8 + l / (lo.n_listeners / 8)) * 8;
}

/* The bucket whose link leads to event @e: its offset. 0: none does, it is further down. */
static uint64_t bucket_of(uint32_t e)
{
	for (uint32_t i = 0; i < lo.n_buckets; i++)
		if ((uint32_t)peek64(lo.buckets + i * sizeof(struct bucket)) >> 1 == e + 1)
			return lo.buckets + i * sizeof(struct bucket);
	return 0;
}

static void tear_down(void)
{
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event_a);
	aioevt_shm_event_close(event_b);
	aioevt_shm_close(bus);
	close(fd);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Event a: three records and one with a body. Event b: two, and a reliable reader. */
static void set_up(void)
{
	struct bus_header header;
	char large[300] = "";

	bus = bus_small(8);
	event_a = event_of(bus, "a");
	event_b = event_of(bus, "b");
	listener = listener_of(bus);
	sub_of(listener, "b", AIOEVT_SHM_RELIABLE);
	for (uint64_t i = 0; i < 3; i++)
		emit_u64(event_a, i);
	check_eq(aioevt_shm_emit(event_a, large, sizeof(large), NULL), 0);
	emit_u64(event_b, 1);
	emit_u64(event_b, 2);

	fd = open(bus_path(), O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	peek(0, &header, sizeof(header));
	check_eq(layout_from_header(&header, &lo), 0);
	base = seq_bias(&lo);
	a = 0;
	b = 1;
	if (!bucket_of(a)) {		/* both are in one list: rare, the key is random */
		tear_down();
		set_up();
	}
}

/* The same, and nobody is attached. */
static void set_up_left(void)
{
	set_up();
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event_a);
	aioevt_shm_event_close(event_b);
	aioevt_shm_close(bus);
}

static struct aioevt_shm_inspection *look_at_bus(void)
{
	struct aioevt_shm_inspection *seen = NULL;

	check_eq(aioevt_shm_inspect(NULL, 0, &seen), 0);
	return seen;
}

static void print_findings(const struct aioevt_shm_inspection *seen)
{
	for (size_t i = 0; i < seen->n_problems; i++)
		fprintf(stderr, "  problem %s: %s\n", seen->problems[i].code,
			seen->problems[i].text);
	for (size_t i = 0; i < seen->n_notes; i++)
		fprintf(stderr, "  note %s: %s\n", seen->notes[i].code, seen->notes[i].text);
}

static bool has(const struct aioevt_shm_finding *findings, size_t n, const char *code,
		const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(findings[i].code, code) && strstr(findings[i].text, text))
			return true;
	return false;
}

/* Healthy, with a note of this kind (NULL: none). */
static void expect_note(const char *code, const char *text)
{
	struct aioevt_shm_inspection *seen = look_at_bus();

	fprintf(stderr, "note %s\n", code ? code : "none");
	print_findings(seen);
	check_eq(seen->n_problems, 0);
	check(code ? has(seen->notes, seen->n_notes, code, text) : !seen->n_notes);
	aioevt_shm_inspection_free(seen);
}

/* ---- what is wrong ----------------------------------------------------------------------- */

static void port_without_state(void) { poke64(port_at(5, 0), 7); }
static void port_over_mark(void) { poke(offsetof(struct bus_header, ports_hw), 0, 4); }
static void listener_over_mark(void)
{
	poke(offsetof(struct bus_header, listeners_hw), 0, 4);
}
static void event_over_mark(void) { poke(offsetof(struct bus_header, events_hw), 1, 4); }
static void mark_over_table(void) { poke(offsetof(struct bus_header, events_hw), 65, 4); }
static void marked_as_removed(void) { poke(offsetof(struct bus_header, removed), 1, 4); }
static void region_end(void) { poke64(offsetof(struct bus_header, region_end), 4711); }
static void body_end(void) { poke64(offsetof(struct bus_header, body_end), 4711); }
static void free_port_uses(void) { poke64(port_at(5, offsetof(struct port, using)), 2); }
static void free_port_makes(void)
{
	poke64(port_at(5, offsetof(struct port, pending_offset)), REGION_ALIGN * 100);
}
static void port_makes_nonsense(void)
{
	poke64(port_at(0, offsetof(struct port, pending_offset)), 4711);
}
static void listener_of_nobody(void)
{
	poke(listener_at(0, offsetof(struct listener, owner)), 7, 4);
}
static void patterns_of_nobody(void) { poke64(lo.patterns, 1u << 9); }
static void bit_of_nobody(void)
{
	poke64(event_at(a, offsetof(struct event, listeners)), 1u << 9);
	poke(event_at(a, offsetof(struct event, n_words)), 1, 4);
}
static void bit_not_looked_for(void)
{
	poke(event_at(b, offsetof(struct event, n_words)), 0, 4);
}
static void words_over_table(void)
{
	poke(event_at(b, offsetof(struct event, n_words)), 2, 4);
}
static void reader_of_nobody(void)
{
	poke64(region_of(b) + offsetof(struct event_ctl, reliable), 1u << 9 | 1);
}
static void reader_without_bit(void)
{
	poke64(event_at(b, offsetof(struct event, listeners)), 0);
}
static void cursor_too_high(void) { poke64(cursor_at(0), base + 10); }
static void reader_overtaken(void) { poke64(cursor_at(0), base - 10); }
static void event_without_state(void) { poke64(event_at(a, 0), event_word(1, 0, 9)); }
static void event_without_name(void)
{
	poke64(event_at(a, offsetof(struct event, name)), 0xff01);
}
static void event_half_made(void)
{
	poke64(event_at(40, 0), event_word(1, 5, EVENT_NEW));
	poke(offsetof(struct bus_header, events_hw), 41, 4);
}
static void event_ended(void)
{
	poke64(event_at(a, offsetof(struct event, ring) + 8), RING_SEALED);
}
static void event_without_ring(void) { poke64(event_at(a, offsetof(struct event, ring)), 0); }
static void list_endless(void)
{
	poke64(event_at(a, offsetof(struct event, next)), peek64(bucket_of(a)));
}
static void list_out_of_table(void) { poke64(bucket_of(a), UINT64_C(0x1000000ff)); }
static void list_of_the_dead(void)
{
	poke64(bucket_of(a), peek64(bucket_of(a)) + (UINT64_C(1) << 32));
}
static void list_without(void) { poke64(bucket_of(a), 0); }
static void list_marked(void) { poke64(event_at(a, offsetof(struct event, next)), 1); }
static void list_twice(void) { poke64(bucket_of(b), peek64(bucket_of(a))); }
static void name_in_wrong_list(void)
{
	poke64(event_at(a, offsetof(struct event, name)), 'x' << 8 | 1);
}

/* A second event of a's name in a's list. */
static void name_twice(void)
{
	uint64_t first = bucket_of(a), link = peek64(first);

	poke64(event_at(40, 0), event_word(1, 0, EVENT_LIVE));
	poke64(event_at(40, offsetof(struct event, name)),
	       peek64(event_at(a, offsetof(struct event, name))));
	poke64(event_at(40, offsetof(struct event, next)), link);
	poke64(first, UINT64_C(1) << 32 | 41 << 1);
	poke(offsetof(struct bus_header, events_hw), 41, 4);
}
static void ring_out_of_file(void)
{
	poke64(event_at(a, offsetof(struct event, ring)), REGION_ALIGN * 1000 | 3);
}
static void ring_of_another(void)
{
	poke64(event_at(a, offsetof(struct event, ring)),
	       peek64(event_at(b, offsetof(struct event, ring))));
}
static void ring_of_other_depth(void)
{
	poke(ring_at(a, offsetof(struct ring_header, depth)), 16, 4);
}
static void head_below_base(void)
{
	poke64(ring_at(a, offsetof(struct ring_header, head)), base - 1);
}
static void head_behind(void) { poke64(slot_at(a, 5, 0), slot_of(5, 0, SLOT_COMMITTED)); }
static void slot_without_state(void) { poke64(slot_at(a, 1, 0), slot_of(1, 0, 6)); }
static void slot_emptied(void) { poke64(slot_at(a, 1, 0), 0); }
static void slot_too_old(void) { poke64(slot_at(a, 1, 0), slot_of(1, 0, 2) - (2u << 18)); }
static void slot_of_nobody(void) { poke64(slot_at(a, 4, 0), slot_of(4, 5, SLOT_WRITING)); }
static void slot_pinned_by_nobody(void) { poke64(slot_at(a, 2, 0), slot_of(2, 99, SLOT_PINNED)); }
static void ring_closed(void) { poke64(slot_at(a, 4, 0), slot_of(4, 0, SLOT_CLOSED)); }
static void record_too_large(void)
{
	poke(slot_at(a, 0, offsetof(struct slot, size)), UINT32_MAX, 4);
}
static void record_without_body(void)
{
	poke(slot_at(a, 3, offsetof(struct slot, body)), 0, 4);
}
static void body_in_two_places(void)
{
	poke(slot_at(a, 0, offsetof(struct slot, body)), 1, 4);
}
static uint64_t body_owner(void)
{
	return ring_at(a, offsetof(struct ring_header, body_owner));
}
static void body_free_and_linked(void) { poke(body_owner(), 0, 4); }
static void body_of_nobody(void) { poke(body_owner() + 4, 2 | 5 << 2, 4); }
static void body_in_no_place(void) { poke(body_owner() + 4, 1, 4); }
static void bodies_out_of_file(void)
{
	poke64(ring_at(a, offsetof(struct ring_header, body_base)), BODY_BASE + BODY_ALIGN * 8);
	poke64(offsetof(struct bus_header, body_end), BODY_BASE + BODY_ALIGN);
}
static void void_counted(void) { poke64(ring_at(a, offsetof(struct ring_header, voids)), 9); }

static const struct {
	const char *name;
	void (*poke)(void);
	const char *code, *text;
} cases[] = {
#define CASE(f, code, text) { #f, f, code, text }
	CASE(port_without_state, "port", "state 7"),
	CASE(port_over_mark, "port", "below 0 only"),
	CASE(listener_over_mark, "listener", "below 0 only"),
	CASE(event_over_mark, "event", "below 1 only"),
	CASE(mark_over_table, "header", "65 of 64"),
	CASE(marked_as_removed, "header", "marked as removed"),
	CASE(region_end, "header", "end of the rings"),
	CASE(body_end, "header", "end of the bodies"),
	CASE(free_port_uses, "free-port", "port 5, which nobody has, keeps 1 events"),
	CASE(free_port_makes, "free-port", "making a ring"),
	CASE(port_makes_nonsense, "port", "no place for one"),
	CASE(listener_of_nobody, "listener", "belongs to port 6"),
	CASE(patterns_of_nobody, "listener", "listener 9, which nobody has, has patterns"),
	CASE(bit_of_nobody, "listener-bit", "\"a\" has the bit of listener 9"),
	CASE(bit_not_looked_for, "listener-bit", "\"b\": listener 0 is not looked for"),
	CASE(words_over_table, "event", "2 words of listeners, of 1"),
	CASE(reader_of_nobody, "reader", "\"b\" waits for listener 9, which nobody has"),
	CASE(reader_without_bit, "reader", "does not listen"),
	CASE(cursor_too_high, "cursor", "is 8 records ahead"),
	CASE(reader_overtaken, "overtaken", "\"b\""),
	CASE(event_without_state, "event", "place 0 is in state"),
	CASE(event_without_name, "name", "place 0"),
	CASE(event_half_made, "unfinished", "port 5, which nobody has"),
	CASE(event_ended, "event", "\"a\" is ended, but not dead"),
	CASE(event_without_ring, "ring-place", "no ring"),
	CASE(list_endless, "endless", "does not end"),
	CASE(list_out_of_table, "list", "out of the table"),
	CASE(list_of_the_dead, "list", "no more"),
	CASE(list_without, "list", "\"a\" is in no list"),
	CASE(list_marked, "list", "taken out"),
	CASE(list_twice, "list", "two lists"),
	CASE(name_in_wrong_list, "list", "its name belongs into"),
	CASE(name_twice, "twice", "\"a\""),
	CASE(ring_out_of_file, "ring-place", "\"a\": ring 0 has no place"),
	CASE(ring_of_another, "shared-memory", "same ring"),
	CASE(ring_of_other_depth, "ring", "is not there"),
	CASE(head_below_base, "head", "below its first"),
	CASE(head_behind, "head", "record 6 was claimed, and the head is behind, at 5"),
	CASE(slot_without_state, "slot", "no state"),
	CASE(slot_emptied, "slot", "record 2 is empty"),
	CASE(slot_too_old, "slot", "holds record"),
	CASE(slot_of_nobody, "held-slot", "record 5 is being written by port 5"),
	CASE(slot_pinned_by_nobody, "held-slot", "port 99"),
	CASE(ring_closed, "closed", "none follows"),
	CASE(record_too_large, "size", "record 1 has 4294967295 bytes"),
	CASE(record_without_body, "body", "record 4: it is at body 0"),
	CASE(body_in_two_places, "body", "body 1 is in 2 places"),
	CASE(body_free_and_linked, "body", "is free, and in a place"),
	CASE(body_of_nobody, "body", "body 2 belongs to port 5"),
	CASE(body_in_no_place, "body", "body 2 is in no place"),
	CASE(bodies_out_of_file, "body", "no place for them"),
	CASE(void_counted, "voids", "\"a\": 9 numbers"),
#undef CASE
};

static void test_each_poke(void)
{
	set_up();
	expect_note("lag", "2 records behind, of 8");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aioevt_shm_inspection *seen;

		fprintf(stderr, "%s\n", cases[i].name);
		cases[i].poke();
		seen = look_at_bus();
		print_findings(seen);
		check(has(seen->problems, seen->n_problems, cases[i].code, cases[i].text));
		aioevt_shm_inspection_free(seen);
		unpoke();
	}
	expect_note("lag", "2 records behind, of 8");
	tear_down();
}

/* Not in a bus in use: its users would get SIGBUS. */
static void test_memory(void)
{
	struct aioevt_shm_inspection *seen;
	uint64_t end;

	set_up();
	end = peek64(offsetof(struct bus_header, region_end));
	check_eq(pwrite(fd, "x", 1, (off_t)end), 1);
	seen = look_at_bus();
	print_findings(seen);
	check(has(seen->problems, seen->n_problems, "lost-memory", "4096 bytes at"));
	check(has(seen->problems, seen->n_problems, "lost-memory", "4096 bytes more"));
	aioevt_shm_inspection_free(seen);
	check_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)end, 65536), 0);
	expect_note("lag", "");
	/* what was allocated and not written to is no data, but counts */
	check_eq(fallocate(fd, 0, (off_t)end, 8192), 0);
	seen = look_at_bus();
	check(has(seen->problems, seen->n_problems, "lost-memory", "8192 bytes more"));
	aioevt_shm_inspection_free(seen);
	tear_down();

	set_up();
	check_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   (off_t)region_of(a), 4096), 0);
	seen = look_at_bus();
	print_findings(seen);
	check(has(seen->problems, seen->n_problems, "missing-memory", "4096 bytes"));
	aioevt_shm_inspection_free(seen);
	tear_down();
}

static void test_cut(void)
{
	struct aioevt_shm_inspection *seen;
	int again;

	set_up_left();
	again = dup(fd);
	check_eq(fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   (off_t)lo.events / 4096 * 4096, 4096), 0);
	seen = look_at_bus();
	print_findings(seen);
	check(has(seen->problems, seen->n_problems, "list", "where its event is no more"));
	aioevt_shm_inspection_free(seen);
	check_eq(ftruncate(again, 4096), 0);
	seen = look_at_bus();
	check_eq(seen->n_problems, 1);
	check(has(seen->problems, 1, "truncated", "has 4096 bytes"));
	aioevt_shm_inspection_free(seen);
	check_eq(ftruncate(again, 100), 0);
	check_eq(aioevt_shm_inspect(NULL, 0, &seen), -ENOEXEC);
	close(again);
	close(fd);
	check_eq(unlink(bus_path()), 0);

	make_bus();
	again = open(bus_path(), O_RDWR | O_CLOEXEC);
	check_eq(fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 4096), 0);
	close(again);
	seen = look_at_bus();
	check(has(seen->problems, seen->n_problems, "missing-memory", "the tables have holes"));
	aioevt_shm_inspection_free(seen);
	check_eq(unlink(bus_path()), 0);
}

/* ---- what is not -------------------------------------------------------------------------- */

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

static int be_killed(struct child *me, void *arg)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_listener *ear = listener_of(mine);

	sub_of(ear, "b", AIOEVT_SHM_RELIABLE);
	say(me, 'r');
	hear(me);
	return arg != NULL;
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
	poke(offsetof(struct bus_header, version), 9, 4);
	seen = look_at_bus();
	check(!seen->is_known);
	check_eq(seen->version, 9);
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

/* ---- removing what nobody uses ------------------------------------------------------------ */

#define HOUR	UINT64_C(3600000000000)

/* Set each sign of use to @hours ago, and @which of them to @other_hours ago. */
static void set_age(uint64_t hours, const char *which, uint64_t other_hours)
{
	static const char *const signs[] = { "created", "since", "record", "file" };
	struct timespec ts, times[2];
	uint64_t at[4], ns;

	at[0] = offsetof(struct bus_header, created);
	at[1] = port_at(0, offsetof(struct port, since));
	at[2] = slot_at(a, 3, offsetof(struct slot, time));
	clock_gettime(CLOCK_REALTIME, &ts);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t ago = strcmp(signs[i], which) ? hours : other_hours;

		ns = (uint64_t)ts.tv_sec * 1000000000u - ago * HOUR;
		if (i == 2)
			for (unsigned n = 0; n < 4; n++) {
				poke64(slot_at(a, n, offsetof(struct slot, time)), ns);
				poke64(slot_at(b, n & 1, offsetof(struct slot, time)), ns);
			}
		else if (i < 2)
			poke64(at[i], ns);
		else
			times[0] = times[1] = (struct timespec){
				.tv_sec = (time_t)(ns / 1000000000u) };
	}
	check_eq(futimens(fd, times), 0);
	n_undo = 0;
}

static void test_idle(void)
{
	static const char *const signs[] = { "created", "since", "record", "file" };

	set_up_left();
	check_eq(aioevt_shm_unlink_idle(NULL, HOUR, 0), -EAGAIN);
	for (unsigned i = 0; i < 4; i++) {
		fprintf(stderr, "used lately: %s\n", signs[i]);
		set_age(10, signs[i], 2);
		check_eq(aioevt_shm_unlink_idle(NULL, 3 * HOUR, 0), -EAGAIN);
		check_eq(aioevt_shm_unlink_idle(NULL, HOUR, AIOEVT_SHM_DRY_RUN), 0);
	}
	set_age(10, "", 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 11 * HOUR, 0), -EAGAIN);
	check_eq(access(bus_path(), F_OK), 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 9 * HOUR, 0), 0);
	check_eq(access(bus_path(), F_OK), -1);
	check_eq(aioevt_shm_unlink_idle(NULL, 9 * HOUR, 0), -ENOENT);
	close(fd);
}

/* Who is attached keeps it, stopped or not; the dead do not; and it must be healthy. */
static void test_not_idle(void)
{
	struct child child;

	check_eq(aioevt_shm_unlink_idle(NULL, 0, AIOEVT_SHM_EXISTING), -EINVAL);
	set_up_left();
	child = spawn(be_killed, NULL);
	check_eq(hear(&child), 'r');
	set_age(10, "", 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EBUSY);
	stop_child(&child);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EBUSY);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, AIOEVT_SHM_DRY_RUN), -EBUSY);
	kill_child(&child);
	poke(offsetof(struct bus_header, removed), 1, 4);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EPROTO);
	unpoke();
	poke(offsetof(struct bus_header, version), 2, 4);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -ENOEXEC);
	unpoke();
	check_eq(chmod(bus_path(), 0666), 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EPERM);
	check_eq(chmod(bus_path(), 0600), 0);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), 0);
	check_eq(peek64(offsetof(struct bus_header, removed)) & UINT32_MAX, 1);
	close(fd);
}

int main(void)
{
	bus_begin();
	alarm(100);
	test_refused();
	test_figures();
	test_each_poke();
	test_memory();
	test_cut();
	test_in_flight();
	test_the_dead();
	test_full();
	test_busy();
	test_bounded();
	test_scribbled();
	test_idle();
	test_not_idle();
	return bus_end();
}
