/* SPDX-License-Identifier: MIT */
/*
 * No number is used twice for one name. A process that makes an event is stopped after it
 * looked where the numbers start, and before it puts the event into its list; meanwhile
 * others make an event of that name, emit and remove it; the list is as it was.
 */
#include <sys/mman.h>
#include <sys/ptrace.h>

#include "bus.h"

#include "event-map-internal.h"

#define N_BEFORE	3u

struct told {
	int err;
	uint64_t seq;
};

static struct told *told;

static void victim(void)
{
	struct aioevt_shm *mine = bus_open(NULL);
	struct aioevt_shm_event *ev;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(SKIP);
	raise(SIGSTOP);
	ev = event_of(mine, "again");
	told->err = aioevt_shm_emit(ev, NULL, 0, &told->seq);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(mine);
	_exit(0);
}

/* Has the maker of the event at index 0 said where its numbers start? */
static bool has_begun(struct aioevt_shm *bus)
{
	uint64_t base = 0, word = load_ring(bus_event(bus, 0), 0);
	uint64_t at = ring_offset(word) + bus->lo.ctl_size + offsetof(struct ring_header, base);

	return word && pread(bus->fd, &base, sizeof(base), (off_t)at) == sizeof(base) && base;
}

static pid_t stop_while_making(struct aioevt_shm *bus)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid)
		victim();
	check_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP)
		exit(SKIP);
	while (!has_begun(bus)) {
		check(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
		check_eq(waitpid(pid, &status, 0), pid);
		check(WIFSTOPPED(status));
	}
	return pid;
}

int main(void)
{
	struct aioevt_shm *bus;
	struct aioevt_shm_event *ev;
	pid_t pid;
	int status;

	bus_begin();
	alarm(110);
	bus = bus_small(8);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	check(told != MAP_FAILED);
	pid = stop_while_making(bus);

	ev = event_of(bus, "again");
	for (uint64_t n = 1; n <= N_BEFORE; n++)
		check_eq(emit_u64(ev, n), n);
	aioevt_shm_event_close(ev);
	check_eq(aioevt_shm_event_remove(bus, "again"), 0);
	check_eq(aioevt_shm_event_open(bus, "again", AIOEVT_SHM_EXISTING, &ev), -ENOENT);

	check(!ptrace(PTRACE_DETACH, pid, NULL, NULL));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_eq(WEXITSTATUS(status), 0);
	check_eq(told->err, 0);
	check_eq(told->seq, N_BEFORE + 1);
	ev = event_of(bus, "again");
	check_eq(emit_u64(ev, 0), N_BEFORE + 2);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(bus);
	munmap(told, sizeof(*told));
	return bus_end();
}
