/* aioevt wait --cursor-file: a save that fails or is interrupted leaves a whole file, and no other. */
/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cli/common.h"
#include "../cli/cursor.h"
#include "test.h"

#define N_PLACES	2000u	/* more than stdio holds back */

static char dir[] = "/tmp/aioevt-test.XXXXXX";
static char path[64];

/* ---- a disk that fails once ----------------------------------------------------- */

static enum {
	NOTHING, OPEN, FIRST_WRITE, SECOND_WRITE, FSYNC, FCHMOD, CLOSE, RENAME, N_STEPS,
} failing;
static unsigned n_writes;
static int interrupting;		/* a signal that comes before the fsync; 0: none */

static bool fails(int step)
{
	errno = ENOSPC;
	return step == (int)failing;
}

static ssize_t write_it(void *cookie, const char *buf, size_t size)
{
	if (fails((int)(FIRST_WRITE + n_writes++)))
		return 0;
	return write((int)(intptr_t)cookie, buf, size);
}

static ssize_t read_it(void *cookie, char *buf, size_t size)
{
	return read((int)(intptr_t)cookie, buf, size);
}

static int close_it(void *cookie)
{
	close((int)(intptr_t)cookie);
	return fails(CLOSE) ? -1 : 0;
}

/* In place of the C library's, for cursor.c. */
FILE *fdopen(int fd, const char *mode)
{
	cookie_io_functions_t functions = { read_it, write_it, NULL, close_it };

	n_writes = *mode == 'w' ? 0 : 2;
	return fails(OPEN) ? NULL : fopencookie((void *)(intptr_t)fd, mode, functions);
}

int fsync(int fd)
{
	if (interrupting)
		raise(interrupting);
	return fails(FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fchmod(int fd, mode_t mode)
{
	return fails(FCHMOD) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int rename(const char *from, const char *to)
{
	return fails(RENAME) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- the test ------------------------------------------------------------------- */

static int count_entries(const char *of)
{
	DIR *entries = opendir(of);
	int n = 0;

	check(entries != NULL);
	while (readdir(entries))
		n++;
	closedir(entries);
	return n;
}

/* How many places the file has. */
static size_t load(void)
{
	struct cursor cursor = CURSOR_INIT;
	size_t n;

	check_eq(cursor_load(&cursor, path), STATUS_DONE);
	n = cursor.n_places;
	cursor_deinit(&cursor);
	return n;
}

static void note_all(struct cursor *cursor)
{
	char name[32];

	for (unsigned i = 0; i < N_PLACES; i++) {
		sprintf(name, "event.%u", i);
		cursor_note(cursor, name, i + 1, 1);
	}
}

/* It ends the program, but only when the file is replaced. */
static void test_signal(struct cursor *cursor, int number)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid) {
		signal(number, SIG_DFL);	/* who started us may ignore it */
		interrupting = number;
		cursor_note(cursor, "e", (uint64_t)number, 1);
		cursor_save(cursor);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
	check_eq(WTERMSIG(status), number);
	check_eq(count_entries(dir), 3);
	check_eq(load(), N_PLACES + 1);
}

int main(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGXFSZ };
	struct rlimit no_core = { 0, 0 };
	struct cursor cursor = CURSOR_INIT;
	int n_fds;

	check(mkdtemp(dir) != NULL);
	sprintf(path, "%s/cursor", dir);
	check_eq(cursor_load(&cursor, path), STATUS_DONE);
	cursor_add(&cursor, "e");
	check_eq(cursor_save(&cursor), STATUS_DONE);
	check_eq(load(), 1);

	note_all(&cursor);
	n_fds = count_entries("/proc/self/fd");
	for (int step = NOTHING + 1; step < N_STEPS; step++) {
		fprintf(stderr, "step %d: ", step);
		failing = step;
		check_eq(cursor_save(&cursor), STATUS_TROUBLE);
		failing = NOTHING;
		check_eq(count_entries("/proc/self/fd"), n_fds);
		check_eq(count_entries(dir), 3);	/* ".", ".." and the file */
		check_eq(load(), 1);
	}
	check_eq(cursor_save(&cursor), STATUS_DONE);
	check_eq(load(), N_PLACES + 1);
	check_eq(count_entries(dir), 3);

	setrlimit(RLIMIT_CORE, &no_core);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		test_signal(&cursor, numbers[i]);

	cursor_deinit(&cursor);
	check_eq(unlink(path), 0);
	return rmdir(dir);
}
