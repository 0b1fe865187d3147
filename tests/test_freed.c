/* SPDX-License-Identifier: MIT */
/* Nobody touches the memory of an event that is freed: each page of the file is some event's. */
#include "bus.h"

#include "../shm/bus.h"
#include "registry.h"

#define PAGE		4096u
#define N_JOBS		40u		/* more than a listener has open, see rest.h */
#define N_OTHERS	30u		/* and with them more than the table has places */
#define N_LATER		200u

static struct aioevt_shm *here, *there;	/* stand for two processes */
static struct aioevt_shm_listener *listener;

static void make_events(const char *prefix, unsigned n)
{
	struct aioevt_shm_event *ev;
	char name[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s.%u", prefix, i);
		ev = event_of(there, name);
		check_eq(aioevt_shm_emit(ev, "x", 1, NULL), 0);
		aioevt_shm_event_close(ev);
	}
}

static void read_all(void)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	char buf[8];

	while (!aioevt_shm_wait(listener, 0, &sub))
		while (aioevt_shm_read(sub, &record, 1, buf, sizeof(buf)) == 1)
			;
}

/* Reading a hole through a mapping fills it, on a tmpfs. */
static void check_memory(void)
{
	off_t end = 0, data;

	while ((data = lseek(there->fd, end, SEEK_DATA)) >= 0) {
		end = lseek(there->fd, data, SEEK_HOLE);
		for (; data < end; data += PAGE)
			if ((uint64_t)data >= there->lo.tables_end && (uint64_t)data < BODY_BASE &&
			    !registry_has_region(there, (uint64_t)data, PAGE)) {
				fprintf(stderr, "page %#jx is nobody's\n", (intmax_t)data);
				exit(1);
			}
	}
	check_eq(errno, ENXIO);
}

int main(void)
{
	struct aioevt_shm_event_info info;
	struct aioevt_shm_event *mine;

	bus_begin();
	here = bus_small(8);
	there = bus_small(8);
	listener = listener_of(here);
	check_eq(aioevt_shm_listen(listener, "job.>", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	for (unsigned i = 1; i <= N_JOBS; i++) {
		make_events("job", i);
		read_all();
	}
	make_events("other", N_OTHERS);	/* in the places of jobs that the listener rests on */
	mine = event_of(here, "mine");
	read_all();
	make_events("later", N_LATER);
	check_eq(aioevt_shm_event_get_info(mine, &info), 0);
	read_all();
	check_memory();
	aioevt_shm_event_close(mine);
	aioevt_shm_listener_free(listener);
	check_memory();
	aioevt_shm_close(here);
	aioevt_shm_close(there);
	return bus_end();
}
