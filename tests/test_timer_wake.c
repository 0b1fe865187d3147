/* SPDX-License-Identifier: MIT */
/*
 * A listener that sleeps when something is scheduled wakes for it when it is due, whatever it
 * sleeps on, without the help of its re-check; and who does not listen to the event is not woken.
 */
#include "bus.h"

#include <sched.h>

#include "../shm/bus.h"
#include "futex.h"
#include "listener.h"
#include "rest.h"
#include "retune.h"
#include "timer.h"

#define FAR		(UINT64_MAX / 2)
#define N_MANY		(3 * MAX_AWAKE)

static struct aioevt_shm *bus;

enum how { OWN, SHARED, PATTERN, RESTING, MANY, ARMED, OTHER };

/* Sleep until there is a record, then tell its value; again if that is so. */
static int sleeper(struct child *me, void *arg)
{
	enum how how = *(enum how *)arg;
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_listener *l = listener_of(mine);
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t value;
	char name[16];

	if (how == PATTERN || how == RESTING)
		sub_of(l, ">", 0);
	else
		sub_of(l, how == OTHER ? "other" : "event", 0);
	for (unsigned i = 0; how == MANY && i < N_MANY; i++) {
		snprintf(name, sizeof(name), "many.%u", i);
		sub_of(l, name, 0);
	}
	say(me, (char)('0' + l->index));
	l->recheck_at = FAR;
	while (how == ARMED) {
		struct bell_watch watch;

		if (!listener_arm(l, &sub, &watch))
			break;
		futex_wait(watch.word, watch.value, watch.until);
	}
	check_eq(aioevt_shm_wait(l, AIOEVT_SHM_NO_DEADLINE, &sub), 0);
	check_eq(read_u64(sub, &record, &value), 1);
	say(me, (char)value);
	aioevt_shm_listener_free(l);
	aioevt_shm_close(mine);
	return 0;
}

static void await_armed(_Atomic uint32_t *bell)
{
	while (!(atomic_load(bell) & BELL_ARMED))
		sched_yield();
}

static _Atomic uint32_t *doorbell(const struct child *child)
{
	return &bus_listener(bus, (uint32_t)(hear(child) - '0'))->doorbell;
}

static void after(const char *name, uint64_t value, uint64_t due)
{
	check_eq(aioevt_shm_emit_after(bus, name, &value, sizeof(value), due, NULL), 0);
}

static void test_one(enum how how, const char *name)
{
	struct child child = spawn(sleeper, &how);
	_Atomic uint32_t *bell = doorbell(&child);
	uint64_t due;

	await_armed(bell);
	due = in_ms(15);
	after(name, 'x', due);
	check_eq(hear(&child), 'x');
	check(now_ns() >= due);
	end_child(&child);
}

/* An earlier one is scheduled while it sleeps until a later one. */
static void test_earlier(void)
{
	enum how how = OWN;
	struct child child = spawn(sleeper, &how);
	_Atomic uint32_t *bell = doorbell(&child);
	uint64_t id = 0, value = 'l', far = in_ms(3600000);

	await_armed(bell);
	check_eq(aioevt_shm_emit_after(bus, "event", &value, sizeof(value), far, &id), 0);
	await_armed(bell);
	after("event", 'e', in_ms(5));
	check_eq(hear(&child), 'e');
	end_child(&child);
	check_eq(aioevt_shm_cancel(bus, id), 0);
}

/* Two on the bell of the event; one who listens to another event sleeps on. */
static void test_shared(void)
{
	enum how how = SHARED, other = OTHER;
	struct child a = spawn(sleeper, &how), b = spawn(sleeper, &how);
	struct child c = spawn(sleeper, &other);
	struct aioevt_shm_event *ev = event_of(bus, "event");
	struct aioevt_shm_event *theirs = event_of(bus, "other");
	_Atomic uint32_t *bell = doorbell(&c), *shared = &ev->map->event->bell;
	uint32_t before;

	/* whoever was the first may sleep on its own bell */
	hear(&a);
	hear(&b);
	await_armed(shared);
	await_armed(bell);
	before = atomic_load(bell);
	after("event", 's', in_ms(15));
	check_eq(hear(&a), 's');
	check_eq(hear(&b), 's');
	check_eq(atomic_load(bell), before);
	check(emit_u64(theirs, 'o') > 0);
	check_eq(hear(&c), 'o');
	end_child(&a);
	end_child(&b);
	end_child(&c);
	aioevt_shm_event_close(ev);
	aioevt_shm_event_close(theirs);
}

int main(void)
{
	char name[16];

	bus_begin();
	bus = bus_small(16);
	test_one(OWN, "event");
	test_one(MANY, "event");
	test_one(ARMED, "event");
	test_one(PATTERN, "fresh");
	for (unsigned i = 0; i < N_MANY; i++) {
		snprintf(name, sizeof(name), "many.%u", i);
		aioevt_shm_event_close(event_of(bus, name));
		test_one(RESTING, name);
		i += MAX_AWAKE - 1;
	}
	test_earlier();
	test_shared();
	aioevt_shm_close(bus);
	return bus_end();
}
