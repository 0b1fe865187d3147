/* SPDX-License-Identifier: MIT */
/* CLOCK_REALTIME set back and forward, and another CLOCK_MONOTONIC: what is promised holds. */

#include "ns.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "../shm/bus.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x80
#endif

#define S		UINT64_C(1000000000)
#define HOUR		(3600 * (int64_t)S)

/* ---- a clock that can be set ---------------------------------------------------------------- */

static _Atomic int64_t offset;		/* ns, of the real CLOCK_REALTIME */
static _Atomic uint64_t fixed;		/* instead of it; 0: not */

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns;
	long r = syscall(SYS_clock_gettime, id, ts);

	if (r < 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return (int)r;
	ns = (int64_t)atomic_load(&fixed);
	if (!ns)
		ns = ts->tv_sec * (int64_t)S + ts->tv_nsec + atomic_load(&offset);
	ts->tv_sec = ns / (int64_t)S;
	ts->tv_nsec = ns % (int64_t)S;
	return 0;
}

/* ---- a removed bus, noticed by emitting alone ------------------------------------------------ */

/*
 * With @step of time between two emits, the clock is moved by @jump once @after has passed
 * since the last look at the file. Returns how long it took to notice, in that time.
 */
static uint64_t notice(uint64_t step, uint64_t after, int64_t jump)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "e");
	uint64_t clock = 1000000 * S, began, now;
	bool jumped = false;
	int err = 0;

	/* The first look is at the first emit. */
	atomic_store(&fixed, clock);
	check_eq(aioevt_shm_emit(event, "x", 1, NULL), 0);
	check_eq(atomic_load(&bus->checked), clock);
	check_eq(unlink(bus_path()), 0);
	began = now = clock;
	while (!err) {
		now += step;
		clock += step;
		if (!jumped && now - began >= after) {
			clock += (uint64_t)jump;
			jumped = true;
		}
		atomic_store(&fixed, clock);
		err = aioevt_shm_emit(event, "x", 1, NULL);
		check(now - began < 100 * S);
	}
	check_eq(err, -ESTALE);
	atomic_store(&fixed, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return now - began;
}

static void test_noticed(void)
{
	static const int64_t jumps[] = {
		0, HOUR, -HOUR, -1, -(int64_t)S, (int64_t)S, -100 * (int64_t)MS,
		-400 * (int64_t)MS, -490 * (int64_t)MS, -900 * (int64_t)MS, -990 * (int64_t)MS,
	};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++)
		for (uint64_t after = 0; after < 1000 * MS; after += 10 * MS) {
			uint64_t took = notice(10 * MS, after, jumps[i]);

			if (took > S + 10 * MS)
				fprintf(stderr, "by %" PRId64 " after %" PRIu64 ": %" PRIu64 "\n",
					jumps[i], after, took);
			check(took <= S + 10 * MS);	/* at the first emit after it */
		}
}

/* ---- waits ------------------------------------------------------------------------------------- */

static atomic_bool is_over;

static void *set_at_random(void *arg)
{
	uint64_t seed = 5;

	(void)arg;
	while (!atomic_load(&is_over)) {
		atomic_store(&offset, (int64_t)(random_u64(&seed) % (2 * HOUR)) - HOUR);
		pass_ms(1);
	}
	atomic_store(&offset, 0);
	return NULL;
}

static int emit_later(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "e");

	(void)arg;
	while (hear(me) == 'e')
		emit_u64(event, 1);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return 0;
}

/* What they last, with the clock jumping about all the time. */
static void test_waits(void)
{
	struct child emitter = spawn(emit_later, NULL);
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "e", AIOEVT_SHM_RELIABLE), *got;
	struct aioevt_shm_event *event = event_of(bus, "e");
	struct aioevt_shm_record record;
	uint64_t began, value;
	pthread_t thread;

	atomic_store(&is_over, false);
	check_eq(pthread_create(&thread, NULL, set_at_random, NULL), 0);
	for (int i = 0; i < 100; i++) {
		say(&emitter, 'e');
		check_eq(aioevt_shm_wait(listener, in_ms(20000), &got), 0);
		check_eq(read_u64(sub, &record, &value), 1);
	}
	began = now_ns();
	check_eq(aioevt_shm_wait(listener, began + 300 * MS, &got), -ETIMEDOUT);
	check(now_ns() - began >= 300 * MS);
	check(now_ns() - began < 10000 * MS);
	for (int i = 0; i < 8; i++)
		emit_u64(event, 1);
	began = now_ns();
	check_eq(aioevt_shm_emit_wait(event, "x", 1, began + 300 * MS, NULL), -EAGAIN);
	check(now_ns() - began >= 300 * MS);
	check(now_ns() - began < 10000 * MS);
	while (read_u64(sub, &record, &value) > 0)
		;
	check_eq(unlink(bus_path()), 0);
	began = now_ns();
	check_eq(aioevt_shm_wait(listener, in_ms(20000), &got), -ESTALE);
	check(now_ns() - began < 5000 * MS);
	atomic_store(&is_over, true);
	check_eq(pthread_join(thread, NULL), 0);
	say(&emitter, 'q');
	end_child(&emitter);
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
}

/* ---- what records say ------------------------------------------------------------------------------ */

/* From a time on: all that are stamped so are read, and with them what lies in between. */
static void test_from_time(void)
{
	static const uint64_t times[] = { 1000, 2000, 3000, 500, 600, 2500, 700, 4000, 100 };
	const size_t n = sizeof(times) / sizeof(times[0]);
	struct aioevt_shm *bus = bus_small(16);
	struct aioevt_shm_event *event = event_of(bus, "t");
	struct aioevt_shm_record record;
	uint64_t value;

	for (size_t i = 0; i < n; i++) {
		atomic_store(&fixed, times[i] * S);
		check_eq(emit_u64(event, i), i + 1);	/* the order is that of the numbers */
	}
	for (uint64_t from = 50; from < 4500; from += 50) {
		struct aioevt_shm_listener *listener = listener_of(bus);
		struct aioevt_shm_sub *sub;
		size_t first = 0;

		check_eq(aioevt_shm_listen(listener, "t", 0, AIOEVT_SHM_FROM_TIME, from * S, &sub),
			 0);
		while (first < n && times[first] < from)
			first++;
		for (size_t i = first; i < n; i++) {
			check_eq(read_u64(sub, &record, &value), 1);
			check_eq(value, i);
			check_eq(record.time, times[i] * S);
			check_eq(record.missed, 0);
		}
		check_eq(read_u64(sub, &record, &value), 0);
		aioevt_shm_listener_free(listener);
	}
	atomic_store(&fixed, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* What "aioevt list" says of @name. Returns how many of the fields were found. */
static int list_age(const char *name, uint64_t *ret_age, char *ret_last)
{
	char path[PATH_MAX], command[2 * PATH_MAX + 128], line[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 20);
	FILE *pipe;
	int found = 0;

	check(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/../aioevt");
	if (access(path, X_OK))
		return 2;		/* not built with it */
	snprintf(command, sizeof(command), "'%s' list --json %s; '%s' list %s", path, name, path,
		 name);
	pipe = popen(command, "re");
	check(pipe != NULL);
	while (fgets(line, sizeof(line), pipe)) {
		char *age = strstr(line, "\"age_ns\":");

		if (age)
			found += sscanf(age, "\"age_ns\":%" SCNu64, ret_age);
		else
			found += sscanf(line, "t.%*s %*s %*s %63s", ret_last) == 1;
	}
	check_eq(pclose(pipe), 0);
	return found;
}

/* A record from a time to come has age 0, and no huge one. */
static void test_ages(void)
{
	struct aioevt_shm *bus = bus_small(16);
	struct aioevt_shm_event *event;
	char last[64] = "0s";
	uint64_t age = 0;

	atomic_store(&offset, HOUR);
	event = event_of(bus, "t.future");
	emit_u64(event, 1);
	aioevt_shm_event_close(event);
	atomic_store(&offset, -HOUR);
	event = event_of(bus, "t.past");
	emit_u64(event, 1);
	aioevt_shm_event_close(event);
	atomic_store(&offset, 0);
	check_eq(list_age("t.future", &age, last), 2);
	check_eq(age, 0);
	fprintf(stderr, "age of a record to come: %s\n", last);
	check(last[0] == '0');
	age = 3600 * S;
	check_eq(list_age("t.past", &age, last), 2);
	check(age >= 3590 * S && age < 3700 * S);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- another CLOCK_MONOTONIC ------------------------------------------------------------------------- */

/* Ten days ahead of the others: waits last as long, wakes come, places are taken in turn. */
static int live_ahead(struct child *me)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "to.ahead", 0), *got;
	struct aioevt_shm_event *event = event_of(bus, "from.ahead");
	struct aioevt_shm_record record;
	uint64_t began, value;
	char name[32];

	check_eq(aioevt_shm_wait(listener, in_ms(200), &got), -ETIMEDOUT);
	say(me, 'r');
	for (int i = 0; i < 50; i++) {
		check_eq(aioevt_shm_wait(listener, in_ms(20000), &got), 0);
		check_eq(read_u64(sub, &record, &value), 1);
		emit_u64(event, value);
	}
	began = now_ns();
	check_eq(aioevt_shm_wait(listener, began + 300 * MS, &got), -ETIMEDOUT);
	check(now_ns() - began >= 300 * MS && now_ns() - began < 10000 * MS);
	for (int i = 0; i < 100; i++) {
		sprintf(name, "ahead.%d", i);
		aioevt_shm_event_close(event_of(bus, name));
	}
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

static int go_ahead(struct child *me, void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	ns_enter(CLONE_NEWTIME | (geteuid() ? CLONE_NEWUSER : 0), geteuid());
	ns_write("/proc/self/timens_offsets", "monotonic 864000 0\n");
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		alarm(30);
		_exit(live_ahead(me));
	}
	check_eq(waitpid(pid, &status, 0), pid);
	return status ? 1 : 0;
}

static bool test_time_namespace(void)
{
	struct child child = spawn(go_ahead, NULL);
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "from.ahead", 0), *got;
	struct aioevt_shm_event *event = event_of(bus, "to.ahead");
	struct aioevt_shm_record record;
	uint64_t value = 0;
	bool entered = hear(&child) == 'r';
	char name[32];
	int status;

	for (uint64_t i = 0; entered && i < 50; i++) {
		emit_u64(event, i);
		check_eq(aioevt_shm_wait(listener, in_ms(20000), &got), 0);
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(value, i);
	}
	status = reap(&child);
	check_eq(WEXITSTATUS(status), entered ? 0 : SKIP);
	for (int i = 0; i < 100; i++) {
		sprintf(name, "behind.%d", i);
		aioevt_shm_event_close(event_of(bus, name));
	}
	aioevt_shm_event_close(event);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	return entered;
}

int main(void)
{
	bool entered;

	bus_begin();
	alarm(100);
	test_noticed();
	test_from_time();
	test_ages();
	entered = test_time_namespace();
	test_waits();
	return bus_end() ? 1 : entered ? 0 : SKIP;
}
