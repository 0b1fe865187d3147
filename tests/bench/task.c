/* SPDX-License-Identifier: MIT */
/*
 * The processes of one round: forked, pinned, brought together, watched while they fall
 * asleep, and waited for. A child dies with its parent and after 30 s at the latest.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

bool bench_quick;

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void busy_ns(uint64_t ns)
{
	uint64_t until = now_ns() + ns;

	while (now_ns() < until)
		cpu_relax();
}

unsigned bench_count(unsigned n)
{
	return bench_quick ? (n + 2) / 3 : n;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

long word_sleep(_Atomic uint32_t *word, uint32_t expected)
{
	return syscall(SYS_futex, word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

long word_wake_up(_Atomic uint32_t *word, int n)
{
	return syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
}

int task_error(const char *what, int err)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-err));
	return err;
}

/* The processors the bench was started with, found before any process is pinned. */
static const cpu_set_t *allowed(void)
{
	static cpu_set_t set;
	static bool known;

	if (!known) {
		sched_getaffinity(0, sizeof(set), &set);
		known = true;
	}
	return &set;
}

int task_pin(int cpu)
{
	const cpu_set_t *set = allowed();
	cpu_set_t one;
	int i, left = cpu, last = -1;

	CPU_ZERO(&one);
	for (i = 0; i < CPU_SETSIZE && left >= 0; i++)
		if (CPU_ISSET(i, set)) {
			last = i;
			left--;
		}
	if (last >= 0)
		CPU_SET(last, &one);
	if (sched_setaffinity(0, sizeof(one), last < 0 ? set : &one) < 0)
		return -errno;
	return 0;
}

void tasks_meet(struct shared *sh)
{
	pthread_barrier_wait(&sh->barrier);
}

static char state_of(int fd)
{
	char text[512], *end;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return 0;
	text[len] = 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

static int stat_open(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int process_settle(pid_t pid)
{
	uint64_t give_up = now_ns() + GIVE_UP_NS;
	char state;
	int fd = stat_open(pid);

	if (fd < 0)
		return fd;
	while ((state = state_of(fd)) && state != 'S' && state != 'Z' && now_ns() < give_up)
		usleep(50);
	close(fd);
	return state == 'S' ? 0 : -ETIMEDOUT;
}

/* A task that sleeps is in its futex: what else it does never blocks. */
void tasks_settle(struct shared *sh, int first, int n)
{
	static int fds[TASKS_MAX];
	int i;

	for (i = first; i < first + n; i++) {
		if (!fds[i])
			fds[i] = stat_open(sh->pids[i]);
		while (fds[i] > 0 && state_of(fds[i]) != 'S')
			sched_yield();
	}
}

static pid_t task_start(struct shared *sh, const struct task *task, int index)
{
	pid_t pid = fork();
	int err;

	if (pid)
		return pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1);
	alarm(30);
	sh->pids[index] = getpid();
	err = task_pin(task->cpu);
	if (!err)
		err = task->run(sh, index);
	_exit(err ? 1 : 0);
}

/* The first failure ends the others: they would wait for it at the barrier. */
static int tasks_wait(const pid_t *pids, int n)
{
	int i, status, left = n, err = 0;

	while (left > 0 && wait(&status) > 0) {
		left--;
		if (!status || err)
			continue;
		err = -EIO;
		for (i = 0; i < n; i++)
			kill(pids[i], SIGKILL);
	}
	return err;
}

static struct shared *shared_new(int n_tasks)
{
	pthread_barrierattr_t attr;
	struct shared *sh;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (sh == MAP_FAILED)
		return NULL;
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&sh->barrier, &attr, (unsigned)n_tasks);
	pthread_barrierattr_destroy(&attr);
	return sh;
}

int tasks_run(const struct figure *fig, const struct task *tasks, int n_tasks,
	      unsigned arg, double *ret_value)
{
	pid_t pids[TASKS_MAX];
	struct shared *sh;
	int i, err = 0;

	sh = shared_new(n_tasks);
	if (!sh)
		return -ENOMEM;
	sh->fig = fig;
	sh->arg = arg;
	for (i = 0; i < n_tasks; i++) {
		pids[i] = task_start(sh, &tasks[i], i);
		if (pids[i] < 0) {
			err = -EAGAIN;
			n_tasks = i;
			while (i--)
				kill(pids[i], SIGKILL);
			break;
		}
	}
	if (tasks_wait(pids, n_tasks) < 0 && !err)
		err = -EIO;
	if (!err)
		*ret_value = sh->result;
	munmap(sh, sizeof(*sh));
	return err;
}
