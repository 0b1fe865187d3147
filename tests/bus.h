/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_TEST_BUS_H
#define AIOEVT_TEST_BUS_H

/*
 * What the tests of the engine share: a bus of their own in a directory of their own under
 * /dev/shm, which must hold nothing but bus files in the end, a look at the descriptors,
 * children that are told what to do, and short forms of the calls every test makes.
 */

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aioevt-shm.h"
#include "sweep.h"
#include "test.h"

#define MS		UINT64_C(1000000)
#define SKIP		77

static char bus_dir[64];
static char bus_name[32];
static pid_t bus_owner;
static int bus_fds;

static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	check(dir != NULL);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Remove the directory; what is no bus file was left behind. Returns how many such. */
static inline int bus_sweep(void)
{
	DIR *dir = opendir(bus_dir);
	struct dirent *entry;
	char path[sizeof(bus_dir) + 256];
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (strncmp(entry->d_name, "aioevt.", 7)) {
			fprintf(stderr, "left behind: %s\n", entry->d_name);
			n++;
		}
		snprintf(path, sizeof(path), "%s/%s", bus_dir, entry->d_name);
		if (remove(path) < 0)
			perror(path);
	}
	if (dir)
		closedir(dir);
	rmdir(bus_dir);
	return n;
}

static inline void bus_at_exit(void)
{
	if (getpid() == bus_owner && bus_sweep())
		_exit(1);
}

/* First in main(). */
static inline void bus_begin(void)
{
	uint64_t random;

	check_eq(getrandom(&random, sizeof(random), 0), sizeof(random));
	snprintf(bus_name, sizeof(bus_name), "t%016" PRIx64, random);
	strcpy(bus_dir, "/dev/shm/aioevt-test.XXXXXX");
	check(mkdtemp(bus_dir) != NULL);
	sweep_after_me(bus_dir);
	bus_owner = getpid();
	atexit(bus_at_exit);
	setenv("AIOEVT_DIR", bus_dir, 1);
	setenv("AIOEVT_BUS", bus_name, 1);
	bus_fds = count_fds();
}

/* Last in main(): returns its status. */
static inline int bus_end(void)
{
	check_eq(count_fds(), bus_fds);
	return 0;
}

/* A new name for the next bus, so that one test does not see another's. */
static inline void bus_rename(const char *name)
{
	snprintf(bus_name, sizeof(bus_name), "%s", name);
	setenv("AIOEVT_BUS", bus_name, 1);
}

static inline struct aioevt_shm_config bus_config(uint32_t n_events, uint32_t n_listeners,
						  uint32_t depth)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;

	config.n_events = n_events;
	config.n_listeners = n_listeners;
	config.depth = depth;
	return config;
}

static inline struct aioevt_shm *bus_open(const struct aioevt_shm_config *config)
{
	struct aioevt_shm *bus = NULL;

	check_eq(aioevt_shm_open(NULL, config, 0, &bus), 0);
	return bus;
}

/* A small bus of the current name. */
static inline struct aioevt_shm *bus_small(uint32_t depth)
{
	struct aioevt_shm_config config = bus_config(64, 64, depth);

	return bus_open(&config);
}

static inline struct aioevt_shm_event *event_of(struct aioevt_shm *bus, const char *name)
{
	struct aioevt_shm_event *event = NULL;

	check_eq(aioevt_shm_event_open(bus, name, 0, &event), 0);
	return event;
}

static inline struct aioevt_shm_listener *listener_of(struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *listener = NULL;

	check_eq(aioevt_shm_listener_new(bus, &listener), 0);
	return listener;
}

static inline struct aioevt_shm_sub *sub_of(struct aioevt_shm_listener *listener,
					    const char *name, uint32_t flags)
{
	struct aioevt_shm_sub *sub = NULL;

	check_eq(aioevt_shm_listen(listener, name, flags, AIOEVT_SHM_FROM_NEW, 0, &sub), 0);
	return sub;
}

static char bus_file[256];

/* The path of the current bus. */
static inline const char *bus_path(void)
{
	int n = aioevt_shm_path(NULL, bus_file, sizeof(bus_file));

	check(n > 0);
	check_eq(n, strlen(bus_file));
	return bus_file;
}

static inline int try_open(const char *name, uint32_t flags)
{
	struct aioevt_shm *bus = NULL;
	int err = aioevt_shm_open(name, NULL, flags, &bus);

	check((err == 0) == (bus != NULL));
	aioevt_shm_close(bus);
	return err;
}

static inline void make_bus(void)
{
	check_eq(try_open(NULL, 0), 0);
}

/* Wait until the kernel's tick, which coarse clocks tell, has gone on. */
static inline void await_tick(void)
{
	struct timespec first, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &first);
	do {
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	} while (now.tv_sec == first.tv_sec && now.tv_nsec == first.tv_nsec);
}

/* Emit a number; returns the sequence number. */
static inline uint64_t emit_u64(struct aioevt_shm_event *event, uint64_t value)
{
	uint64_t seq = 0;

	check_eq(aioevt_shm_emit(event, &value, sizeof(value), &seq), 0);
	return seq;
}

/* Read one record of emit_u64(): 1 and the record, or what aioevt_shm_read() says. */
static inline int read_u64(struct aioevt_shm_sub *sub, struct aioevt_shm_record *ret_record,
			   uint64_t *ret_value)
{
	uint64_t value = 0;
	int r = aioevt_shm_read(sub, ret_record, 1, &value, sizeof(value));

	if (r == 1) {
		check_eq(ret_record->size, sizeof(value));
		*ret_value = value;
	}
	return r;
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t in_ms(uint64_t ms)
{
	return now_ns() + ms * MS;
}

/* For time itself to pass, never to wait for somebody. */
static inline void pass_ms(uint64_t ms)
{
	struct timespec ts = { .tv_sec = (time_t)(ms / 1000),
			       .tv_nsec = (long)(ms % 1000 * MS) };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* Wait until a thread of process @of sleeps on a futex, with a deadline. */
static inline void await_sleeper(pid_t of)
{
	char name[64], line[128];
	uint64_t limit = in_ms(3000);

	for (;;) {
		struct dirent *entry;
		bool asleep = false;
		DIR *dir;

		snprintf(name, sizeof(name), "/proc/%d/task", of);
		dir = opendir(name);
		check(dir != NULL);
		while ((entry = readdir(dir))) {
			FILE *file;

			if (entry->d_name[0] == '.')
				continue;
			snprintf(line, sizeof(line), "/proc/%d/task/%.20s/syscall", of,
				 entry->d_name);
			file = fopen(line, "r");
			/* 202 is futex(2) on x86-64, 98 elsewhere; op BITSET is 9 */
			if (file && fgets(line, sizeof(line), file) &&
			    (!strncmp(line, "202 ", 4) || !strncmp(line, "98 ", 3)) &&
			    strstr(line, " 0x9 "))
				asleep = true;
			if (file)
				fclose(file);
		}
		closedir(dir);
		if (asleep)
			return;
		check(now_ns() < limit);
	}
}

static inline uint64_t random_u64(uint64_t *state)
{
	/* xorshift64*, Vigna 2014 */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* ---- children ----------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int in, out;		/* what it says, what it is told */
};

/* In the child: tell the parent a byte, be told one ('\0' at the end of the parent). */
static inline void say(const struct child *me, char c)
{
	if (write(me->out, &c, 1) != 1)
		_exit(1);
}

static inline char hear(const struct child *other)
{
	char c = '\0';
	ssize_t n;

	do {
		n = read(other->in, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? c : '\0';
}

/* Start a process that runs @fn; its status is what @fn returns. */
static inline struct child spawn(int (*fn)(struct child *me, void *arg), void *arg)
{
	struct child child, me;
	int up[2], down[2];

	check_eq(pipe(up), 0);
	check_eq(pipe(down), 0);
	child.pid = fork();
	check(child.pid >= 0);
	if (!child.pid) {
		close(up[0]);
		close(down[1]);
		me = (struct child){ .pid = getppid(), .in = down[0], .out = up[1] };
		alarm(30);
		_exit(fn(&me, arg));
	}
	close(up[1]);
	close(down[0]);
	child.in = up[0];
	child.out = down[1];
	return child;
}

/* Returns the status of waitpid(2). */
static inline int reap(struct child *child)
{
	int status = -1;

	close(child->in);
	close(child->out);
	while (waitpid(child->pid, &status, 0) < 0)
		check_eq(errno, EINTR);
	return status;
}

static inline void kill_child(struct child *child)
{
	check_eq(kill(child->pid, SIGKILL), 0);
	check(WIFSIGNALED(reap(child)));
}

static inline void end_child(struct child *child)
{
	check_eq(reap(child), 0);
}

/* Stop it, and wait until it is. */
static inline void stop_child(const struct child *child)
{
	int status;

	check_eq(kill(child->pid, SIGSTOP), 0);
	check_eq(waitpid(child->pid, &status, WUNTRACED), child->pid);
	check(WIFSTOPPED(status));
}

#endif
