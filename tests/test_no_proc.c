/* SPDX-License-Identifier: MIT */
/* A bus is created without /proc, where the kernel does not link a nameless file otherwise. */

#include "bus.h"

#include <fcntl.h>

static unsigned n_failed;

/* In place of the C library's. As for the unprivileged before Linux 6.10. */
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	(void)from_dir, (void)from, (void)to_dir, (void)to, (void)flags;
	n_failed++;
	errno = ENOENT;
	return -1;
}

int main(void)
{
	struct aioevt_shm *bus;

	bus_begin();
	alarm(60);
	bus = bus_small(8);
	check_eq(n_failed, 2);
	check_eq(try_open(NULL, AIOEVT_SHM_EXISTING), 0);
	check_eq(try_open(NULL, AIOEVT_SHM_EXCLUSIVE), -EEXIST);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	check_eq(rmdir(bus_dir), 0);	/* no other name is left */
	check_eq(try_open(NULL, 0), -ENOENT);
	return bus_end();
}
