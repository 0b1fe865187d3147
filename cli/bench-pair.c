/* SPDX-License-Identifier: MIT */
/* aioevt bench: two processes that measure together, and one that cleans up after all. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "duration.h"

#define GRACE_S		30	/* a process that goes on for so much longer hangs */

static struct {
	pid_t keeper;
	int pipe;			/* that it reads until we end */
	volatile pid_t pids[2];		/* who measures, or 0 */
} guard = { .pipe = -1 };

/* ---- in a process of a pair ----------------------------------------------------- */

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t bench_end(const struct bench *bench)
{
	return bench_now() + bench->area->length;
}

void bench_pause(const struct bench *bench)
{
	if (bench->n_cpus < 2)
		sched_yield();
#if defined(__x86_64__) || defined(__i386__)
	else
		__builtin_ia32_pause();
#elif defined(__aarch64__)
	else
		__asm__ volatile("yield");
#endif
}

void bench_send(_Atomic uint32_t *word, uint32_t n)
{
	/* bench_send:A  release, pairs with bench_look:A: what was written before */
	atomic_store_explicit(word, n, memory_order_release);
}

uint32_t bench_look(_Atomic uint32_t *word)
{
	/* bench_look:A  acquire, pairs with bench_send:A */
	return atomic_load_explicit(word, memory_order_acquire);
}

void bench_await(const struct bench *bench, _Atomic uint32_t *word, uint32_t n)
{
	while (bench_look(word) < n)
		bench_pause(bench);
}

static char read_state(int fd)
{
	char text[512], *end;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return 0;
	text[len] = 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

/* What it does beside sleeping never blocks. */
void bench_settle(const struct bench *bench, int index)
{
	static int fd = -1;
	char path[64];

	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)bench->area->pids[index]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		usleep(100);	/* no /proc */
		return;
	}
	while (read_state(fd) == 'R')
		bench_pause(bench);
}

/* ---- a pair --------------------------------------------------------------------- */

static void pin(const struct bench *bench, int index)
{
	cpu_set_t all, one;
	int i, left = index;

	if (bench->n_cpus < 2 || sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all) && left-- == 0)
			break;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* The signals that end us come to all of the terminal's job; we end these. */
static pid_t start(const struct bench *bench, bench_fn run, int index)
{
	struct bench_area *area = bench->area;
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_TROUBLE);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close(guard.pipe);
	prctl(PR_SET_TIMERSLACK, 1);
	alarm(bench->seconds + GRACE_S);
	pin(bench, index);
	area->pids[index] = getpid();
	bench_send(&area->ready[index], 1);
	bench_await(bench, &area->ready[!index], 1);
	_exit(run(bench));
}

static void stop_both(void)
{
	for (int i = 0; i < 2; i++)
		if (guard.pids[i] > 0)
			kill(guard.pids[i], SIGKILL);
}

/* The first that fails ends the other, which would wait for it. */
static int wait_for_both(void)
{
	int result, left = 2, status = STATUS_DONE;
	pid_t pid;

	while (left && (pid = wait(&result)) > 0) {
		int index = pid == guard.pids[1];

		if (pid != guard.pids[index])
			continue;	/* the keeper, killed */
		guard.pids[index] = 0;
		left--;
		if (!result || status)
			continue;
		if (WIFSIGNALED(result))
			complain("a process that measures was ended by signal %d",
				 WTERMSIG(result));
		status = STATUS_TROUBLE;
		stop_both();
	}
	return status;
}

int bench_pair(const struct bench *bench, bench_fn first, bench_fn second, uint64_t ns)
{
	struct bench_area *area = bench->area;
	bench_fn run[] = { first, second };

	bench_send(&area->ping, 0);
	bench_send(&area->pong, 0);
	area->length = ns;
	for (int i = 0; i < 2; i++)
		bench_send(&area->ready[i], 0);
	for (int i = 0; i < 2; i++) {
		guard.pids[i] = start(bench, run[i], i);
		if (guard.pids[i] > 0)
			continue;
		complain("cannot start a process: %s", strerror(errno));
		stop_both();
		return STATUS_TROUBLE;
	}
	return wait_for_both();
}

/* ---- cleaning up ---------------------------------------------------------------- */

static void __attribute__((__noreturn__)) keep(const struct bench *bench)
{
	ssize_t n;
	char byte;

	for (int i = 0; i < 3; i++)
		close(i);		/* who reads them is to see our end, not this one's */
	while ((n = read(guard.pipe, &byte, 1)) < 0 && errno == EINTR)
		continue;
	aioevt_shm_unlink(bench->bus.bus);
	if (n == 0 && bench->svg_is_new)
		unlink(bench->svg);
	_exit(0);
}

static void end_keeper(void)
{
	close(guard.pipe);
	while (waitpid(guard.keeper, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static void on_signal(int number)
{
	sigset_t set;

	stop_both();
	end_keeper();
	signal(number, SIG_DFL);
	raise(number);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + number);		/* process 1, which has no default actions */
}

int bench_guard(const struct bench *bench)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction old, new = { .sa_handler = on_signal };
	int ends[2] = { -1, -1 };

	if (pipe2(ends, O_CLOEXEC) == 0)
		guard.keeper = fork();
	if (ends[0] < 0 || guard.keeper < 0) {
		complain("cannot start a process: %s", strerror(errno));
		return STATUS_TROUBLE;
	}
	if (guard.keeper == 0) {
		setsid();		/* it ends after the terminal's job */
		signal(SIGHUP, SIG_IGN);
		close(ends[1]);
		guard.pipe = ends[0];
		keep(bench);
	}
	close(ends[0]);
	guard.pipe = ends[1];
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaddset(&new.sa_mask, signals[i]);
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &new, NULL);
	}
	return STATUS_DONE;
}

void bench_finish(bool is_good)
{
	if (is_good && write(guard.pipe, "", 1) < 0)
		complain("cannot clean up: %s", strerror(errno));
	end_keeper();
}
