/* SPDX-License-Identifier: MIT */
/* A failed mmap(2) is told by its errno, and costs nothing. */

#include "bus.h"

#include <dlfcn.h>
#include <sys/mman.h>

#ifdef __SANITIZE_THREAD__	/* it has an mmap() of its own */
int main(void)
{
	return SKIP;
}
#else

static int refusal;		/* errno of the next mmap(2) of a file */

/* As with SELinux, which has a permission for it. */
static void *map(void *at, size_t size, int prot, int flags, int fd, off64_t offset)
{
	static void *(*real)(void *, size_t, int, int, int, off64_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mmap64");
	if (refusal && fd >= 0 && flags & MAP_SHARED) {
		errno = refusal;
		return MAP_FAILED;
	}
	return real(at, size, prot, flags, fd, offset);
}

void *mmap64(void *at, size_t size, int prot, int flags, int fd, off64_t offset)
{
	return map(at, size, prot, flags, fd, offset);
}

static void test_error(int err, int expected)
{
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm *bus;

	refusal = err;
	check_eq(try_open(NULL, 0), expected);
	check_eq(try_open(NULL, AIOEVT_SHM_ANONYMOUS), expected);
	check_eq(count_fds(), bus_fds);
	refusal = 0;
	bus = bus_small(8);
	refusal = err;
	check_eq(aioevt_shm_event_open(bus, "e", 0, &event), expected);
	check(!event);
	refusal = 0;
	check_eq(aioevt_shm_event_open(bus, "e", 0, &event), 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_error(EACCES, -EACCES);
	test_error(EPERM, -EPERM);
	test_error(ENODEV, -ENODEV);
	test_error(ENOMEM, -ENOMEM);
	test_error(EAGAIN, -ENOMEM);	/* too much is locked; -EAGAIN means something else here */
	return bus_end();
}

#endif
