/* SPDX-License-Identifier: MIT */
/* Waiting: for one, any of some, any of many, a pattern; woken in time, idle for free. */

#include "bus.h"

#include <sys/resource.h>

#define MANY	300u

static struct aioevt_shm *small(void)
{
	struct aioevt_shm_config config = bus_config(512, 64, 8);

	return bus_open(&config);
}

static const char *numbered(char *buf, const char *what, unsigned i)
{
	sprintf(buf, "%s.%u", what, i);
	return buf;
}

/* Wait for the next record, which is number @seq of event @name. */
static void check_wait(struct aioevt_shm_listener *listener, const char *name, uint64_t seq)
{
	struct aioevt_shm_sub *sub = NULL;
	struct aioevt_shm_record record;
	uint64_t value;

	check_eq(aioevt_shm_wait(listener, in_ms(5000), &sub), 0);
	check_str(aioevt_shm_sub_name(sub), name);
	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(record.seq, seq);
	check_eq(record.missed, 0);
}

static void check_nothing(struct aioevt_shm_listener *listener)
{
	struct aioevt_shm_sub *sub = NULL;

	check_eq(aioevt_shm_wait(listener, 0, &sub), -ETIMEDOUT);
	check(!sub);
}

static void test_deadline(void)
{
	struct aioevt_shm *bus = small();
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = NULL;
	uint64_t began = now_ns();

	check_eq(aioevt_shm_wait(listener, in_ms(30), &sub), -ETIMEDOUT);
	check(now_ns() - began >= 30 * MS);
	check(now_ns() - began < 500 * MS);
	sub_of(listener, "deadline", 0);
	began = now_ns();
	check_eq(aioevt_shm_wait(listener, in_ms(30), &sub), -ETIMEDOUT);
	check(now_ns() - began >= 30 * MS);
	check(now_ns() - began < 500 * MS);
	check_eq(aioevt_shm_wait(listener, began, &sub), -ETIMEDOUT);
	aioevt_shm_listener_set_spin(listener, 5 * MS, 0);
	began = now_ns();
	check_eq(aioevt_shm_wait(listener, in_ms(30), &sub), -ETIMEDOUT);
	check(now_ns() - began >= 30 * MS);
	check(!sub);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Subs are served in turn, whichever has more to say. */
static void test_any(unsigned n)
{
	struct aioevt_shm *bus = small();
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_event *event[MANY];
	struct aioevt_shm_sub *sub;
	unsigned char seen[MANY] = { 0 };
	char name[32];
	int data[MANY];

	for (unsigned i = 0; i < n; i++) {
		event[i] = event_of(bus, numbered(name, "any", i));
		sub = sub_of(listener, name, 0);
		check(aioevt_shm_sub_data(sub) == NULL);
		aioevt_shm_sub_set_data(sub, &data[i]);
	}
	check_nothing(listener);
	for (unsigned i = n; i--; ) {
		emit_u64(event[i], i);
		check_wait(listener, numbered(name, "any", i), 1);
		check_nothing(listener);
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < 3; k++)
			emit_u64(event[i], i);
	for (unsigned i = 0; i < 3 * n; i++) {
		struct aioevt_shm_record record;
		uint64_t value;
		long at;

		check_eq(aioevt_shm_wait(listener, 0, &sub), 0);
		check_eq(read_u64(sub, &record, &value), 1);
		at = (int *)aioevt_shm_sub_data(sub) - data;
		check_eq(value, at);
		check_eq(seen[at]++, i / n);
	}
	check_nothing(listener);

	/* Some go, and down to few; the others are heard. */
	for (unsigned i = 0; i + 2 < n; i++) {
		emit_u64(event[i], i);
		check_eq(aioevt_shm_wait(listener, 0, &sub), 0);
		aioevt_shm_sub_close(sub);
		check_nothing(listener);
	}
	emit_u64(event[n - 1], 1);
	check_wait(listener, numbered(name, "any", n - 1), 5);
	for (unsigned i = 0; i < n; i++)
		aioevt_shm_event_close(event[i]);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_pattern(void)
{
	struct aioevt_shm *bus = small();
	struct aioevt_shm_listener *listener = listener_of(bus), *second = listener_of(bus);
	struct aioevt_shm_event *early = event_of(bus, "p.early"), *event;
	struct aioevt_shm_event *other = event_of(bus, "q.other"), *deep;
	struct aioevt_shm_sub *sub = (void *)&bus;

	emit_u64(early, 1);
	check_eq(aioevt_shm_listen(listener, "p.*", 0, AIOEVT_SHM_FROM_NEW, 0, &sub), 0);
	check(!sub);
	check_eq(aioevt_shm_listen(listener, "p.*", 0, AIOEVT_SHM_FROM_NEW, 0, &sub), -EEXIST);
	check_eq(aioevt_shm_listen(second, "p.>", 0, AIOEVT_SHM_FROM_LAST, 1, NULL), 0);
	check_wait(second, "p.early", 1);
	check_nothing(listener);
	emit_u64(other, 1);
	check_nothing(listener);
	emit_u64(early, 2);
	check_wait(listener, "p.early", 2);
	check_wait(second, "p.early", 2);
	/* made, emitted to, and closed before anybody looks */
	event = event_of(bus, "p.late");
	emit_u64(event, 1);
	emit_u64(event, 2);
	aioevt_shm_event_close(event);
	check_wait(listener, "p.late", 1);
	check_wait(listener, "p.late", 2);
	check_wait(second, "p.late", 1);
	check_wait(second, "p.late", 2);
	deep = event_of(bus, "p.late.deep");
	emit_u64(deep, 1);
	check_nothing(listener);
	check_wait(second, "p.late.deep", 1);
	/* a second pattern that overlaps: none comes twice */
	check_eq(aioevt_shm_listen(listener, ">", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	emit_u64(early, 3);
	check_wait(listener, "p.early", 3);
	check_nothing(listener);
	emit_u64(deep, 2);
	check_wait(listener, "p.late.deep", 2);
	check_nothing(listener);
	check_eq(aioevt_shm_listen(listener, "p.late", 0, AIOEVT_SHM_FROM_NEW, 0, &sub),
		 -EEXIST);
	check_eq(aioevt_shm_listener_lost_events(listener), 0);
	aioevt_shm_event_close(deep);
	aioevt_shm_event_close(other);
	aioevt_shm_event_close(early);
	aioevt_shm_listener_free(second);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* An event under a pattern is removed and comes again: its records come once. */
static void test_pattern_removed(void)
{
	struct aioevt_shm *bus = small();
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_event *event;

	check_eq(aioevt_shm_listen(listener, "r.*", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	event = event_of(bus, "r.a");
	for (uint64_t i = 1; i < 12; i += 2) {
		check_eq(emit_u64(event, i), i);
		check_wait(listener, "r.a", i);
		check_eq(aioevt_shm_event_remove(bus, "r.a"), 0);
		check_eq(emit_u64(event, i + 1), i + 1);
		check_wait(listener, "r.a", i + 1);
		check_nothing(listener);
	}
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_lost_events(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub;
	uint64_t n_read = 0, n_lost;
	char name[32];

	check_eq(aioevt_shm_listen(listener, "job.>", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	for (unsigned i = 0; i < 200; i++) {
		struct aioevt_shm_event *event = event_of(bus, numbered(name, "job", i));

		emit_u64(event, i);
		aioevt_shm_event_close(event);
	}
	while (!aioevt_shm_wait(listener, 0, &sub)) {
		struct aioevt_shm_record record;
		uint64_t value;

		check_eq(read_u64(sub, &record, &value), 1);
		n_read++;
	}
	n_lost = aioevt_shm_listener_lost_events(listener);
	check_eq(n_read, 64);
	check_eq(n_read + n_lost, 200);
	check_eq(aioevt_shm_listener_lost_events(listener), 0);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- asleep -------------------------------------------------------------------------------------- */

struct sleeper {
	const char *pattern;
	unsigned n_subs;		/* besides */
};

static int sleep_and_tell(struct child *me, void *arg)
{
	const struct sleeper *what = arg;
	struct aioevt_shm *bus = small();
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	struct rusage usage;
	char name[32];
	uint64_t value;

	for (unsigned i = 0; i < what->n_subs; i++)
		sub_of(listener, numbered(name, "quiet", i), 0);
	check_eq(aioevt_shm_listen(listener, what->pattern, 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	say(me, 'r');
	for (;;) {
		check_eq(aioevt_shm_wait(listener, in_ms(20000), &sub), 0);
		check_eq(read_u64(sub, &record, &value), 1);
		if (!value)
			break;
		say(me, 'w');
	}
	check_eq(getrusage(RUSAGE_SELF, &usage), 0);
	say(me, usage.ru_nvcsw < 100 ? (char)usage.ru_nvcsw : 100);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

static char state_of(pid_t pid)
{
	char path[64], line[512], *p;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	check(file != NULL);
	check(fgets(line, sizeof(line), file) != NULL);
	fclose(file);
	p = strrchr(line, ')');
	return p[2];
}

static void await_asleep(pid_t pid)
{
	uint64_t limit = in_ms(3000);

	while (state_of(pid) != 'S')
		check(now_ns() < limit);
}

static void test_woken(const char *pattern, unsigned n_subs)
{
	struct sleeper what = { pattern, n_subs };
	struct aioevt_shm *bus = small();
	struct aioevt_shm_event *event = NULL;
	struct child child = spawn(sleep_and_tell, &what);
	uint64_t began;

	check_eq(hear(&child), 'r');
	for (uint64_t i = 1; i <= 30; i++) {
		await_asleep(child.pid);
		began = now_ns();
		if (!event)		/* the first brings it forth */
			event = event_of(bus, "wake.me");
		emit_u64(event, i);
		check_eq(hear(&child), 'w');
		check(now_ns() - began < 500 * MS);
	}
	emit_u64(event, 0);
	hear(&child);
	end_child(&child);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static int idle(struct child *me, void *arg)
{
	struct aioevt_shm_listener *listener;
	struct rusage before, after;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm *bus;

	(void)me, (void)arg;
	bus_rename("idle");
	bus = small();
	listener = listener_of(bus);
	sub_of(listener, "idle", 0);
	check_eq(aioevt_shm_listen(listener, "idle.>", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	check_eq(getrusage(RUSAGE_THREAD, &before), 0);
	check_eq(aioevt_shm_wait(listener, in_ms(2500), &sub), -ETIMEDOUT);
	check_eq(getrusage(RUSAGE_THREAD, &after), 0);
	check(after.ru_nvcsw - before.ru_nvcsw <= 5);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

/* One that is killed in its sleep costs nothing, and its place comes back. */
static void test_killed(void)
{
	struct sleeper what = { "wake.>", 2 };
	struct aioevt_shm *bus = small();
	struct aioevt_shm_event *event = event_of(bus, "wake.me");
	struct aioevt_shm_listener *listener[64], *more = NULL;
	struct child child = spawn(sleep_and_tell, &what);
	struct aioevt_shm_event_info info;

	check_eq(hear(&child), 'r');
	await_asleep(child.pid);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_listeners, 1);
	kill_child(&child);
	for (uint64_t i = 0; i < 1000; i++)
		emit_u64(event, i);
	/* all places but its own, then its own */
	for (int i = 0; i < 64; i++)
		listener[i] = listener_of(bus);
	check_eq(aioevt_shm_listener_new(bus, &more), -EUSERS);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_listeners, 0);
	aioevt_shm_listener_free(listener[5]);
	listener[5] = listener_of(bus);
	for (int i = 0; i < 64; i++)
		aioevt_shm_listener_free(listener[i]);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* As many as a default bus has, all of them woken, all on one event. */
static void test_all_listeners(void)
{
	struct aioevt_shm *bus = bus_open(NULL);
	static struct aioevt_shm_listener *listener[1024];
	struct aioevt_shm_listener *more = NULL;
	struct aioevt_shm_event *event = event_of(bus, "all");
	struct aioevt_shm_event_info info;

	for (int i = 0; i < 1024; i++) {
		listener[i] = listener_of(bus);
		sub_of(listener[i], "all", 0);
	}
	check_eq(aioevt_shm_listener_new(bus, &more), -EUSERS);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_listeners, 1024);
	emit_u64(event, 1);
	for (int i = 0; i < 1024; i++) {
		check_wait(listener[i], "all", 1);
		aioevt_shm_listener_free(listener[i]);
	}
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_listeners, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* Who asks for an event that there is never makes one. */
static void test_existing(void)
{
	struct aioevt_shm *bus = small();
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_event *event;
	struct aioevt_shm_sub *sub = NULL;
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_listen(listener, "x", AIOEVT_SHM_EXISTING, AIOEVT_SHM_FROM_NEW, 0,
				   &sub), -ENOENT);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.events_used, 0);
	event = event_of(bus, "x");
	emit_u64(event, 1);
	check_eq(aioevt_shm_listen(listener, "x", AIOEVT_SHM_EXISTING, AIOEVT_SHM_FROM_LAST, 1,
				   &sub), 0);
	check_wait(listener, "x", 1);
	aioevt_shm_event_close(event);
	check_eq(aioevt_shm_event_remove(bus, "x"), 0);
	check_eq(aioevt_shm_wait(listener, 0, &sub), -ENOENT);
	check_eq(aioevt_shm_wait(listener, in_ms(5000), &sub), -ENOENT);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.events_used, 0);
	event = event_of(bus, "x");
	emit_u64(event, 2);
	check_wait(listener, "x", 2);
	check_nothing(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	struct child sleeper;

	bus_begin();
	alarm(60);
	sleeper = spawn(idle, NULL);	/* takes its time beside the others */
	test_deadline();
	test_any(1);
	test_any(3);
	test_any(MANY);
	test_pattern();
	test_lost_events();
	test_woken("wake.me", 0);
	test_woken("wake.me", 60);
	test_woken("wake.*", 0);
	test_woken("wake.>", 60);
	test_killed();
	test_all_listeners();
	end_child(&sleeper);
	test_pattern_removed();
	test_existing();
	return bus_end();
}
