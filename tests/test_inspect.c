/* SPDX-License-Identifier: MIT */
/* The inspection names each inconsistency that is poked into the file of a bus. */

#include "timer.h"		/* before inspect.h, which has a bus of its own */

#include "inspect.h"

#include "name.h"
#include "registry-internal.h"

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
	const struct bucket *bucket = (void *)(bus->base + bucket_of(a));
	struct name name;
	char text[] = "w";

	/* the key is random: the first name that does not belong there */
	do {
		text[0]++;
		check_eq(name_pack(text, &name), 0);
	} while (registry_bucket(bus, &name) == bucket);
	poke64(event_at(a, offsetof(struct event, name)), (uint64_t)text[0] << 8 | 1);
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
static uint64_t timer_at(uint32_t i, size_t member)
{
	return lo.timers + i * sizeof(struct timer) + member;
}

/* A timer at place 0, of event a, which knows of it. */
static void timer_of_a(uint64_t state, uint32_t size)
{
	poke64(timer_at(0, 0), state);
	poke64(timer_at(0, offsetof(struct timer, due)), UINT64_C(7) << DUE_TICK_SHIFT);
	poke64(timer_at(0, offsetof(struct timer, event)), UINT64_C(1) << 32 | a);
	poke(timer_at(0, offsetof(struct timer, size)), size, 4);
	poke(offsetof(struct bus_header, timers_hw), 1, 4);
	poke64(event_at(a, offsetof(struct event, due)), UINT64_C(7) << DUE_COUNT_BITS);
}
static void timer_without_state(void) { timer_of_a(timer_word(1, 0, 9), 0); }
static void timer_of_nobody(void) { timer_of_a(timer_word(1, 5, TIMER_WRITING), 0); }
static void timer_fired_by_nobody(void) { timer_of_a(timer_word(1, 0, TIMER_FIRING), 0); }
static void timer_too_large(void) { timer_of_a(timer_word(1, 0, TIMER_ARMED), UINT32_MAX); }
static void timer_over_mark(void)
{
	timer_of_a(timer_word(1, 0, TIMER_ARMED), 0);
	poke(offsetof(struct bus_header, timers_hw), 0, 4);
}
static void attempt_of_nobody(void)
{
	poke64(event_at(a, offsetof(struct event, firing)), firing_word(1, 5, 0));
}
static void timer_of_the_dead(void)
{
	poke64(port_at(5, 0), 2);
	poke(offsetof(struct bus_header, ports_hw), 6, 4);
	timer_of_a(timer_word(1, 0, TIMER_FIRING), 0);
	poke64(event_at(a, offsetof(struct event, firing)), firing_word(1, 5, 0));
}
static void timer_of_removed(void)
{
	timer_of_a(timer_word(1, 0, TIMER_ARMED), 0);
	poke64(timer_at(0, offsetof(struct timer, event)), UINT64_C(9) << 32 | a);
}
static void timer_untold(void)
{
	timer_of_a(timer_word(1, 0, TIMER_ARMED), 0);
	poke64(event_at(a, offsetof(struct event, due)), 0);
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
	CASE(timer_without_state, "timer", "timer 0 is in state"),
	CASE(timer_of_nobody, "timer", "being written by port 5, which nobody has"),
	CASE(timer_fired_by_nobody, "timer", "\"a\": timer 0 is being fired, and nobody"),
	CASE(timer_too_large, "timer", "4294967295 bytes"),
	CASE(timer_over_mark, "timer", "below 0 only"),
	CASE(attempt_of_nobody, "timer", "port 5, which nobody has, is firing"),
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

static void expect_poked(void (*poke_it)(void), const char *code, const char *text)
{
	poke_it();
	expect_note(code, text);
	unpoke();
}

/* What is left of timers, what they are, and the memory of a large one. */
static void test_timers(void)
{
	struct aioevt_shm_inspection *seen;
	static char large[5000];
	uint64_t id = 0;

	set_up();
	expect_poked(timer_of_the_dead, "dead-timer", "\"a\": timer 0 was being fired by process 0");
	expect_poked(timer_of_removed, "stray-timer", "timer 0 is of an event that was removed");
	expect_poked(timer_untold, "untold-timer", "\"a\" has a timer");
	check_eq(aioevt_shm_emit_after(bus, "a", large, sizeof(large), in_ms(3600000), &id), 0);
	check_eq(aioevt_shm_emit_after(bus, "a", large, 1, in_ms(7200000), NULL), 0);
	expect_note("lag", "");
	seen = look_at_bus();
	check_eq(seen->n_timers, 2);
	check_eq(seen->events[0].n_timers, 2);
	check(seen->events[0].due > now_ns() && seen->events[0].due < in_ms(3600001));
	check_eq(seen->memory_bodies, 3 * 4096);
	aioevt_shm_inspection_free(seen);
	check_eq(aioevt_shm_cancel(bus, id), 0);
	check_eq(pwrite(fd, "x", 1, (off_t)TIMER_BODIES), 1);
	seen = look_at_bus();
	check(has(seen->problems, seen->n_problems, "lost-memory", "4096 bytes at"));
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

int main(void)
{
	bus_begin();
	alarm(60);
	test_each_poke();
	test_memory();
	test_timers();
	test_cut();
	return bus_end();
}
