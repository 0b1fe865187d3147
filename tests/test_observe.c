/* SPDX-License-Identifier: MIT */
/* Listeners that observe are told from those that count, whatever stood in their place before. */

#include "bus.h"

#include "../shm/bus.h"
#include "../shm/listener.h"

static struct aioevt_shm *bus;

/* @n_workers and @n_observers have @name. */
static void check_counts(const char *name, uint32_t n_workers, uint32_t n_observers)
{
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_event_info info;

	check_eq(aioevt_shm_event_open(bus, name, AIOEVT_SHM_EXISTING, &event), 0);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_observers, n_observers);
	check_eq(info.n_listeners, n_workers + n_observers);
	aioevt_shm_event_close(event);
}

static int listen_to(struct aioevt_shm_listener *l, const char *pattern, uint32_t flags)
{
	return aioevt_shm_listen(l, pattern, flags, AIOEVT_SHM_FROM_NEW, 0, NULL);
}

static void test_kinds(void)
{
	struct aioevt_shm_listener *a = listener_of(bus), *b = listener_of(bus);
	struct aioevt_shm_event *event = event_of(bus, "kinds");
	struct aioevt_shm_sub *sub;
	uint64_t value;

	check_eq(listen_to(a, "kinds", AIOEVT_SHM_OBSERVE | AIOEVT_SHM_RELIABLE), -EINVAL);
	sub = sub_of(a, "kinds", AIOEVT_SHM_OBSERVE);
	check_counts("kinds", 0, 1);
	sub_of(b, "kinds", 0);
	check_counts("kinds", 1, 1);
	emit_u64(event, 7);
	check_eq(read_u64(sub, &(struct aioevt_shm_record){ 0 }, &value), 1);
	check_eq(value, 7);
	aioevt_shm_listener_free(b);
	check_counts("kinds", 0, 1);
	aioevt_shm_listener_free(a);
	check_counts("kinds", 0, 0);
	aioevt_shm_event_close(event);
}

/* Of the same index one after the other: an observer, a worker, an observer. */
static void test_same_place(void)
{
	static const uint32_t flags[] = { AIOEVT_SHM_OBSERVE, 0, AIOEVT_SHM_OBSERVE,
					  AIOEVT_SHM_RELIABLE };
	uint32_t index = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct aioevt_shm_listener *l = listener_of(bus);
		bool observes = flags[i] & AIOEVT_SHM_OBSERVE;

		check(!i || l->index == index);
		index = l->index;
		sub_of(l, "place", flags[i]);
		check_counts("place", !observes, observes);
		aioevt_shm_listener_free(l);
		check_counts("place", 0, 0);
	}
}

static int observe_and_wait(struct child *me, void *arg)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_listener *l = listener_of(mine);

	(void)arg;
	sub_of(l, "killed", AIOEVT_SHM_OBSERVE);
	check_eq(listen_to(l, "kill.>", AIOEVT_SHM_OBSERVE), 0);
	say(me, (char)('A' + l->index));
	hear(me);
	return 1;
}

/* A killed observer does not count, and leaves nothing to whoever gets its place. */
static void test_killed(void)
{
	struct child child = spawn(observe_and_wait, NULL);
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *l;
	uint32_t index = (uint32_t)(hear(&child) - 'A');
	struct aioevt_shm *other;

	event = event_of(bus, "killed");
	check_counts("killed", 0, 1);
	kill_child(&child);
	check_counts("killed", 0, 0);
	other = bus_open(NULL);		/* reaps */
	l = listener_of(bus);
	check_eq(l->index, index);
	sub_of(l, "killed", 0);
	check_counts("killed", 1, 0);
	aioevt_shm_listener_free(l);
	aioevt_shm_event_close(event);
	aioevt_shm_close(other);
}

/* A listener with both kinds on one event counts, in whichever order they come. */
static void test_both(void)
{
	struct aioevt_shm_listener *l = listener_of(bus);
	struct aioevt_shm_event *a = event_of(bus, "both.a"), *b = event_of(bus, "both.b"), *c;

	check_eq(listen_to(l, "both.>", AIOEVT_SHM_OBSERVE), 0);
	check_counts("both.a", 0, 1);
	check_eq(listen_to(l, "both.a", AIOEVT_SHM_OBSERVE), -EEXIST);
	check_counts("both.a", 0, 1);
	check_eq(listen_to(l, "both.a", 0), -EEXIST);
	check_counts("both.a", 1, 0);
	check_counts("both.b", 0, 1);
	check_eq(listen_to(l, "*.b", 0), 0);
	check_counts("both.b", 1, 0);
	c = event_of(bus, "both.c");
	check_eq(aioevt_shm_wait(l, 0, &(struct aioevt_shm_sub *){ NULL }), -ETIMEDOUT);
	check_counts("both.c", 0, 1);
	check_eq(listen_to(l, "*.c", AIOEVT_SHM_OBSERVE), 0);
	check_counts("both.c", 0, 1);
	aioevt_shm_listener_free(l);
	aioevt_shm_event_close(a);
	aioevt_shm_event_close(b);
	aioevt_shm_event_close(c);
}

/* More than stay open under a pattern; and one that is removed and made anew. */
static void test_many(void)
{
	struct aioevt_shm_listener *l = listener_of(bus), *worker = listener_of(bus);
	struct aioevt_shm_sub *sub;
	char name[32];

	check_eq(listen_to(l, "many.*", AIOEVT_SHM_OBSERVE), 0);
	sub_of(l, "again", AIOEVT_SHM_OBSERVE);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "many.%u", i);
		aioevt_shm_event_close(event_of(bus, name));
		check_eq(aioevt_shm_wait(l, 0, &sub), -ETIMEDOUT);
	}
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "many.%u", i);
		check_counts(name, 0, 1);
	}
	check_eq(listen_to(l, "many.7", 0), -EEXIST);	/* it rests */
	check_counts("many.7", 1, 0);
	check_eq(aioevt_shm_event_remove(bus, "again"), 0);
	sub_of(worker, "again", 0);
	check_eq(aioevt_shm_wait(l, 0, &sub), -ETIMEDOUT);
	check_counts("again", 1, 1);
	aioevt_shm_listener_free(worker);
	aioevt_shm_listener_free(l);
}

int main(void)
{
	bus_begin();
	alarm(60);
	bus = bus_small(16);
	test_kinds();
	test_same_place();
	test_killed();
	test_both();
	test_many();
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	return bus_end();
}
