/* SPDX-License-Identifier: MIT */
/*
 * A wait does not return at once, again and again, because a sub cannot go on: its event was removed
 * and the table is full. It waits for the others, and tries again at the re-check.
 */
#include "bus.h"

#include "listener.h"

#define N_EVENTS	64u

static struct aioevt_shm *bus, *other;
static struct aioevt_shm_listener *listener;
static struct aioevt_shm_sub *sub_a;
static struct aioevt_shm_event *open[N_EVENTS], *b;
static unsigned n_open;

static void fill_table(void)
{
	struct aioevt_shm_info info;
	char name[32];

	for (;;) {
		check_eq(aioevt_shm_get_info(other, &info), 0);
		if (info.events_used == info.n_events)
			return;
		snprintf(name, sizeof(name), "open.%u", n_open);
		open[n_open++] = event_of(other, name);
	}
}

/* The listener has "a" and, if @has_b, "b"; every place of the table is in use. */
static void begin(bool has_b)
{
	bus = bus_small(8);
	other = bus_open(NULL);
	listener = listener_of(bus);
	sub_a = sub_of(listener, "a", 0);
	if (has_b)
		sub_of(listener, "b", 0);
	b = event_of(other, "b");
	n_open = 0;
	fill_table();
}

static void end(void)
{
	for (unsigned i = 0; i < n_open; i++)
		aioevt_shm_event_close(open[i]);
	aioevt_shm_event_close(b);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(other);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static int wait_ms(unsigned ms, struct aioevt_shm_sub **ret_sub)
{
	return aioevt_shm_wait(listener, in_ms(ms), ret_sub);
}

static void expect(struct aioevt_shm_event *ev, uint64_t value)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t got;

	emit_u64(ev, value);
	check_eq(wait_ms(20000, &sub), 0);
	check_eq(read_u64(sub, &record, &got), 1);
	check_eq(got, value);
}

/* As if a second had gone by. */
static void recheck_now(void)
{
	listener->recheck_at = 0;
}

/* Nobody else has the removed event: its place is there for the one that is made anew. */
static void test_last_user(void)
{
	struct aioevt_shm_event *a;
	struct aioevt_shm_sub *sub;

	begin(false);
	check_eq(aioevt_shm_event_remove(other, "a"), 0);
	check_eq(aioevt_shm_wait(listener, 0, &sub), -ETIMEDOUT);
	check_eq(aioevt_shm_event_open(other, "a", AIOEVT_SHM_EXISTING, &a), 0);
	expect(a, 1);
	aioevt_shm_event_close(a);
	end();
}

/* Somebody else has it: "b" is heard meanwhile, and "a" once there is a place for it. */
static void test_others(void)
{
	struct aioevt_shm_event *a;
	struct aioevt_shm_sub *sub;

	begin(true);
	a = event_of(other, "a");
	check_eq(aioevt_shm_event_remove(other, "a"), 0);
	for (unsigned i = 0; i < 5; i++) {
		check_eq(wait_ms(5, &sub), -ETIMEDOUT);
		check(sub_a->is_detached);
		expect(b, i);
		if (i == 2)
			recheck_now();
	}
	aioevt_shm_event_close(a);
	a = event_of(other, "a");
	check_eq(wait_ms(5, &sub), -ETIMEDOUT);
	recheck_now();
	expect(a, 7);
	check(!sub_a->is_detached);
	aioevt_shm_event_close(a);
	end();
}

/* There is nothing else to wait for: the error is told, once for each attempt. */
static void test_alone(void)
{
	struct aioevt_shm_event *a;
	struct aioevt_shm_sub *sub;

	begin(false);
	a = event_of(other, "a");
	check_eq(aioevt_shm_event_remove(other, "a"), 0);
	check_eq(wait_ms(20000, &sub), -ENOSPC);
	check_eq(wait_ms(5, &sub), -ETIMEDOUT);
	check_eq(aioevt_shm_wait(listener, 0, &sub), -ETIMEDOUT);
	check_eq(wait_ms(20000, &sub), -ENOSPC);	/* after a second */
	recheck_now();
	check_eq(aioevt_shm_wait(listener, 0, &sub), -ENOSPC);
	aioevt_shm_sub_close(sub_a);
	aioevt_shm_event_close(a);
	end();
}

int main(void)
{
	bus_begin();
	test_last_user();
	test_others();
	test_alone();
	return bus_end();
}
