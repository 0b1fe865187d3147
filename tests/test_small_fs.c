/* SPDX-License-Identifier: MIT */
/* A bus leaves others a part of its file system, and fits into a small one. */

#include "ns.h"

#include <sys/mount.h>
#include <sys/statvfs.h>

#include "../shm/bus.h"
#include "../shm/registry.h"

#define MIB		(UINT64_C(1) << 20)
#define PAGE		4096u

static char small_dir[sizeof(bus_dir) + 8], other[sizeof(small_dir) + 16];
static unsigned char large[15 * MIB], back[15 * MIB];

static void mount_small(uint64_t size)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%" PRIu64, size);
	check_eq(mount("tmpfs", small_dir, "tmpfs", 0, options), 0);
}

static void unmount_small(void)
{
	check_eq(aioevt_shm_unlink(NULL), 0);
	check_eq(umount(small_dir), 0);
}

static void at_exit(void)
{
	umount2(small_dir, MNT_DETACH);
	unlink(bus_path());
	rmdir(small_dir);
}

static struct aioevt_shm_info info_of(struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_get_info(bus, &info), 0);
	return info;
}

/* Another program writes @size bytes beside the bus. */
static void check_room_for_others(uint64_t size)
{
	int fd = open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	check(fd >= 0);
	check_eq(fallocate(fd, 0, 0, (off_t)size), 0);
	close(fd);
	check_eq(unlink(other), 0);
}

/* ---- 64 MiB: what a container has --------------------------------------------------- */

/* A new name for each job: the budget of rings. */
static void make_events(struct aioevt_shm *bus)
{
	char name[32];

	for (unsigned i = 0; i < 440; i++) {
		struct aioevt_shm_event *event;

		snprintf(name, sizeof(name), "job.%u", i);
		event = event_of(bus, name);
		check_eq(aioevt_shm_emit(event, "x", 1, NULL), 0);
		aioevt_shm_event_close(event);
	}
	check(info_of(bus).events_used < 440);
	check(info_of(bus).events_used > 90);
	check(info_of(bus).memory <= bus->lo.tables_end + 16 * MIB + 2 * 64 * 1024);
}

static void test_rings(void)
{
	struct aioevt_shm *bus;

	mount_small(64 * MIB);
	bus = bus_open(NULL);
	check_eq(info_of(bus).n_events, 4096);
	check_eq(info_of(bus).n_listeners, 1024);
	check_eq(info_of(bus).depth, 1024);
	check_eq(info_of(bus).ring_budget, 16 * MIB);
	check_eq(info_of(bus).large_budget, 32 * MIB);
	make_events(bus);
	check_room_for_others(40 * MIB);
	aioevt_shm_close(bus);
	unmount_small();
}

static void check_read(struct aioevt_shm_sub *sub, size_t size)
{
	struct aioevt_shm_record record;

	check_eq(aioevt_shm_read(sub, &record, 1, back, sizeof(back)), 1);
	check_eq(record.missed, 0);
	check_mem(back, record.size, large, size);
}

/* Two of 15 MiB beside rings that take all they may. A small payload always has room. */
static void test_large(void)
{
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_event *event;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm *bus;
	uint64_t memory;

	mount_small(64 * MIB);
	bus = bus_open(NULL);
	make_events(bus);
	event = event_of(bus, "report");
	listener = listener_of(bus);
	sub = sub_of(listener, "report", AIOEVT_SHM_RELIABLE);
	check_eq(aioevt_shm_emit(event, large, sizeof(large), NULL), 0);
	check_eq(aioevt_shm_emit(event, large, sizeof(large), NULL), 0);
	check_eq(aioevt_shm_emit(event, large, 2 * MIB, NULL), 0);
	check_eq(aioevt_shm_emit(event, large, PAGE, NULL), -ENOSPC);
	memory = info_of(bus).memory;
	check_eq(aioevt_shm_emit(event, large, sizeof(large), NULL), -ENOSPC);
	check_eq(aioevt_shm_emit_after(bus, "report", large, MIB, 0, NULL), -ENOSPC);
	check_eq(aioevt_shm_emit(event, large, 100, NULL), 0);
	check(info_of(bus).memory <= memory);
	check_room_for_others(8 * MIB);
	check_read(sub, sizeof(large));
	check_read(sub, sizeof(large));
	check_read(sub, 2 * MIB);
	check_read(sub, 100);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	unmount_small();
}

/* Where nothing is left for large payloads, a body that has its page is written to again. */
static void test_same_page(void)
{
	struct aioevt_shm_config config = bus_config(64, 64, 8);
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;
	unsigned n = 0;

	config.large_budget = 16 * PAGE;
	bus = bus_open(&config);
	event = event_of(bus, "e");
	for (; n < 100; n++)
		check_eq(aioevt_shm_emit(event, large, 200, NULL), 0);
	check(info_of(bus).memory < bus->lo.tables_end + registry_memory(bus) + 16 * PAGE);
	check_eq(aioevt_shm_emit(event, large, 17 * PAGE, NULL), -ENOSPC);
	while (aioevt_shm_emit_after(bus, "later", large, 200, UINT64_MAX, NULL) == 0)
		n++;
	check(n < 116);
	for (n = 0; n < 100; n++)
		check_eq(aioevt_shm_emit(event, large, 200, NULL), 0);
	check_eq(info_of(bus).memory, bus->lo.tables_end + registry_memory(bus) + 16 * PAGE);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- smaller and larger ------------------------------------------------------------- */

static void check_works(struct aioevt_shm *bus)
{
	struct aioevt_shm_event *event = event_of(bus, "e");

	for (unsigned i = 0; i < 100; i++)
		check_eq(aioevt_shm_emit(event, "x", 1, NULL), 0);
	check_eq(aioevt_shm_emit(event, large, 3 * PAGE, NULL), 0);
	aioevt_shm_event_close(event);
}

static void test_sizes(void)
{
	static const struct size {
		uint64_t size;
		uint32_t n_events, n_listeners, depth;
	} sizes[] = {
		{ 512 * 1024, 64, 64, 64 },
		{ MIB, 128, 64, 128 },
		{ 8 * MIB, 1024, 256, 1024 },
		{ 300 * MIB, 4096, 1024, 1024 },
	};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t quarter = sizes[i].size / 4;
		struct aioevt_shm *bus;

		mount_small(sizes[i].size);
		bus = bus_open(NULL);
		check_eq(info_of(bus).n_events, sizes[i].n_events);
		check_eq(info_of(bus).n_listeners, sizes[i].n_listeners);
		check_eq(info_of(bus).depth, sizes[i].depth);
		check_eq(info_of(bus).ring_budget, quarter < 64 * MIB ? quarter : 64 * MIB);
		check_eq(info_of(bus).large_budget, 2 * quarter);
		check(bus->lo.tables_end <= quarter / 2);
		check_works(bus);
		check_room_for_others(quarter / 2);
		aioevt_shm_close(bus);
		unmount_small();
	}
}

/* What was asked for stays, or is refused. */
static void test_asked_for(void)
{
	struct aioevt_shm_config config = bus_config(1024, 128, 2048);
	struct aioevt_shm *bus;

	mount_small(8 * MIB);
	config.ring_budget = 64 * MIB;
	config.large_budget = 7 * MIB;
	bus = bus_open(&config);
	check_eq(info_of(bus).n_events, 1024);
	check_eq(info_of(bus).n_listeners, 128);
	check_eq(info_of(bus).depth, 2048);
	check_eq(info_of(bus).ring_budget, 64 * MIB);
	check_eq(info_of(bus).large_budget, 7 * MIB);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);

	config = bus_config(0, 0, 0);
	config.max_payload = 6 * MIB;
	bus = bus_open(&config);
	check_eq(info_of(bus).large_budget, 6 * MIB);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);

	config = bus_config(0, 0, 65536);		/* 8 MiB a ring */
	check_eq(aioevt_shm_open(NULL, &config, 0, &bus), -ENOSPC);
	config = bus_config(32768, 0, 0);
	check_eq(aioevt_shm_open(NULL, &config, 0, &bus), -ENOSPC);
	check_eq(access(bus_path(), F_OK), -1);
	check_eq(umount(small_dir), 0);
}

int main(void)
{
	bus_begin();
	alarm(60);
	ns_enter(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0), geteuid());
	check_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(small_dir, sizeof(small_dir), "%s/small", bus_dir);
	snprintf(other, sizeof(other), "%s/other", small_dir);
	check_eq(mkdir(small_dir, 0700), 0);
	atexit(at_exit);
	setenv("AIOEVT_DIR", small_dir, 1);
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (unsigned char)(i / PAGE + i);

	test_rings();
	test_large();
	test_same_page();
	test_sizes();
	test_asked_for();
	check_eq(rmdir(small_dir), 0);
	return bus_end();
}
