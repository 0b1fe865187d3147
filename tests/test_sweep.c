/* SPDX-License-Identifier: MIT */
/* A test that ends by a signal leaves nothing in shared memory. */
#include "bus.h"

#define LONG_NS		(30 * 1000 * MS)

/* A test of its own, with a bus, that tells its directory and then is killed. */
static void be_killed(int fd)
{
	struct aioevt_shm *bus;

	bus_begin();
	bus = bus_small(8);
	event_of(bus, "e");
	check_eq(write(fd, bus_dir, sizeof(bus_dir)), sizeof(bus_dir));
	kill(getpid(), SIGKILL);
}

int main(void)
{
	char dir[sizeof(bus_dir)];
	uint64_t until = now_ns() + LONG_NS;
	int fds[2], status;
	pid_t pid;

	check(!pipe(fds));
	pid = fork();
	check(pid >= 0);
	if (!pid)
		be_killed(fds[1]);
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	check_eq(read(fds[0], dir, sizeof(dir)), sizeof(dir));
	while (!access(dir, F_OK)) {
		check(now_ns() < until);
		poll(NULL, 0, 1);
	}
	return 0;
}
