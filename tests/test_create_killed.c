/* SPDX-License-Identifier: MIT */
/* Without O_TMPFILE: gc removes the file of a killed creator, and not that of a live one. */

#include "bus.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "program.h"

/* ---- a file system without O_TMPFILE, and a creator that is held at a known point ------------ */

static struct child *held;		/* in a creator: the parent to ask how to go on */

static int open_without(int flags, int mode, const char *path)
{
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
	va_end(args);
	return open_without(flags, mode, path);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
	if (held && !mode && !offset) {
		say(held, 'f');
		if (hear(held) != 'g')
			raise(SIGKILL);
	}
	return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

/* gc comes between the making of a file and its lock: has the lock, or removed the file. */
static enum { GC_AWAY, GC_LOCKS, GC_REMOVED } gc_at_lock;
static int n_locks;

int flock(int fd, int operation)
{
	char link[64], path[256];
	int at = gc_at_lock;
	ssize_t n;

	gc_at_lock = GC_AWAY;
	n_locks += (operation & LOCK_EX) != 0;
	if (at == GC_LOCKS) {
		errno = EWOULDBLOCK;
		return -1;
	}
	if (at == GC_REMOVED) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		check(n > 0);
		path[n] = '\0';
		check_eq(unlink(path), 0);
	}
	return (int)syscall(SYS_flock, fd, operation);
}

static int create_held(struct child *me, void *arg)
{
	struct aioevt_shm *bus;

	(void)arg;
	held = me;
	bus = bus_small(8);
	held = NULL;
	say(me, 'c');
	hear(me);
	aioevt_shm_close(bus);
	return 0;
}

/* ---- what there is ------------------------------------------------------------------------- */

/* Files in the directory that creators fill, and of buses. */
static int count(bool unfinished)
{
	const char *prefix = unfinished ? ".aioevt." : "aioevt.";
	DIR *dir = opendir(bus_dir);
	struct dirent *entry;
	int n = 0;

	check(dir != NULL);
	while ((entry = readdir(dir)))
		n += !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(dir);
	return n;
}

static void test_killed(void)
{
	struct child child = spawn(create_held, NULL);
	char name[64];

	check_eq(hear(&child), 'f');
	check_eq(count(true), 1);
	check_eq(run("$PROGRAM gc --older-than 0"), 0);	/* it is alive */
	check_str(output, "");
	check_eq(count(true), 1);

	say(&child, 'k');
	check_eq(WTERMSIG(reap(&child)), SIGKILL);
	check_eq(run("$PROGRAM gc --dry-run"), 0);
	snprintf(name, sizeof(name), ".aioevt.%u.", geteuid());
	check_output(name);
	check_output("left by a killed process");
	check_eq(count(true), 1);
	check_eq(run("$PROGRAM gc"), 0);
	check_output(", removed");
	check_eq(count(true), 0);
	check_eq(count(false), 0);
}

/* A look by gc costs the creator nothing. */
static void test_alive(void)
{
	struct child child = spawn(create_held, NULL);

	check_eq(hear(&child), 'f');
	check_eq(run("$PROGRAM gc --older-than 0"), 0);
	say(&child, 'g');
	check_eq(hear(&child), 'c');
	check_eq(count(true), 0);
	check_eq(count(false), 1);
	say(&child, 'q');
	end_child(&child);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* A creator that gc was faster than begins again. */
static void test_gc_first(void)
{
	for (int at = GC_LOCKS; at <= GC_REMOVED; at++) {
		gc_at_lock = (unsigned)at;
		n_locks = 0;
		aioevt_shm_close(bus_small(8));
		check_eq(n_locks, 2);
		check_eq(count(true), 0);
		check_eq(count(false), 1);
		check_eq(aioevt_shm_unlink(NULL), 0);
	}
}

/* Another's file, or one of another type, stays. */
static void test_others(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/.aioevt.%u.fifo", bus_dir, geteuid());
	check_eq(mkfifo(path, 0600), 0);
	check_eq(run("$PROGRAM gc"), 0);
	check_str(output, "");
	check_eq(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/.aioevt.%u.abcdef", bus_dir, geteuid() + 1);
	check_eq(mknod(path, S_IFREG | 0600, 0), 0);
	check_eq(run("$PROGRAM gc"), 0);
	check_str(output, "");
	check_eq(unlink(path), 0);
}

int main(void)
{
	find_program();
	bus_begin();
	alarm(60);
	test_killed();
	test_alive();
	test_gc_first();
	test_others();
	return bus_end();
}
