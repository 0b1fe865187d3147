/* SPDX-License-Identifier: MIT */
/* A request that cannot succeed retires no event; one that can retires no more than it needs. */

#include "ns.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "../shm/bus.h"

#define N_EVENTS	64u
#define MIB		(UINT64_C(1) << 20)

static unsigned char payload[16 * MIB];
static uint64_t large_budget = 1024 * MIB;
static char small_dir[sizeof(bus_dir) + 8];

static unsigned count_events(struct aioevt_shm *bus)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;
	unsigned n = 0;

	while (aioevt_shm_event_next(bus, &walk, name) == 1)
		n++;
	return n;
}

static bool is_there(struct aioevt_shm *bus, const char *name)
{
	struct aioevt_shm_event *event = NULL;
	int err = aioevt_shm_event_open(bus, name, AIOEVT_SHM_EXISTING, &event);

	check(!err || err == -ENOENT);
	aioevt_shm_event_close(event);
	return !err;
}

/* @n idle events, the first of them the oldest, of one record of @size bytes each. */
static void fill(struct aioevt_shm *bus, unsigned n, size_t size)
{
	char name[32];

	for (unsigned i = 0; i < n; i++) {
		struct aioevt_shm_event *event;

		snprintf(name, sizeof(name), "idle.%u", i);
		event = event_of(bus, name);
		check_eq(aioevt_shm_emit(event, payload, size, NULL), 0);
		aioevt_shm_event_close(event);
		if (i < 2)
			await_tick();
	}
}

static struct aioevt_shm *open_bus(uint64_t budget)
{
	struct aioevt_shm_config config = bus_config(N_EVENTS, 64, 8);

	config.ring_budget = budget;
	config.large_budget = large_budget;
	return bus_open(&config);
}

static void close_bus(struct aioevt_shm *bus)
{
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- the budget ------------------------------------------------------------------------ */

static void test_grow(void)
{
	struct aioevt_shm *bus = open_bus(MIB);
	struct aioevt_shm_event *event;

	fill(bus, 20, 8);
	event = event_of(bus, "deep");
	check_eq(aioevt_shm_event_grow(event, 1 << 14), -ENOSPC);
	check_eq(count_events(bus), 21);
	/* within the budget, but not beside all of them */
	check_eq(aioevt_shm_event_grow(event, 1 << 12), 0);
	check(is_there(bus, "idle.19"));
	check_eq(aioevt_shm_event_grow(event, 1 << 12), 0);
	aioevt_shm_event_close(event);
	close_bus(bus);
}

/* What idle events hold is not enough beside an event that is open. */
static void test_grow_beside(void)
{
	struct aioevt_shm *bus = open_bus(MIB);
	struct aioevt_shm_event *other, *event;
	unsigned n;

	other = event_of(bus, "other");
	check_eq(aioevt_shm_event_grow(other, 1 << 12), 0);
	event = event_of(bus, "deep");
	fill(bus, 20, 8);
	n = count_events(bus);
	check_eq(aioevt_shm_event_grow(event, 1 << 12), -ENOSPC);
	check_eq(count_events(bus), n);
	aioevt_shm_event_close(other);
	check_eq(aioevt_shm_event_grow(event, 1 << 12), 0);
	check(!is_there(bus, "other"));
	aioevt_shm_event_close(event);
	close_bus(bus);
}

/* ---- the table ------------------------------------------------------------------------- */

static void test_limits(void)
{
	struct aioevt_shm *bus = open_bus(0);
	struct aioevt_shm_event *event = NULL;
	struct rlimit before, small;

	fill(bus, N_EVENTS, 8);
	check_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = bus->lo.tables_end;
	check_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	check_eq(aioevt_shm_event_open(bus, "new", 0, &event), -EFBIG);
	check_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	check_eq(count_events(bus), N_EVENTS);
	aioevt_shm_event_close(event_of(bus, "new"));
	check_eq(count_events(bus), N_EVENTS);
	check(!is_there(bus, "idle.0"));
	check(is_there(bus, "idle.1"));
	close_bus(bus);
}

/* The table of emissions to come is full. */
static void test_timers(void)
{
	struct aioevt_shm *bus = open_bus(0);
	unsigned i;

	for (i = 0; i < 64; i++)
		check_eq(aioevt_shm_emit_after(bus, "later", "x", 1, UINT64_MAX, NULL), 0);
	fill(bus, N_EVENTS - 1, 8);
	check_eq(aioevt_shm_emit_after(bus, "new", "x", 1, UINT64_MAX, NULL), -ENOSPC);
	check_eq(count_events(bus), N_EVENTS);
	check(is_there(bus, "idle.0"));
	close_bus(bus);
}

/* ---- the file system ------------------------------------------------------------------- */

static void unmount(void)
{
	umount2(small_dir, MNT_DETACH);
	rmdir(small_dir);
}

static void mount_small(unsigned mib)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%um", mib);
	check_eq(mount("tmpfs", small_dir, "tmpfs", 0, options), 0);
}

static uint64_t memory_left(void)
{
	struct statvfs st;

	check_eq(statvfs(small_dir, &st), 0);
	return (uint64_t)st.f_bavail * st.f_frsize;
}

static void test_payload(void)
{
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;

	mount_small(12);
	bus = open_bus(0);
	event = event_of(bus, "report");
	fill(bus, 6, MIB);
	/* more than the file system has */
	check_eq(aioevt_shm_emit(event, payload, sizeof(payload), NULL), -ENOSPC);
	check_eq(count_events(bus), 7);
	/* more than is left: the oldest suffice */
	check(memory_left() < 6 * MIB);
	check_eq(aioevt_shm_emit(event, payload, 6 * MIB, NULL), 0);
	check(!is_there(bus, "idle.0"));
	check(is_there(bus, "idle.2"));
	/* more than those have that are left: this event's own records are in the way */
	check_eq(aioevt_shm_emit(event, payload, 6 * MIB, NULL), -ENOSPC);
	check(is_there(bus, "idle.2"));
	aioevt_shm_event_close(event);
	close_bus(bus);
	check_eq(umount(small_dir), 0);
}

/* The budget of large payloads is used up: events that hold none stay. */
static void test_large_budget(void)
{
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;

	mount_small(20);
	large_budget = 6 * MIB;
	bus = open_bus(0);
	large_budget = 1024 * MIB;
	event = event_of(bus, "small");
	emit_u64(event, 1);
	aioevt_shm_event_close(event);
	await_tick();
	fill(bus, 5, MIB);
	event = event_of(bus, "report");
	check_eq(aioevt_shm_emit(event, payload, 7 * MIB, NULL), -ENOSPC);
	check_eq(count_events(bus), 7);
	check_eq(aioevt_shm_emit(event, payload, 2 * MIB, NULL), 0);
	check(is_there(bus, "small"));
	check(!is_there(bus, "idle.0"));
	check(is_there(bus, "idle.1"));
	check_eq(aioevt_shm_emit(event, payload, 5 * MIB, NULL), -ENOSPC);
	check_eq(count_events(bus), 6);
	aioevt_shm_event_close(event);
	close_bus(bus);
	check_eq(umount(small_dir), 0);
}

/* It is not memory alone that a record needs. */
static void test_refused_payload(void)
{
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;

	mount_small(12);
	bus = open_bus(0);
	event = event_of(bus, "report");
	listener = listener_of(bus);
	sub_of(listener, "report", AIOEVT_SHM_RELIABLE);
	for (unsigned i = 0; i < 8; i++)
		emit_u64(event, i);
	fill(bus, 6, MIB);
	check_eq(aioevt_shm_emit(event, payload, 6 * MIB, NULL), -EAGAIN);
	check_eq(count_events(bus), 7);
	aioevt_shm_listener_free(listener);
	check_eq(aioevt_shm_emit(event, payload, 6 * MIB, NULL), 0);
	check(count_events(bus) < 7);
	aioevt_shm_event_close(event);
	close_bus(bus);
	check_eq(umount(small_dir), 0);
}

static void test_region(void)
{
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;

	mount_small(12);
	bus = open_bus(64 * MIB);
	event = event_of(bus, "deep");
	fill(bus, 8, MIB);
	check_eq(aioevt_shm_event_grow(event, 1 << 17), -ENOSPC);
	check_eq(count_events(bus), 9);
	check(memory_left() < 4 * MIB);
	check_eq(aioevt_shm_event_grow(event, 1 << 15), 0);
	check(!is_there(bus, "idle.0"));
	check(is_there(bus, "idle.2"));
	aioevt_shm_event_close(event);
	close_bus(bus);
	check_eq(umount(small_dir), 0);
}

/* The budget would allow it, if all idle events went; the file system would not. */
static void test_region_and_budget(void)
{
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;

	mount_small(12);
	bus = open_bus((UINT64_C(132) << 17) + 20480);
	event = event_of(bus, "deep");
	fill(bus, 8, 8);
	check_eq(aioevt_shm_event_grow(event, 1 << 17), -ENOSPC);
	check_eq(count_events(bus), 9);
	aioevt_shm_event_close(event);
	close_bus(bus);
	check_eq(umount(small_dir), 0);
	mount_small(24);
	bus = open_bus((UINT64_C(132) << 17) + 20480);
	event = event_of(bus, "deep");
	fill(bus, 8, 8);
	check_eq(aioevt_shm_event_grow(event, 1 << 17), 0);
	check(count_events(bus) < 9);
	aioevt_shm_event_close(event);
	close_bus(bus);
	check_eq(umount(small_dir), 0);
}

int main(void)
{
	bus_begin();
	test_grow();
	test_grow_beside();
	test_limits();
	test_timers();
	ns_enter(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0), geteuid());
	check_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(small_dir, sizeof(small_dir), "%s/small", bus_dir);
	check_eq(mkdir(small_dir, 0700), 0);
	atexit(unmount);
	setenv("AIOEVT_DIR", small_dir, 1);
	test_payload();
	test_large_budget();
	test_refused_payload();
	test_region();
	test_region_and_budget();
	check_eq(rmdir(small_dir), 0);
	return bus_end();
}
