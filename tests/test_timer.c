/* SPDX-License-Identifier: MIT */
/*
 * An emission that was scheduled is emitted when it is due, in the order of the dues, whatever its
 * listener sleeps on and whether or not its maker is there still; and not if it was cancelled.
 */
#include "bus.h"

#include "../shm/bus.h"
#include "listener.h"
#include "timer.h"

#define LONG_MS		60000u		/* far, or for ever on a loaded machine */

static struct aioevt_shm *bus;

static uint64_t after(const char *name, uint64_t value, uint64_t due)
{
	uint64_t id = 0;

	check_eq(aioevt_shm_emit_after(bus, name, &value, sizeof(value), due, &id), 0);
	check(id > 0);
	return id;
}

/* The next record of @l, which must come. */
static uint64_t next_value(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t value = 0;

	check_eq(aioevt_shm_wait(l, in_ms(LONG_MS), &sub), 0);
	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(record.missed, 0);
	return value;
}

static void check_nothing(struct aioevt_shm_listener *l)
{
	struct aioevt_shm_sub *sub;

	check_eq(aioevt_shm_wait(l, 0, &sub), -ETIMEDOUT);
}

static unsigned n_pending(void)
{
	struct timer_look look;
	unsigned n = 0;

	for (uint32_t i = 0; i < bus->lo.n_timers; i++)
		n += timer_look(bus, i, &look);
	return n;
}

/* Nothing is left of those that were fired or cancelled. */
static void check_clean(void)
{
	for (uint32_t i = 0; i < bus->lo.n_timers; i++)
		check_eq(timer_phase(atomic_load(&bus_timer(bus, i)->state)), TIMER_FREE);
	for (uint32_t i = 0; i < bus_events_used(bus); i++) {
		if (!event_is_findable(registry_state(bus, i)))
			continue;
		check_eq(due_ticks(timer_due(bus_event(bus, i))), 0);
		check_eq(atomic_load(&bus_event(bus, i)->firing), 0);
	}
}

/* Cancel them, read those that came. */
static bool forget(struct aioevt_shm_listener *l, const uint64_t *ids, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (aioevt_shm_cancel(bus, ids[i]) == -ENOENT)
			next_value(l);
	return true;
}

static void test_order(void)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	uint64_t ids[9], start;

	sub_of(l, "order", 0);
	do {				/* what is due before the next is scheduled goes first */
		start = now_ns();
		for (uint64_t i = 0; i < 8; i++)
			ids[i] = after("order", i * 5 % 8, start + (20 + i * 5 % 8) * MS);
		/* 7 and 8 are due at once: in the order in which they were scheduled */
		ids[8] = after("order", 8, start + 27 * MS);
	} while (now_ns() > start + 20 * MS && forget(l, ids, 9));
	for (uint64_t i = 0; i < 9; i++) {
		check_eq(next_value(l), i);
		check(now_ns() >= start + (20 + (i < 8 ? i : 7)) * MS);
	}
	check_nothing(l);
	aioevt_shm_listener_free(l);
	check_clean();
}

static int schedule_and_exit(struct child *me, void *arg)
{
	uint64_t value = 77;
	struct aioevt_shm *mine = bus_open(NULL);

	(void)me, (void)arg;
	check_eq(aioevt_shm_emit_after(mine, "gone", &value, sizeof(value), in_ms(30), NULL), 0);
	aioevt_shm_close(mine);
	return 0;
}

static void test_maker_exited(void)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	struct child child;

	sub_of(l, "gone", 0);
	child = spawn(schedule_and_exit, NULL);
	end_child(&child);
	check_eq(next_value(l), 77);
	aioevt_shm_listener_free(l);
	check_clean();
}

static void test_cancel(void)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	uint64_t first, second;

	sub_of(l, "cancel", 0);
	first = after("cancel", 1, in_ms(10));
	second = after("cancel", 2, in_ms(20));
	check(first != second);
	check_eq(aioevt_shm_cancel(bus, first), 0);
	check_eq(aioevt_shm_cancel(bus, first), -ENOENT);
	check_eq(next_value(l), 2);
	check_eq(aioevt_shm_cancel(bus, second), -ENOENT);
	check_nothing(l);
	/* its place is taken again: the former id is not the new one's */
	check(after("cancel", 3, in_ms(LONG_MS)) != first);
	check_eq(aioevt_shm_cancel(bus, first), -ENOENT);
	check_eq(n_pending(), 1);
	check_eq(aioevt_shm_event_remove(bus, "cancel"), 0);
	check_eq(aioevt_shm_cancel(bus, 0), -ENOENT);
	check_eq(aioevt_shm_cancel(bus, UINT64_MAX), -ENOENT);
	aioevt_shm_listener_free(l);
	check_clean();
}

static void test_refused(void)
{
	unsigned char byte = 0;

	check_eq(aioevt_shm_emit_after(bus, "no good", &byte, 1, 0, NULL), -EINVAL);
	check_eq(aioevt_shm_emit_after(bus, "good", &byte, bus->lo.max_payload + 1, 0, NULL),
		 -EMSGSIZE);
	check_clean();
}

static void test_full(void)
{
	uint64_t ids[64];

	for (unsigned i = 0; i < 64; i++)
		ids[i] = after("full", i, in_ms(LONG_MS));
	check_eq(aioevt_shm_emit_after(bus, "full", NULL, 0, in_ms(LONG_MS), NULL), -ENOSPC);
	check_eq(aioevt_shm_cancel(bus, ids[17]), 0);
	after("full", 0, in_ms(LONG_MS));
	check_eq(aioevt_shm_emit_after(bus, "full", NULL, 0, in_ms(LONG_MS), NULL), -ENOSPC);
	/* what a killed process was writing is given back */
	check_eq(aioevt_shm_cancel(bus, ids[3]), 0);
	atomic_store(&bus_timer(bus, 3)->state, timer_word(99, 40, TIMER_WRITING));
	bus_raise(&bus->header->ports_hw, 41);
	atomic_store(&bus_port(bus, 40)->state, 2);
	after("full", 1, in_ms(LONG_MS));
	check_eq(aioevt_shm_event_remove(bus, "full"), 0);
	check_eq(n_pending(), 0);
	check_clean();
}

/* A removed event's timers go; those of the new event of that name do not. */
static void test_removed(void)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	struct event_ref ref;

	sub_of(l, "removed", 0);
	after("removed", 1, in_ms(10));
	check_eq(aioevt_shm_event_remove(bus, "removed"), 0);
	after("removed", 2, in_ms(20));
	check_eq(next_value(l), 2);
	check_nothing(l);
	/* the remover was killed before it came to the timers */
	after("removed", 3, in_ms(LONG_MS));
	ref = TAILQ_FIRST(&l->subs)->ev->map->ref;
	check(registry_kill(bus, ref));
	check_eq(n_pending(), 1);
	l->recheck_at = 0;
	check_nothing(l);
	check_eq(n_pending(), 0);
	aioevt_shm_listener_free(l);
	check_clean();
}

static void fill(unsigned char *data, size_t size, unsigned n)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7 + n);
}

/* Payloads of all sizes, whole; the memory of the large ones is given back. */
static void test_payload(void)
{
	static const size_t sizes[] = { 0, 1, 104, 105, 128, 129, 4096, 100000 };
	static unsigned char data[100000], wanted[100000];
	struct aioevt_shm_listener *l = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(l, "payload", 0), *which;
	struct aioevt_shm_info before, now;
	struct aioevt_shm_record record;
	uint64_t id = 0;

	for (unsigned round = 0; round < 3; round++) {
		check_eq(aioevt_shm_get_info(bus, &before), 0);
		for (unsigned i = 0; i < 16; i++) {
			fill(data, sizes[i % 8], i);
			check_eq(aioevt_shm_emit_after(bus, "payload", data, sizes[i % 8], in_ms(5),
						       NULL), 0);
		}
		for (unsigned i = 0; i < 16; i++) {
			check_eq(aioevt_shm_wait(l, in_ms(LONG_MS), &which), 0);
			check_eq(aioevt_shm_read(sub, &record, 1, data, sizeof(data)), 1);
			fill(wanted, sizes[i % 8], i);
			check_mem(record.data, record.size, wanted, sizes[i % 8]);
		}
		fill(data, sizeof(data), 3);
		check_eq(aioevt_shm_emit_after(bus, "payload", data, sizeof(data), in_ms(LONG_MS),
					       &id), 0);
		check_eq(aioevt_shm_cancel(bus, id), 0);
	}
	/* A round is a lap: the ring's own bodies are as they were. The kernel may keep a page of
	 * what was punched for a while (seen under load), but not a body of 100000 bytes. */
	check_eq(aioevt_shm_get_info(bus, &now), 0);
	check(now.memory <= before.memory + 8 * 4096);
	check_eq(aioevt_shm_emit_after(bus, "payload", data, sizeof(data), in_ms(LONG_MS), &id), 0);
	check_eq(aioevt_shm_get_info(bus, &before), 0);
	check(before.memory >= now.memory + sizeof(data) - 8 * 4096);
	check_eq(aioevt_shm_cancel(bus, id), 0);
	check_eq(aioevt_shm_get_info(bus, &now), 0);
	check(now.memory <= before.memory - sizeof(data) + 8 * 4096);
	aioevt_shm_listener_free(l);
	check_eq(aioevt_shm_event_remove(bus, "payload"), 0);
	check_clean();
}

/* Nobody listens: the next who does has it fired first, and so has who opens it to emit. */
static void test_late_listener(void)
{
	struct aioevt_shm_listener *l;
	struct aioevt_shm_record record;
	struct aioevt_shm_event *ev;
	struct aioevt_shm_sub *sub;
	uint64_t value;

	after("late", 1, in_ms(2));
	pass_ms(4);
	l = listener_of(bus);
	check_eq(aioevt_shm_listen(l, "late", 0, AIOEVT_SHM_FROM_LAST, 1, &sub), 0);
	check_eq(next_value(l), 1);
	l = aioevt_shm_listener_free(l);

	after("late", 2, in_ms(2));
	pass_ms(4);
	l = listener_of(bus);
	sub_of(l, "late", 0);
	check_nothing(l);		/* it is of the time before */
	l = aioevt_shm_listener_free(l);

	after("late", 3, in_ms(2));
	pass_ms(4);
	ev = event_of(bus, "late");
	emit_u64(ev, 4);
	aioevt_shm_event_close(ev);
	l = listener_of(bus);
	check_eq(aioevt_shm_listen(l, "late", 0, AIOEVT_SHM_FROM_SEQ, 1, &sub), 0);
	for (uint64_t i = 1; i <= 4; i++) {
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(value, i);
	}
	check_nothing(l);
	/* due at once: emitted at once */
	after("late", 5, 0);
	check_eq(next_value(l), 5);
	aioevt_shm_listener_free(l);
	check_clean();
}

/* The name table is full of other events: one that has a timer stays. */
static void test_not_retired(void)
{
	struct aioevt_shm_listener *l;
	struct aioevt_shm_sub *sub;
	char name[16];

	after("kept", 1, in_ms(20));
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "other.%u", i);
		aioevt_shm_event_close(event_of(bus, name));
	}
	check_eq(n_pending(), 1);
	pass_ms(20);
	l = listener_of(bus);
	check_eq(aioevt_shm_listen(l, "kept", 0, AIOEVT_SHM_FROM_LAST, 1, &sub), 0);
	check_eq(next_value(l), 1);
	aioevt_shm_listener_free(l);

	/* and one whose canceller was killed before he mended its due does not */
	atomic_store(&bus_event(bus, 5)->due, UINT64_C(77) << DUE_COUNT_BITS);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "more.%u", i);
		aioevt_shm_event_close(event_of(bus, name));
	}
	check_clean();
}

/* A reliable reader is in the way: it stays, and is tried again. */
static void test_no_room(void)
{
	struct aioevt_shm_listener *slow = listener_of(bus), *l = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(slow, "room", AIOEVT_SHM_RELIABLE), *which;
	struct aioevt_shm_event *ev = event_of(bus, "room");
	struct aioevt_shm_record record;
	uint64_t value;

	sub_of(l, "room", 0);
	for (uint64_t i = 0; i < 16; i++)
		emit_u64(ev, i);
	for (uint64_t i = 0; i < 16; i++)
		check_eq(next_value(l), i);
	after("room", 16, in_ms(2));
	check_eq(aioevt_shm_wait(l, in_ms(20), &which), -ETIMEDOUT);
	check_eq(n_pending(), 1);
	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(value, 0);
	check_eq(read_u64(sub, &record, &value), 1);
	slow = aioevt_shm_listener_free(slow);
	check_eq(next_value(l), 16);
	aioevt_shm_event_close(ev);
	aioevt_shm_listener_free(l);
	check_clean();
}

/* Grown meanwhile: it goes into the new ring. */
static void test_grown(void)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	struct aioevt_shm_event *ev = event_of(bus, "grown");
	struct aioevt_shm *other = bus_open(NULL);
	struct aioevt_shm_event *theirs = event_of(other, "grown");

	sub_of(l, "grown", 0);
	after("grown", 1, in_ms(5));
	check_eq(aioevt_shm_event_grow(theirs, 64), 0);
	check_eq(next_value(l), 1);
	emit_u64(theirs, 2);
	check_eq(next_value(l), 2);
	aioevt_shm_event_close(theirs);
	aioevt_shm_close(other);
	aioevt_shm_event_close(ev);
	aioevt_shm_listener_free(l);
	check_clean();
}

/* Who scheduled was killed before it told anybody: the next re-check finds it. */
static void test_healed(void)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(l, "healed", 0);

	after("healed", 1, in_ms(1));
	atomic_store(&sub->ev->map->event->due, 0);
	check_eq(next_value(l), 1);
	aioevt_shm_listener_free(l);
	check_clean();
}

int main(void)
{
	bus_begin();
	bus = bus_small(16);
	test_order();
	test_maker_exited();
	test_cancel();
	test_refused();
	test_removed();
	test_payload();
	test_late_listener();
	test_not_retired();
	test_no_room();
	test_grown();
	test_healed();
	test_full();
	aioevt_shm_close(bus);
	return bus_end();
}
