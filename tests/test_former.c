/* SPDX-License-Identifier: MIT */
/*
 * An event that is open stays in use whatever this process does with a former event of the same
 * place in the table: a listener that rests on one wakes, closes, or is swept.
 */
#include "bus.h"

#include "../shm/bus.h"
#include "event-map.h"
#include "listener.h"
#include "rest.h"
#include "retune.h"

#define N_EVENTS	64u
#define N_JOBS		40u

static struct aioevt_shm *bus, *other;	/* the listener's process, and what stands for another */
static struct aioevt_shm_listener *listener;
static struct aioevt_shm_sub *mine;

/* The other process makes an event and emits to it, as a script that has a name for each job. */
static void make_event(const char *under, unsigned i)
{
	struct aioevt_shm_event *ev;
	char name[32];

	snprintf(name, sizeof(name), "%s.%u", under, i);
	ev = event_of(other, name);
	check_eq(aioevt_shm_emit(ev, name, strlen(name) + 1, NULL), 0);
	aioevt_shm_event_close(ev);
}

static unsigned read_all(void)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	_Alignas(8) char buf[64];
	unsigned n = 0;

	while (!aioevt_shm_wait(listener, 0, &sub))
		while (aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)) == 1) {
			check_str(record.data, aioevt_shm_sub_name(sub));
			n++;
		}
	return n;
}

/* A sub of the listener that rests on a former event in the place of @ref; or NULL. */
static struct aioevt_shm_sub *find_former(struct event_ref ref)
{
	struct aioevt_shm_sub *sub;

	for (sub = sub_first(listener); sub; sub = sub_next(sub))
		if (sub->is_resting && sub->ref.index == ref.index)
			break;
	check(!sub || sub->ref.generation != ref.generation);
	return sub;
}

/* Fill the table, so that events on which the listener rests are retired. */
static void begin(void)
{
	bus = bus_small(8);
	other = bus_open(NULL);
	listener = listener_of(bus);
	check_eq(aioevt_shm_listen(listener, "job.>", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	for (unsigned i = 0; i < N_JOBS; i++) {
		make_event("job", i);
		check_eq(read_all(), 1);
	}
	for (unsigned i = 0; i < N_EVENTS - N_JOBS + 4; i++)
		make_event("other", i);
}

static void end(void)
{
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(other);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* The other process goes on with new names, each at the cost of an idle event. */
static void expect_in_use(struct event_ref ref)
{
	check(registry_others_use(other, ref.index));
	for (unsigned i = 0; i < 2 * N_EVENTS; i++)
		make_event("next", i);
	check(registry_is_live(other, ref));
	check(registry_others_use(other, ref.index));
}

static struct event_ref open_mine(struct aioevt_shm_event **ret_event)
{
	struct aioevt_shm_event *ev = event_of(bus, "mine");

	check(find_former(ev->map->ref) != NULL);
	*ret_event = ev;
	return ev->map->ref;
}

static void test_wait(void)
{
	struct aioevt_shm_event *ev;
	struct event_ref ref;

	begin();
	ref = open_mine(&ev);
	emit_u64(ev, 1);			/* its news wake the sub that rests there */
	check_eq(read_all(), 0);
	expect_in_use(ref);
	emit_u64(ev, 2);
	aioevt_shm_event_close(ev);
	check(!registry_in_use(other, ref.index));
	end();
}

static void test_close(void)
{
	struct aioevt_shm_event *ev;
	struct event_ref ref;

	begin();
	ref = open_mine(&ev);
	aioevt_shm_sub_close(find_former(ref));
	expect_in_use(ref);
	emit_u64(ev, 1);
	aioevt_shm_event_close(ev);
	end();
}

static void test_sweep(void)
{
	struct aioevt_shm_event *ev;
	struct event_ref ref;

	begin();
	ref = open_mine(&ev);
	check_eq(pattern_scan(listener, true), 0);
	check(!find_former(ref));
	expect_in_use(ref);
	aioevt_shm_event_close(ev);
	end();
}

/* The listener itself has the open event: it stays subscribed, and hears of a record at once. */
static void test_reliable(bool closes)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_event *ev;
	struct event_ref ref;
	uint64_t seq, start;

	begin();
	check_eq(aioevt_shm_listen(listener, "mine", AIOEVT_SHM_RELIABLE, AIOEVT_SHM_FROM_NEW, 0,
				   &mine), 0);
	ref = mine->ev->map->ref;
	check(find_former(ref) != NULL);
	if (closes)
		aioevt_shm_sub_close(find_former(ref));
	else
		check_eq(aioevt_shm_wait(listener, 0, &sub), -ETIMEDOUT);
	expect_in_use(ref);
	ev = event_of(other, "mine");
	seq = emit_u64(ev, 1);
	start = now_ns();
	check_eq(aioevt_shm_wait(listener, start + 900 * MS, &sub), 0);
	check(sub == mine);
	check_eq(aioevt_shm_read(sub, &record, 1, &start, sizeof(start)), 1);
	check_eq(record.seq, seq);
	aioevt_shm_event_close(ev);
	end();
}

/* What a hold does when there is a mapping of the place, in this generation or another. */
static void test_hold(void)
{
	struct event_map *map, *again;
	struct aioevt_shm_event *ev;
	struct event_ref ref, former;

	begin();
	ref = open_mine(&ev);
	former = (struct event_ref){ ref.index, ref.generation - 1 };
	bus_lock(bus);
	check_eq(event_map_hold(bus, former, false, &map), -ENOENT);
	check_eq(event_map_hold(bus, former, true, &map), -ENOENT);
	check_eq(event_map_get(bus, former, &map), -ENOENT);
	check(registry_in_use(other, ref.index));
	check_eq(event_map_hold(bus, ref, true, &map), 0);
	check_eq(event_map_get(bus, ref, &again), 0);
	check(map == ev->map && again == map);
	event_map_drop(map);
	event_map_put(again);
	check(registry_in_use(other, ref.index));
	bus_unlock(bus);
	aioevt_shm_event_close(ev);
	bus_lock(bus);
	check(!registry_in_use(other, ref.index));
	check_eq(event_map_hold(bus, former, true, &map), -ENOENT);
	check(!registry_in_use(other, ref.index));
	check_eq(event_map_hold(bus, ref, false, &map), 0);
	check(registry_in_use(other, ref.index));
	event_map_drop(map);
	check(!registry_in_use(other, ref.index));
	bus_unlock(bus);
	end();
}

int main(void)
{
	bus_begin();
	test_hold();
	test_wait();
	test_close();
	test_sweep();
	test_reliable(false);
	test_reliable(true);
	return bus_end();
}
