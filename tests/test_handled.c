/* SPDX-License-Identifier: MIT */
/*
 * What an emitter is told of who has handled its record: neither who only read it, nor who came
 * behind it, left or died; and at once, though more is waiting behind it.
 */

#include "bus.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct emitter {
	pthread_t thread;
	const char *event;
	uint32_t n;
	uint64_t timeout;
	int err;
	uint64_t seq, took;
	uint32_t n_handled;
};

static struct aioevt_shm *bus;

static void *emit_handled(void *arg)
{
	struct emitter *e = arg;
	struct aioevt_shm *own = bus_small(1024);
	struct aioevt_shm_event *event = event_of(own, e->event);
	uint64_t began = now_ns(), value = 7;

	e->n_handled = 99;
	e->err = aioevt_shm_emit_handled(event, &value, sizeof(value), e->n, in_ms(e->timeout),
					 &e->seq, &e->n_handled);
	e->took = now_ns() - began;
	aioevt_shm_event_close(event);
	aioevt_shm_close(own);
	return NULL;
}

static struct emitter start(const char *event, uint32_t n, uint64_t timeout)
{
	return (struct emitter){ .event = event, .n = n, .timeout = timeout };
}

static void run(struct emitter *e)
{
	check_eq(pthread_create(&e->thread, NULL, emit_handled, e), 0);
}

static void expect(struct emitter *e, int err, uint32_t n)
{
	check_eq(pthread_join(e->thread, NULL), 0);
	check_eq(e->err, err);
	check_eq(e->n_handled, n);
	if (err != -ETIMEDOUT && e->timeout >= 10000)
		check(e->took < 5000 * MS);
}

static uint64_t take(struct aioevt_shm_listener *listener, struct aioevt_shm_sub *sub)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *got;
	uint64_t value;

	check_eq(aioevt_shm_wait(listener, in_ms(10000), &got), 0);
	check(got == sub);
	check_eq(read_u64(sub, &record, &value), 1);
	return record.seq;
}

static void come_back(struct aioevt_shm_sub *sub)
{
	check_eq(aioevt_shm_read(sub, NULL, 0, NULL, 0), 0);
}

/* Reading is not handling; coming back is, by either way. */
static void test_read_is_not_handled(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "plain", AIOEVT_SHM_RELIABLE), *got;
	struct emitter e = start("plain", 1, 100);

	run(&e);
	take(listener, sub);
	expect(&e, -ETIMEDOUT, 0);
	check_eq(e.seq, 1);

	e = start("plain", 1, 10000);
	run(&e);
	check_eq(take(listener, sub), 2);
	come_back(sub);
	expect(&e, 0, 1);
	check_eq(e.seq, 2);

	run(&e);
	take(listener, sub);
	check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	expect(&e, 0, 1);
	aioevt_shm_listener_free(listener);
}

/* There is more behind it, so that the reader has no cause to publish its place. */
static void test_told_at_once(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *a = sub_of(listener, "more", AIOEVT_SHM_RELIABLE),
			      *b = sub_of(listener, "other", AIOEVT_SHM_RELIABLE), *got;
	struct aioevt_shm_event *event = event_of(bus, "more"), *other = event_of(bus, "other");
	struct emitter e = start("more", 1, 10000);

	for (int i = 0; i < 3; i++) {
		run(&e);
		check_eq(take(listener, a), 1 + 11 * i);
		for (uint64_t j = 0; j < 10; j++)
			emit_u64(event, j);
		check_eq(take(listener, a), 2 + 11 * i);
		expect(&e, 0, 1);
		for (uint64_t j = 0; j < 9; j++)
			take(listener, a);
	}
	/* the other event's record is handed out: this one's is handled */
	run(&e);
	take(listener, a);
	emit_u64(event, 1);
	emit_u64(other, 1);
	check_eq(aioevt_shm_wait(listener, in_ms(10000), &got), 0);
	check(got == b);
	expect(&e, 0, 1);
	aioevt_shm_event_close(other);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
}

/* Several subs read before the next wait: all of it is handled then, though another is at hand. */
static void test_read_several(void)
{
	for (int closes = 0; closes < 2; closes++) {
		struct aioevt_shm_listener *listener = listener_of(bus);
		struct aioevt_shm_sub *c = sub_of(listener, "sc", AIOEVT_SHM_RELIABLE),
				      *a = sub_of(listener, "sa", AIOEVT_SHM_RELIABLE),
				      *b = sub_of(listener, "sb", AIOEVT_SHM_RELIABLE), *got;
		struct aioevt_shm_event *eb = event_of(bus, "sb"), *ec = event_of(bus, "sc");
		struct emitter e = start("sa", 1, 10000);
		struct aioevt_shm_record record;
		uint64_t value;

		run(&e);
		take(listener, a);
		check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
		expect(&e, 0, 1);

		run(&e);
		while (!read_u64(a, &record, &value))
			check_eq(sched_yield(), 0);
		emit_u64(eb, 1);
		emit_u64(ec, 1);
		check_eq(read_u64(b, &record, &value), 1);
		if (closes)
			aioevt_shm_sub_close(b);
		check_eq(aioevt_shm_wait(listener, 0, &got), 0);
		check(got == c);
		expect(&e, 0, 1);
		aioevt_shm_event_close(ec);
		aioevt_shm_event_close(eb);
		aioevt_shm_listener_free(listener);
	}
}

/* Who says what is handled has handled no more than that. */
static void test_said(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "said", AIOEVT_SHM_RELIABLE), *got;
	struct aioevt_shm_event *event = event_of(bus, "said");
	struct emitter e = start("said", 1, 100);

	check_eq(aioevt_shm_sub_handled(sub, 0), 0);
	run(&e);
	take(listener, sub);
	come_back(sub);
	check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	expect(&e, -ETIMEDOUT, 0);
	check_eq(aioevt_shm_sub_handled(sub, e.seq), 0);

	/* what was not read cannot be handled */
	e = start("said", 1, 100);
	check_eq(aioevt_shm_sub_handled(sub, 1000), 0);
	run(&e);
	take(listener, sub);
	come_back(sub);
	expect(&e, -ETIMEDOUT, 0);

	/* the first of three that were read, then all */
	e = start("said", 1, 10000);
	run(&e);
	take(listener, sub);
	emit_u64(event, 1);
	take(listener, sub);
	check_eq(aioevt_shm_sub_handled(sub, 3), 0);
	expect(&e, 0, 1);
	check_eq(e.seq, 3);

	/* said, and gone */
	run(&e);
	take(listener, sub);
	check_eq(aioevt_shm_sub_handled(sub, 5), 0);
	aioevt_shm_sub_close(sub);
	expect(&e, 0, 1);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
}

/* Who leaves has not; and who joins behind it is not taken for him, in whose place he may be. */
static void test_left(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus), *next = listener_of(bus);
	struct aioevt_shm_sub *sub, *late;

	for (int i = 0; i < 100; i++) {
		struct emitter e = start("left", 1, 20000);

		sub = sub_of(listener, "left", AIOEVT_SHM_RELIABLE);
		run(&e);
		take(listener, sub);
		late = i % 2 ? sub_of(next, "left", AIOEVT_SHM_RELIABLE) : NULL;
		aioevt_shm_sub_close(sub);
		if (!(i % 2))
			late = sub_of(listener, "left", AIOEVT_SHM_RELIABLE);
		expect(&e, -ENOLINK, 0);
		aioevt_shm_sub_close(late);
	}
	aioevt_shm_listener_free(next);
	aioevt_shm_listener_free(listener);
}

static void test_several(void)
{
	struct aioevt_shm_listener *l[4];
	struct aioevt_shm_sub *sub[4];
	struct emitter e = start("several", 2, 20000);

	for (int i = 0; i < 4; i++) {
		l[i] = listener_of(bus);
		sub[i] = sub_of(l[i], "several", i < 3 ? AIOEVT_SHM_RELIABLE : 0);
	}
	run(&e);
	for (int i = 0; i < 4; i++)
		take(l[i], sub[i]);
	come_back(sub[3]);		/* lossy: does not count */
	come_back(sub[1]);
	come_back(sub[0]);
	expect(&e, 0, 2);

	e = start("several", 3, 300);
	run(&e);
	for (int i = 0; i < 4; i++)
		take(l[i], sub[i]);
	come_back(sub[3]);
	come_back(sub[1]);
	come_back(sub[0]);
	expect(&e, -ETIMEDOUT, 2);

	e = start("several", 4, 20000);
	run(&e);
	expect(&e, -ENOLINK, 0);
	e = start("several", 0, 20000);
	run(&e);
	expect(&e, 0, 0);
	for (int i = 0; i < 4; i++)
		aioevt_shm_listener_free(l[i]);
}

static void test_removed(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "removed", AIOEVT_SHM_RELIABLE), *got;
	struct emitter e = start("removed", 1, 20000);

	check_eq(aioevt_shm_sub_handled(sub, 0), 0);
	run(&e);
	take(listener, sub);
	check_eq(aioevt_shm_event_remove(bus, "removed"), 0);
	check_eq(aioevt_shm_wait(listener, in_ms(50), &got), -ETIMEDOUT);
	expect(&e, -ENOLINK, 0);
	aioevt_shm_listener_free(listener);
}

/* Removed and made anew before the emitter came to it: the readers of the new one count. */
static void test_made_anew(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_event *event = event_of(bus, "anew");
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t value, seq;
	uint32_t n;

	emit_u64(event, 1);
	check_eq(aioevt_shm_event_remove(bus, "anew"), 0);
	sub = sub_of(listener, "anew", AIOEVT_SHM_RELIABLE);
	check_eq(aioevt_shm_emit_handled(event, NULL, 0, 1, in_ms(1), &seq, &n), -ETIMEDOUT);
	check_eq(n, 0);
	check_eq(aioevt_shm_read(sub, &record, 1, &value, sizeof(value)), 1);
	check_eq(record.seq, seq);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
}

static int emit_and_tell(struct child *me, void *arg)
{
	struct aioevt_shm *own = bus_small(1024);
	struct aioevt_shm_event *event = event_of(own, arg);
	uint64_t value = 7, seq = 0;
	uint32_t n = 99;
	int err = aioevt_shm_emit_handled(event, &value, sizeof(value), 1, in_ms(20000), &seq, &n);

	say(me, err == -ENOLINK ? 'l' : err == -ETIMEDOUT ? 't' : err ? 'e' : '0');
	say(me, (char)n);
	hear(me);
	return 0;
}

/* A child that emits, and is stopped as it waits for room. */
static struct child start_stopped(const char *event)
{
	struct child child = spawn(emit_and_tell, (void *)(uintptr_t)event);

	await_sleeper(child.pid);
	stop_child(&child);
	return child;
}

static void fill(const char *name)
{
	struct aioevt_shm_event *event = event_of(bus, name);
	uint64_t value = 1;

	while (!aioevt_shm_emit(event, &value, sizeof(value), NULL))
		;
	aioevt_shm_event_close(event);
}

/*
 * Removed while the emitter waits for room: what it emits then goes to another event, whose
 * readers are not those that it marked, though one may have the same place.
 */
static void test_removed_first(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "first", AIOEVT_SHM_RELIABLE);
	struct child child;

	fill("first");
	child = start_stopped("first");
	check_eq(aioevt_shm_event_remove(bus, "first"), 0);
	aioevt_shm_sub_close(sub);
	sub = sub_of(listener, "first", AIOEVT_SHM_RELIABLE);
	check_eq(kill(child.pid, SIGCONT), 0);
	take(listener, sub);
	come_back(sub);
	check_eq(hear(&child), 'l');
	check_eq(hear(&child), 0);
	kill_child(&child);
	aioevt_shm_listener_free(listener);
}

/*
 * While it waited for room many others emitted, so its number is far ahead of what it could know
 * when it began: it is told at once all the same.
 */
static void test_overtaken(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "far", AIOEVT_SHM_RELIABLE);
	struct aioevt_shm_event *event = event_of(bus, "far");
	struct aioevt_shm_event_info info;
	struct child child;
	uint64_t i, end;

	fill("far");
	child = start_stopped("far");
	for (i = 0; i < 512; i++)
		take(listener, sub);
	come_back(sub);
	for (i = 0; i < 127; i++)
		end = emit_u64(event, i);
	check_eq(kill(child.pid, SIGCONT), 0);
	do {
		check_eq(aioevt_shm_event_get_info(event, &info), 0);
	} while (info.last_seq <= end);
	await_sleeper(child.pid);
	for (i = 0; i < 10; i++)
		emit_u64(event, i);
	while (take(listener, sub) <= end)
		;
	come_back(sub);
	check_eq(hear(&child), '0');
	check_eq(hear(&child), 1);
	kill_child(&child);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
}

/* No room: nothing is emitted. */
static void test_full(void)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "full", AIOEVT_SHM_RELIABLE);
	struct aioevt_shm_event *event = event_of(bus, "full");
	struct emitter e = start("full", 1, 50);

	while (!aioevt_shm_emit(event, NULL, 0, NULL))
		;
	run(&e);
	expect(&e, -EAGAIN, 99);
	check_eq(e.seq, 0);
	(void)sub;
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
}

static int read_and_hang(struct child *me, void *arg)
{
	struct aioevt_shm *own = bus_small(1024);
	struct aioevt_shm_listener *listener = listener_of(own);
	struct aioevt_shm_sub *sub = sub_of(listener, "killed", AIOEVT_SHM_RELIABLE);

	(void)arg;
	say(me, 'r');
	take(listener, sub);
	say(me, 't');
	hear(me);
	return 1;
}

static void test_killed(void)
{
	struct child child = spawn(read_and_hang, NULL);
	struct emitter e = start("killed", 1, 20000);

	check_eq(hear(&child), 'r');
	run(&e);
	check_eq(hear(&child), 't');
	kill_child(&child);
	expect(&e, -ENOLINK, 0);
}

int main(void)
{
	bus_begin();
	bus = bus_small(1024);
	test_read_is_not_handled();
	test_told_at_once();
	test_read_several();
	test_said();
	test_left();
	test_several();
	test_removed();
	test_made_anew();
	test_removed_first();
	test_overtaken();
	test_full();
	test_killed();
	aioevt_shm_close(bus);
	return bus_end();
}
