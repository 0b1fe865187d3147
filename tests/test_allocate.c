/* SPDX-License-Identifier: MIT */
/* Memory is asked for in pieces, and a piece that a signal interrupts is asked for again. */

#include "bus.h"

#include <dlfcn.h>
#include <fcntl.h>

#define PIECE		(1 << 20)

static off64_t from, end;	/* the last piece */
static bool interrupted;	/* it was, at its first attempt */
static unsigned n_pieces;

/* In place of the C library's. As on Linux before 6.9, where a signal ends a call that has not finished. */
int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
	static int (*real)(int, int, off64_t, off64_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fallocate64");
	if (mode)
		return real(fd, mode, offset, size);
	check(size > 0);
	check(size <= PIECE);
	if (!interrupted) {
		interrupted = true;
		n_pieces++;
		from = offset;
		end = offset + size;
		errno = EINTR;
		return -1;
	}
	check_eq(offset, from);
	check_eq(offset + size, end);
	interrupted = false;
	return real(fd, mode, offset, size);
}

static void check_memory(uint64_t at_least)
{
	struct stat st;

	check(!interrupted);
	check_eq(stat(bus_path(), &st), 0);
	check((uint64_t)st.st_size >= at_least);
	check((uint64_t)st.st_blocks * 512 >= at_least);
	check(n_pieces >= at_least / PIECE);
}

int main(void)
{
	struct aioevt_shm_config config = bus_config(4096, 64, 65536);
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;
	uint64_t tables;

	bus_begin();
	alarm(60);
	bus = bus_open(&config);
	tables = (uint64_t)end;
	check(tables > PIECE);
	check(tables % PIECE);		/* the last one is smaller */
	check_memory(tables);
	event = event_of(bus, "e");
	check_memory(tables + 65536 * 64);
	emit_u64(event, 1);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	check_eq(try_open(NULL, AIOEVT_SHM_ANONYMOUS), 0);
	check(!interrupted);
	return bus_end();
}
