/* SPDX-License-Identifier: MIT */
/* On a tmpfs of huge pages a bus is healthy: doctor finds nothing wrong, and gc removes it. */

#include "ns.h"

#include <sys/mount.h>

static char dir[128];

static void unmount(void)
{
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

/* A tmpfs that gives out huge pages, or SKIP. */
static void mount_huge(void)
{
	ns_enter(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0), geteuid());
	check_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(dir, sizeof(dir), "%s/huge", bus_dir);
	check_eq(mkdir(dir, 0700), 0);
	atexit(unmount);
	setenv("AIOEVT_DIR", dir, 1);
	if (mount("tmpfs", dir, "tmpfs", 0, "size=64m,huge=always") < 0) {
		perror("huge=always");
		exit(SKIP);
	}
}

static void test_healthy(struct aioevt_shm *bus)
{
	static char large[5000];
	struct aioevt_shm_event *event = event_of(bus, "e");
	struct aioevt_shm_inspection *seen;
	struct stat st;

	for (int i = 0; i < 4; i++)
		check_eq(aioevt_shm_emit(event, large, sizeof(large), NULL), 0);
	check_eq(aioevt_shm_inspect(NULL, 0, &seen), 0);
	for (size_t i = 0; i < seen->n_problems; i++)
		fprintf(stderr, "%s\n", seen->problems[i].text);
	check_eq(seen->n_problems, 0);
	aioevt_shm_inspection_free(seen);
	check_eq(stat(bus_path(), &st), 0);
	check(st.st_blksize > 4096);
	aioevt_shm_event_close(event);
}

int main(void)
{
	struct aioevt_shm *bus;

	bus_begin();
	alarm(60);
	mount_huge();
	bus = bus_small(8);
	test_healthy(bus);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), 0);
	check_eq(umount(dir), 0);
	check_eq(rmdir(dir), 0);
	return bus_end();
}
