/* SPDX-License-Identifier: MIT */
/* A process of one thread forks in a signal handler, wherever it is in opening and closing. */

#include "bus.h"

#include <sys/time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)	/* they lock around fork(2) */
int main(void)
{
	return SKIP;
}
#else

static volatile sig_atomic_t n_forks, n_failed;

static void on_timer(int number)
{
	int saved_errno = errno, status;
	pid_t pid = fork();

	(void)number;
	if (!pid)
		_exit(0);
	n_forks++;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		n_failed = 1;
	errno = saved_errno;
}

/* The timer ends at another point of opening and closing each time. */
static void test_signal_handler(void)
{
	struct itimerval timer = { 0 };
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };
	struct aioevt_shm *bus;

	check_eq(sigaction(SIGALRM, &action, NULL), 0);
	for (unsigned i = 0; i < 150; i++) {
		timer.it_value.tv_usec = 1 + i * 37 % 400;
		check_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
		bus = bus_open(NULL);
		aioevt_shm_event_close(event_of(bus, "x"));
		aioevt_shm_close(bus);
	}
	while (!n_forks)
		;
	timer.it_value.tv_usec = 0;
	check_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
	check(!n_failed);
	signal(SIGALRM, SIG_DFL);
	fprintf(stderr, "%d forks\n", (int)n_forks);
}

int main(void)
{
	bus_begin();
	test_signal_handler();
	return bus_end();
}

#endif
